// SPDX-License-Identifier: GPL-2.0-only

//! A system for the hooks to run in.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use super::{newc, node, Place};

/// The place where the original of the usual image is kept.
pub const KEPT: &str = "var/lib/initoverlayfs/7.3/initrd.img-7.3.cpio";

/// Returns the program that people install.
pub fn hook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../hooks")
        .join(name)
}

/// Returns a system with a kernel 7.3 that can mount images in place, and 6.12 that cannot.
pub fn system() -> Place {
    let place = Place::new();
    let options = [
        "INITOVERLAYFS",
        "EROFS_FS",
        "OVERLAY_FS",
        "EROFS_FS_ZIP",
        "EROFS_FS_ZIP_ZSTD",
    ];
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

/// Runs a hook in the system; returns what it said.
pub fn run(place: &Place, name: &str, arguments: &[&str]) -> String {
    let output = hook_output(place, name, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    said
}

/// Runs a hook that has to fail.
pub fn fail(place: &Place, name: &str, arguments: &[&str]) -> String {
    let output = hook_output(place, name, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{name}: {said}");
    said
}

fn hook_output(place: &Place, name: &str, arguments: &[&str]) -> Output {
    hook_command(place, name, arguments).output().expect(name)
}

/// Returns a hook in the system, with what it needs to know of that.
pub fn hook_command(place: &Place, name: &str, arguments: &[&str]) -> Command {
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
        format!(
            "{}:{own}:{}",
            place.path("programs").display(),
            env::var("PATH").expect("a path")
        ),
    );
    command
        .env("ROOT", place.path("."))
        .env("CONVERT_HOOK", hook("convert-hook"));
    // Environment of kernel-install, where there is one, and of a kernel that runs.
    if place.path("staging").exists() {
        command.env("KERNEL_INSTALL_STAGING_AREA", place.path("staging"));
    }
    command
        .env("RELEASE", "7.3")
        .env("DRACUT_RESTORE", place.path("dracut"));
    command
}

/// Returns whether a file boots in place.
pub fn is_converted(place: &Place, image: &str) -> bool {
    place
        .succeed(&format!("inspect --json {image}"))
        .contains("\"boot\": \"in-place\"")
}

/// A program that a hook calls, or the test itself.
pub fn program(place: &Place, name: &str, text: &str) {
    place.write(name, text);
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Returns what is in a directory.
pub fn names(place: &Place, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(directory)).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
