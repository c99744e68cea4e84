// SPDX-License-Identifier: GPL-2.0-only

//! The hooks that convert what distributions' tools have made.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use common::{newc, node, Place};

fn hook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../hooks")
        .join(name)
}

/// A system with a kernel 7.3 that can mount images in place, and 6.12 that cannot.
fn system() -> Place {
    let place = Place::new();
    let options = ["INITOVERLAYFS", "EROFS_FS", "OVERLAY_FS", "EROFS_FS_ZIP"];
    let config: String = options
        .map(|option| format!("CONFIG_{option}=y\n"))
        .concat();
    place.write("boot/config-7.3", config);
    place.write("boot/config-6.12", "CONFIG_EROFS_FS=y\n");
    let initramfs = newc(&[node("init", 0o100_755)]);
    place.write("boot/initrd.img-7.3", &initramfs);
    place.write("boot/initrd.img-6.12", &initramfs);
    place
}

/// Runs a hook in the system.
fn run(place: &Place, name: &str, arguments: &[&str]) -> String {
    let usual = place.command();
    let mut command = Command::new(hook(name));
    command.args(arguments).current_dir(place.path("."));
    for (name, value) in usual.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_initoverlayfs"));
    let own = binary.parent().expect("a directory").display();
    command.env(
        "PATH",
        format!("{own}:{}", env::var("PATH").expect("a path")),
    );
    command
        .env("ROOT", place.path("."))
        .env("CONVERT_HOOK", hook("convert-hook"));
    command.env("KERNEL_INSTALL_STAGING_AREA", place.path("staging"));
    let output = command.output().expect(name);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    said
}

fn is_converted(place: &Place, image: &str) -> bool {
    place
        .succeed(&format!("inspect --json {image}"))
        .contains("\"boot\": \"in-place\"")
}

#[test]
fn initramfs_tools_image_is_converted_and_the_original_kept() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    run(
        &place,
        "initramfs-post-update",
        &["7.3", "boot/initrd.img-7.3"],
    );
    assert!(is_converted(&place, "boot/initrd.img-7.3"));
    assert!(place.read("boot/initrd.img-7.3.cpio") == original);
    // A second run finds nothing to do.
    let converted = place.read("boot/initrd.img-7.3");
    run(
        &place,
        "initramfs-post-update",
        &["7.3", "boot/initrd.img-7.3"],
    );
    assert!(place.read("boot/initrd.img-7.3") == converted);
    assert!(place.read("boot/initrd.img-7.3.cpio") == original);
    run(&place, "kernel-postrm", &["7.3"]);
    assert!(!place.path("boot/initrd.img-7.3.cpio").exists());
}

#[test]
fn kernels_that_cannot_mount_it_keep_their_image() {
    let place = system();
    let original = place.read("boot/initrd.img-6.12");
    assert_eq!(run(&place, "kernel-postinst", &["6.12"]), "");
    assert_eq!(run(&place, "kernel-postinst", &["5.10"]), "");
    assert!(place.read("boot/initrd.img-6.12") == original);
    // A kernel that can, but not with this compression.
    let config = String::from_utf8(place.read("boot/config-7.3")).expect("text");
    place.write(
        "boot/config-7.3",
        config.replace("CONFIG_EROFS_FS_ZIP=y\n", ""),
    );
    let said = run(&place, "kernel-postinst", &["7.3"]);
    assert!(
        said.contains("it would not boot") && said.contains("EROFS_FS_ZIP"),
        "{said}"
    );
    assert!(place.read("boot/initrd.img-7.3") == original);
    assert!(!place.path("boot/initrd.img-7.3.cpio").exists());
}

#[test]
fn configuration_switches_it_off_and_passes_options() {
    let place = system();
    place.write("etc/initoverlayfs.conf", "CONVERT=no\n");
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(!is_converted(&place, "boot/initrd.img-7.3"));
    place.write("etc/initoverlayfs.conf", "OPTIONS='--compression none'\n");
    run(&place, "kernel-postinst", &["7.3"]);
    let shown = place.succeed("inspect boot/initrd.img-7.3");
    assert!(shown.contains("compression  none"), "{shown}");
}

#[test]
fn a_broken_image_stays_as_it_is() {
    let place = system();
    place.write("boot/initrd.img-7.3", "what is this");
    let said = run(&place, "kernel-postinst", &["7.3"]);
    assert!(said.contains("stays as it is"), "{said}");
    assert_eq!(place.read("boot/initrd.img-7.3"), b"what is this");
    assert!(place.path("boot").read_dir().expect("a directory").count() == 4);
}

#[test]
fn kernel_install_converts_what_is_staged() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    place.write("staging/initrd", &original);
    let arguments = ["add", "7.3", "/boot/entry", "/boot/vmlinuz"];
    run(&place, "55-initoverlayfs.install", &arguments);
    assert!(is_converted(&place, "staging/initrd"));
    assert!(place.read("var/lib/initoverlayfs/7.3/initrd.cpio") == original);
    run(
        &place,
        "55-initoverlayfs.install",
        &["remove", "7.3", "/boot/entry"],
    );
    assert!(!place.path("var/lib/initoverlayfs/7.3").exists());
}

#[test]
fn mkinitcpio_image_is_converted_for_the_kernel_beside_it() {
    let place = system();
    // The boot protocol's header: at 526, where the version is, less 512.
    let mut kernel = vec![0; 2048];
    kernel[526..528].copy_from_slice(&512_u16.to_le_bytes());
    kernel[1024..1038].copy_from_slice(b"7.3 (me@host)\0");
    place.write("boot/vmlinuz", kernel);
    run(
        &place,
        "mkinitcpio-post",
        &["boot/vmlinuz", "boot/initrd.img-7.3", ""],
    );
    assert!(is_converted(&place, "boot/initrd.img-7.3"));
    fs::remove_file(place.path("boot/vmlinuz")).expect("it is there");
    run(&place, "mkinitcpio-post", &["", "boot/initrd.img-6.12"]);
    assert!(!is_converted(&place, "boot/initrd.img-6.12"));
}
