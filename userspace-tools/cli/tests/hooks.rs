// SPDX-License-Identifier: GPL-2.0-only

//! The hooks that convert what distributions' tools have made.

mod common;

use std::fs;

use common::hooks::{fail, hook_command, is_converted, names, program, run, system, KEPT};
use common::{dump, file, newc, node, text, Place};

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
    assert!(place.read(KEPT) == original);
    // A second run finds nothing to do.
    let converted = place.read("boot/initrd.img-7.3");
    run(
        &place,
        "initramfs-post-update",
        &["7.3", "boot/initrd.img-7.3"],
    );
    assert!(place.read("boot/initrd.img-7.3") == converted);
    assert!(place.read(KEPT) == original);
    // One match for each kernel.
    let names = names(&place, "boot");
    let matches = names
        .iter()
        .filter(|name| name.starts_with("initrd.img-7.3"));
    assert_eq!(matches.count(), 1);
    // What was left of a conversion that could not be finished, or by an earlier hook, goes.
    let left = [
        "boot/initrd.img-6.12.cpio",
        "boot/.initrd.img-6.12.initoverlayfs-new",
    ];
    for name in left {
        place.write(name, "left");
    }
    fs::copy(
        place.path("boot/config-7.3"),
        place.path("boot/config-6.12"),
    )
    .expect("a copy");
    run(&place, "kernel-postinst", &["6.12"]);
    assert!(is_converted(&place, "boot/initrd.img-6.12"));
    assert!(place.read("var/lib/initoverlayfs/6.12/initrd.img-6.12.cpio") == original);
    assert!(!left.iter().any(|name| place.path(name).exists()));
}

#[test]
fn initrd_of_the_crash_kernel_is_converted_beside_the_usual_one() {
    let place = system();
    let crash = "var/lib/kdump/initrd.img-7.3";
    let other = [node("init", 0o100_755), file("dump", b"content")];
    place.write(crash, newc(&other));
    let originals = [place.read("boot/initrd.img-7.3"), place.read(crash)];
    program(
        &place,
        "programs/kdump-config",
        "#!/bin/sh\necho \"$@\" >> kdump-config.log\n",
    );
    run(&place, "kernel-postinst", &["7.3"]);
    for _ in ["archive", "already converted"] {
        run(&place, "kdump-convert", &["7.3"]);
        assert!(is_converted(&place, crash));
        assert_eq!(place.read("kdump-config.log"), b"reload\n");
    }
    assert!(is_converted(&place, "boot/initrd.img-7.3"));
    let kept = [KEPT, "var/lib/initoverlayfs/7.3/kdump-initrd.img-7.3.cpio"];
    assert!(kept.map(|path| place.read(path)) == originals);
    // When kdump-tools are gone, so is their original.
    fs::remove_file(place.path(crash)).expect("it is there");
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(kept.map(|path| place.path(path).exists()) == [true, false]);
    run(&place, "kdump-convert", &["7.3"]);
    assert_eq!(place.read("kdump-config.log"), b"reload\n");
}

#[test]
fn original_goes_with_its_kernel_but_not_when_that_is_upgraded() {
    let place = system();
    let kept = |place: &Place| place.path(KEPT).exists();
    for (parameters, stays) in [
        (Some("upgrade 7.3.5-1"), true),
        (Some("'upgrade' '7.3.5-1'"), true),
        (Some("'remove'"), false),
        (Some("purge"), false),
        (None, false),
    ] {
        place.write(KEPT, "the original");
        let mut command = hook_command(&place, "kernel-postrm", &["7.3"]);
        if let Some(parameters) = parameters {
            command.env("DEB_MAINT_PARAMS", parameters);
        }
        assert!(command.status().expect("a shell").success());
        assert_eq!(kept(&place), stays, "{parameters:?}");
    }
}

#[test]
fn what_stays_of_a_removed_package_stops_nothing() {
    let place = system();
    for (name, arguments) in [
        ("initramfs-post-update", &["7.3", "boot/initrd.img-7.3"][..]),
        ("kernel-postinst", &["7.3"]),
    ] {
        let mut command = hook_command(&place, name, arguments);
        command.env("CONVERT_HOOK", place.path("gone"));
        let output = command.output().expect("a shell");
        assert!(output.status.success(), "{name}");
        assert!(output.stderr.is_empty(), "{name}");
    }
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
    assert!(!place.path(KEPT).exists());
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
fn a_profile_is_used_if_it_is_there() {
    let place = system();
    let text = "this and that\n".repeat(5000);
    let parts = [
        node("init", 0o100_755),
        file("hot", text.as_bytes()),
        file("cold", text.as_bytes()),
    ];
    let initramfs = newc(&parts);
    let is_compressed = |name: &str| {
        let shown = dump(&place.path("boot/initrd.img-7.3"), name);
        !shown.contains("Layout: 2")
    };
    place.write("etc/initoverlayfs.profile", "/hot\n");
    place.write("elsewhere", "/cold\n");
    for (configuration, hot, cold) in [
        ("", false, true),
        ("PROFILE=/elsewhere\n", true, false),
        ("PROFILE=/nowhere\n", true, true),
        ("PROFILE=\n", true, true),
    ] {
        place.write("etc/initoverlayfs.conf", configuration);
        place.write("boot/initrd.img-7.3", &initramfs);
        let said = run(&place, "kernel-postinst", &["7.3"]);
        let warns = said.contains("cannot be read: going on without it");
        assert_eq!(warns, configuration.contains("nowhere"), "{said}");
        assert_eq!(said.lines().count(), 1 + usize::from(warns), "{said}");
        assert_eq!(is_compressed("hot"), hot, "{configuration}");
        assert_eq!(is_compressed("cold"), cold, "{configuration}");
    }
}

#[test]
fn a_broken_configuration_stops_nothing_but_the_conversion() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    for configuration in [
        "CONVERT=\"no\n",
        "CONVERT=perhaps\n",
        "OPTIONS=\"--key $KEYS/key.pem\"\n",
        "exit 1\n",
        ". /no/such/file\n",
        "set -e\nOPTIONS=--no-such-option\n",
    ] {
        place.write("etc/initoverlayfs.conf", configuration);
        let said = run(&place, "kernel-postinst", &["7.3"]);
        assert!(said.contains("stays as it is"), "{said}");
        assert!(place.read("boot/initrd.img-7.3") == original);
    }
    // The last word of a file need not be a success.
    place.write(
        "etc/initoverlayfs.conf",
        "[ -e /no/such/file ] && OPTIONS=--no-such-option\n",
    );
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(is_converted(&place, "boot/initrd.img-7.3"));
}

#[test]
fn a_place_for_the_original_that_cannot_be_made_stops_nothing() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    place.write("staging/initrd", &original);
    // As on a disk that cannot be written.
    place.write("var/lib/initoverlayfs", "not a directory");
    let arguments = ["add", "7.3", "/boot/entry", "/boot/vmlinuz"];
    let said = run(&place, "55-initoverlayfs.install", &arguments);
    assert!(said.contains("stays as it is"), "{said}");
    assert!(place.read("staging/initrd") == original);
    let arguments = ["add", "6.12", "/boot/entry", "/boot/vmlinuz"];
    assert_eq!(run(&place, "55-initoverlayfs.install", &arguments), "");
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
fn staged_images_are_left_to_the_plugin_of_kernel_install() {
    // dracut on Debian runs the hooks of initramfs-tools wherever its image goes.
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    place.write("staging/initrd", &original);
    let staged = place.path("staging/initrd").display().to_string();
    run(&place, "initramfs-post-update", &["7.3", &staged]);
    assert!(place.read("staging/initrd") == original);
    assert!(!place.path("var/lib/initoverlayfs").exists());
}

/// Returns what a system going down has in `/run/initramfs`; returns what the program said.
fn restore(place: &Place) -> String {
    place.write("run/initramfs/.need_shutdown", "");
    place.write("run/initramfs/shutdown", "");
    // dracut's own program, which must not be needed for an image.
    program(place, "dracut", "#!/bin/sh\necho theirs >&2\n");
    run(place, "restore-shutdown", &[])
}

#[test]
fn initramfs_is_unpacked_again_for_the_shutdown() {
    let place = system();
    let parts = [
        node("init", 0o100_755),
        node("bin", 0o040_755),
        file("bin/sh", b"shell"),
    ];
    place.write("boot/initrd.img-7.3", newc(&parts));
    // An archive is dracut's business.
    assert_eq!(restore(&place), "theirs\n");
    run(&place, "kernel-postinst", &["7.3"]);
    assert_eq!(restore(&place), "");
    assert_eq!(place.read("run/initramfs/bin/sh"), b"shell");
    assert!(!place.path("run/initramfs/.need_shutdown").exists());
    assert!(place.path("run/initramfs/shutdown").exists());
    // It is there now.
    assert_eq!(restore(&place), "");
    assert!(place.path("run/initramfs/.need_shutdown").exists());
}

#[test]
fn broken_image_leaves_no_half_root_for_the_shutdown() {
    let place = system();
    let content = text("big");
    place.write(
        "boot/initrd.img-7.3",
        newc(&[node("init", 0o100_755), file("big", &content)]),
    );
    run(&place, "kernel-postinst", &["7.3"]);
    let mut image = place.read("boot/initrd.img-7.3");
    let size = image.len();
    image[size - 4096..].fill(0xFF);
    place.write("boot/initrd.img-7.3", image);
    place.write("run/initramfs/.need_shutdown", "");
    place.write("run/initramfs/shutdown", "");
    let said = fail(&place, "restore-shutdown", &[]);
    assert!(said.contains("could not be unpacked"), "{said}");
    assert!(!place.path("run/initramfs/shutdown").exists());
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
