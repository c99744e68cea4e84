// SPDX-License-Identifier: GPL-2.0-only

//! Updates that work without the hooks work with them, whatever happens.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::hooks::{hook, hook_command, is_converted, names, program, run, system, KEPT};
use common::{file, newc, node, noise, Place};

/// Runs the hook for the usual image in a file system of its own below `boot`, of this size and with these
/// options of `mount`. Returns what it said; nothing if this machine lets nobody mount one.
fn run_in_small_boot(place: &Place, options: &str, before: &str) -> Option<String> {
    let mut command = hook_command(place, "convert-hook", &[]);
    let hook = hook("convert-hook");
    let line = format!(
        "mkdir -p full && mount -t tmpfs -o {options} tmpfs full && cp -a boot/. full && {before} \
         ROOT=$PWD; mkdir -p $ROOT/boot && mount --bind full boot && \
         {} 7.3 boot/initrd.img-7.3; s=$?; cp -a full/. out/; exit $s",
        hook.display()
    );
    fs::create_dir_all(place.path("out")).expect("a directory");
    let mut shell = Command::new("unshare");
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", &line]);
    shell.current_dir(place.path("."));
    for (name, value) in command.env("TMPDIR", place.path(".")).get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let ended = shell.output().expect("unshare");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if said.contains("unshare failed") || said.contains("permission denied") {
        eprintln!("skipped: no user may mount a tmpfs of its own here");
        return None;
    }
    assert!(ended.status.success(), "{said}");
    Some(said)
}

/// Returns the image in the small file system after the hook.
fn small_boot_is_converted(place: &Place) -> bool {
    is_converted(place, "out/initrd.img-7.3")
}

/// An update that fits without the hook fits with it.
#[test]
fn small_boot_keeps_room_for_the_next_update() {
    let noise = noise(3_000_000);
    // Larger when it is converted, as an image consists of whole blocks.
    let larger = newc(&[node("init", 0o100_755), file("noise", &noise)]);
    let system = || {
        let place = system();
        place.write("initramfs", &larger);
        let compressed = place.compress("gzip -c", "initramfs");
        place.write("boot/initrd.img-7.3", compressed);
        place.write("boot/vmlinuz-7.3", vec![0; 1_000_000]);
        place
    };
    for (size, is_converted) in [("20M", true), ("7M", false), ("5M", false)] {
        let place = system();
        let Some(said) = run_in_small_boot(&place, &format!("size={size}"), "") else {
            return;
        };
        assert_eq!(
            small_boot_is_converted(&place),
            is_converted,
            "{size}: {said}"
        );
        assert_eq!(place.path(KEPT).exists(), is_converted, "{size}");
        let words = "would leave too little room";
        assert_eq!(said.contains(words), !is_converted, "{size}: {said}");
        // Nothing else is left.
        let names = fs::read_dir(place.path("out"))
            .expect("a directory")
            .count();
        assert_eq!(names, 5, "{size}");
    }
    // A file system that cannot be written to, with an image that is there all the same.
    let place = system();
    let before = "mount -o remount,ro full;";
    let Some(said) = run_in_small_boot(&place, "size=20M", before) else {
        return;
    };
    assert!(
        said.contains("stays as it is: it cannot be replaced"),
        "{said}"
    );
    assert!(!small_boot_is_converted(&place) && !place.path(KEPT).exists());
}

/// The next update of another, larger kernel counts too.
#[test]
fn small_boot_keeps_room_for_a_second_kernel() {
    let noise = noise(3_000_000);
    let larger = newc(&[node("init", 0o100_755), file("noise", &noise)]);
    for (second, is_converted) in [(1_000_000, true), (12_000_000, false)] {
        let place = system();
        place.write("initramfs", &larger);
        let compressed = place.compress("gzip -c", "initramfs");
        place.write("boot/initrd.img-7.3", compressed);
        place.write("boot/initrd.img-6.12", vec![0; second]);
        let Some(said) = run_in_small_boot(&place, "size=20M", "") else {
            return;
        };
        assert_eq!(small_boot_is_converted(&place), is_converted, "{said}");
    }
}

/// Makes the programs that the hook calls count the steps, and the one whose turn is in `turn` kill the hook
/// with all that it has started. A copy is half done then, and other programs have not begun or are done.
fn deadly_programs(place: &Place) {
    let names = "cp mv rm mkdir rmdir sync cmp chmod chown initoverlayfs";
    for name in names.split(' ') {
        let text = format!(
            "#!/bin/sh\n\
             PATH=${{PATH#*/deadly:}}\n\
             step=$(($(cat \"$ROOT/step\") + 1))\n\
             echo $step > \"$ROOT/step\"\n\
             turn=$(cat \"$ROOT/turn\")\n\
             if [ $step = $turn ]; then\n\
             for last; do [ {name} != cp ] || from=${{to-}}; to=$last; done\n\
             [ {name} != cp ] || head -c 100 \"$from\" > \"$to\"\n\
             kill -9 0\n\
             fi\n\
             exec {name} \"$@\"\n"
        );
        program(place, &format!("deadly/{name}"), &text);
    }
}

/// Lets a hook find the programs in this directory first.
fn put_first(place: &Place, directory: &str, hook: &mut Command) {
    let path = hook.get_envs().find(|(name, _)| *name == "PATH");
    let path = path.and_then(|(_, value)| value).expect("a path");
    let path = [place.path(directory).as_os_str(), path].join(OsStr::new(":"));
    hook.env("PATH", path);
}

/// Killed at any step, the hook leaves an image that is whole, and the next run removes what is left.
#[test]
fn interrupted_conversion_leaves_a_whole_image() {
    let place = system();
    deadly_programs(&place);
    let content = vec![b'n'; 200_000];
    let original = newc(&[node("init", 0o100_755), file("text", &content)]);
    let mut kills = 0;
    loop {
        place.write("boot/initrd.img-7.3", &original);
        place.write("step", "0\n");
        place.write("turn", format!("{}\n", kills + 1));
        let mut hook = hook_command(&place, "kernel-postinst", &["7.3"]);
        put_first(&place, "deadly", &mut hook);
        hook.process_group(0);
        if hook.status().expect("a shell").success() {
            break;
        }
        kills += 1;
        let is_whole = place.read("boot/initrd.img-7.3") == original
            || is_converted(&place, "boot/initrd.img-7.3");
        assert!(is_whole, "at step {kills}");
        run(&place, "kernel-postinst", &["7.3"]);
        assert!(is_converted(&place, "boot/initrd.img-7.3"));
        assert_eq!(names(&place, "boot").len(), 4, "at step {kills}");
        assert_eq!(
            names(&place, "var/lib/initoverlayfs/7.3"),
            ["initrd.img-7.3.cpio"]
        );
        assert!(place.read(KEPT) == original, "at step {kills}");
    }
    // Fewer would mean that the programs in PATH are not those that the hook calls.
    assert!(kills > 10, "{kills}");
}

/// A FAT refuses links and owners, and perhaps modes.
#[test]
fn file_systems_without_links_owners_and_modes_do() {
    let place = system();
    for name in ["ln", "chown", "chmod", "setfattr"] {
        let text = "#!/bin/sh\necho not permitted >&2\nexit 1\n";
        program(&place, &format!("fat/{name}"), text);
    }
    let mut hook = hook_command(&place, "kernel-postinst", &["7.3"]);
    put_first(&place, "fat", &mut hook);
    let output = hook.output().expect("a shell");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("converted") && said.lines().count() == 1,
        "{said}"
    );
    assert!(is_converted(&place, "boot/initrd.img-7.3"));
}

#[test]
fn originals_of_earlier_hooks_move() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    run(&place, "kernel-postinst", &["7.3"]);
    // As they were left beside a converted image.
    fs::rename(place.path(KEPT), place.path("boot/initrd.img-7.3.cpio")).expect("a name");
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(place.read(KEPT) == original);
    assert!(!place.path("boot/initrd.img-7.3.cpio").exists());
    // Beside a new archive, it is that of an image which is gone, and so is what is kept.
    let new = newc(&[node("init", 0o100_755), file("new", b"")]);
    place.write("boot/initrd.img-7.3", &new);
    place.write("boot/initrd.img-7.3.cpio", "the original");
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(!place.path("boot/initrd.img-7.3.cpio").exists());
    assert!(place.read(KEPT) == new);
}

/// What is needed most when an image is damaged is its original.
#[test]
fn originals_stay_beside_what_is_damaged_or_cannot_be_looked_at() {
    let place = system();
    let original = place.read("boot/initrd.img-7.3");
    run(&place, "kernel-postinst", &["7.3"]);
    let image = place.read("boot/initrd.img-7.3");
    for damaged in [&image[..image.len() / 2], b"what is this"] {
        place.write("boot/initrd.img-7.3", damaged);
        // What an interrupted run for another kernel has left.
        place.write("boot/.initrd.img-0.initoverlayfs-new", "a part");
        run(&place, "kernel-postinst", &["7.3"]);
        assert!(place.read(KEPT) == original);
        assert!(place.read("boot/initrd.img-7.3") == damaged);
        assert!(!place.path("boot/.initrd.img-0.initoverlayfs-new").exists());
    }
}

#[test]
fn originals_go_when_their_image_is_gone() {
    let place = system();
    let kept = |name: &str| format!("var/lib/initoverlayfs/{name}");
    // update-initramfs -d of a kernel that stays, and two kernels of kernel-install.
    place.write("boot/config-6.1", "");
    place.write("lib/modules/6.11/modules.dep", "");
    let gone = [kept("6.1/initrd.img-6.1.cpio"), kept("6.10/initrd.cpio")];
    let stays = [kept("6.12/initrd.img-6.12.cpio"), kept("6.11/initrd.cpio")];
    for name in gone.iter().chain(&stays) {
        place.write(name, "the original");
    }
    run(&place, "kernel-postinst", &["7.3"]);
    assert!(!gone.iter().any(|name| place.path(name).exists()));
    assert!(stays.iter().all(|name| place.path(name).exists()));
}
