// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs status`: one line for the kernel, the boot, the hooks, and each initrd.

mod common;

use common::{newc, node, Place};

/// Returns the line about something, without the blanks between.
fn line(out: &str, about: &str) -> String {
    let mut lines = out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let found = lines.find(|line| line.split(' ').nth(1) == Some(about));
    found.unwrap_or_else(|| panic!("no line about {about}: {out}"))
}

#[test]
fn each_part_of_a_system_has_its_line() {
    let place = Place::new();
    place.write("root/boot/initrd.img-1", newc(&[node("init", 0o100_755)]));
    place.succeed("convert root/boot/initrd.img-1 -o root/boot/initrd.img-2");
    let image = place.read("root/boot/initrd.img-2");
    place.write("root/boot/initrd.img-3", &image[..image.len() - 1]);
    place.write("root/boot/vmlinuz-1", "a kernel");
    place.write("root/proc/sys/kernel/osrelease", "7.3-test\n");
    let out = place.succeed("status --root root");
    assert!(line(&out, "kernel").starts_with("- kernel its configuration was not found"));
    assert!(line(&out, "boot").starts_with("- boot no image was mounted"));
    assert!(line(&out, "hooks").starts_with("- hooks not installed"));
    let initrd = |number: u8| line(&out, &format!("/boot/initrd.img-{number}"));
    assert_eq!(
        initrd(1),
        "- /boot/initrd.img-1 stock: the kernel unpacks it"
    );
    assert_eq!(initrd(2), "✓ /boot/initrd.img-2 mounted in place");
    assert!(
        initrd(3).starts_with("✗ /boot/initrd.img-3 the erofs image at offset 0x0 is truncated")
    );
    assert_eq!(out.lines().count(), 6, "{out}");

    let options = [
        "INITOVERLAYFS",
        "EROFS_FS",
        "OVERLAY_FS",
        "EROFS_FS_ZIP",
        "EXT4_FS",
    ];
    let config = options
        .map(|option| format!("CONFIG_{option}=y\n"))
        .concat();
    place.write("root/boot/config-7.3-test", &config);
    let kernel = line(&place.succeed("status --root root"), "kernel");
    assert_eq!(
        kernel,
        "✓ kernel mounts initrds in place: erofs, lz4 (root/boot/config-7.3-test)"
    );
    place.write(
        "root/boot/config-7.3-test",
        config.replace("CONFIG_EROFS_FS=y", ""),
    );
    let kernel = line(&place.succeed("status --root root"), "kernel");
    assert!(kernel.starts_with("✗ kernel mounts no initrd in place: CONFIG_EROFS_FS is not set"));

    place.write("root/usr/libexec/initoverlayfs/convert-hook", "");
    assert_eq!(
        line(&place.succeed("status --root root"), "hooks"),
        "✓ hooks on"
    );
    place.write("root/etc/initoverlayfs.conf", "CONVERT=yes\nCONVERT=no\n");
    let hooks = line(&place.succeed("status --root root"), "hooks");
    assert_eq!(
        hooks,
        "- hooks off: CONVERT=no in root/etc/initoverlayfs.conf"
    );

    let debugfs = "root/sys/kernel/debug/initoverlayfs";
    place.write(&format!("{debugfs}/layers"), "0 erofs 4096 0 1 1 1\n");
    place.write(&format!("{debugfs}/phases"), "claim 1500\nmount 500\n");
    let boot = line(&place.succeed("status --root root"), "boot");
    assert_eq!(boot, "✓ boot in place: 1 layer, in 2 us");
}

#[test]
fn programs_get_json() {
    let place = Place::new();
    place.write("root/boot/initramfs.img", newc(&[node("init", 0o100_755)]));
    let found: serde_json::Value =
        serde_json::from_str(&place.succeed("status --json --root root")).expect("JSON");
    let last = &found.as_array().expect("a list")[3];
    let expected = serde_json::json!({
        "about": "/boot/initramfs.img", "mark": "neutral", "words": "stock: the kernel unpacks it"
    });
    assert_eq!(last, &expected);
}
