// SPDX-License-Identifier: GPL-2.0-only

//! Unified kernel images: the initrd is a section of a PE file.

mod common;

use std::process::Command;

use common::{ended, file, newc, node, Place};

/// The start of the first section. All sections start at multiples of it.
const ALIGNMENT: usize = 512;

/// Returns a PE file for x86_64 with these sections, as small as it can be.
fn pe(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = b"MZ".to_vec();
    // Where the PE header is.
    file.resize(60, 0);
    file.extend(64_u32.to_le_bytes());
    file.extend(b"PE\0\0");
    let count = u16::try_from(sections.len()).expect("few");
    // The machine, sections, time, symbols, and the size of the next header; an executable.
    file.extend([0x64, 0x86]);
    file.extend(count.to_le_bytes());
    file.extend([0; 12]);
    file.extend(240_u16.to_le_bytes());
    file.extend([0x22, 0]);
    // PE32+, with the alignment in memory and in the file, sizes, the subsystem, and 16 empty directories.
    let optional = file.len();
    file.extend([0x0b, 0x02]);
    file.resize(optional + 240, 0);
    let mut put = |at: usize, value: usize| {
        let value = u32::try_from(value).expect("it fits").to_le_bytes();
        file[optional + at..optional + at + 4].copy_from_slice(&value);
    };
    put(32, 4096);
    put(36, ALIGNMENT);
    put(56, 1 << 28);
    put(60, ALIGNMENT);
    put(68, 10);
    put(108, 16);
    let (mut at, mut address) = (ALIGNMENT, 4096);
    for (name, content) in sections {
        let mut header = name.as_bytes().to_vec();
        header.resize(8, 0);
        let stored = content.len().next_multiple_of(ALIGNMENT);
        for number in [content.len(), address, stored, at, 0, 0, 0, 0x4000_0040] {
            header.extend(u32::try_from(number).expect("it fits").to_le_bytes());
        }
        file.extend(header);
        at += stored;
        address += content.len().next_multiple_of(4096);
    }
    assert!(file.len() <= ALIGNMENT);
    for (_, content) in sections {
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(*content);
    }
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file
}

/// Returns an initramfs, the image made of it, and a unified kernel image with that.
fn usual() -> Place {
    let place = Place::new();
    place.write(
        "a",
        newc(&[node("init", 0o100_755), file("name", b"content")]),
    );
    place.succeed("convert a -o image --seal");
    let image = place.read("image");
    let sections: [(&str, &[u8]); 3] = [
        (".cmdline", b"quiet"),
        (".initrd", &image),
        (".linux", &[9; 3000]),
    ];
    place.write("uki.efi", pe(&sections));
    place
}

/// Checks that a command prints the same for an initrd and for the unified kernel image with it.
fn is_the_same(place: &Place, line: &str) {
    let initrd = place.run(&line.replace('@', "image"));
    let uki = place.run(&line.replace('@', "uki.efi"));
    assert_eq!((uki.status, &*uki.err), (0, &*initrd.err), "{line}");
    assert_eq!(
        uki.out,
        initrd.out.replace("image: ", "uki.efi: "),
        "{line}"
    );
}

#[test]
fn commands_look_into_the_section() {
    let place = usual();
    for line in [
        "inspect @",
        "inspect --json @",
        "check @",
        "ls -l @",
        "cat @ name",
        "diff @ image",
        "digest @",
        "digest --boot-parameter @",
    ] {
        is_the_same(&place, line);
    }
    let said = place.fail("convert uki.efi -o other");
    assert!(said.contains("converted already"), "{said}");
    place.write("classic.efi", pe(&[(".initrd", &place.read("a"))]));
    place.succeed("convert classic.efi -o other");
    assert_eq!(place.succeed("diff a other"), "");
}

#[test]
fn files_that_a_boot_has_read_are_listed() {
    let place = usual();
    // The kernel does not count the trailer in.
    place.succeed("convert a -o unsealed");
    let size = place.read("unsealed").len();
    place.write("debug/layers", format!("0 erofs {size} 0 1 1 1\n"));
    place.write("debug/touched", "0 0 1000\n");
    place.write("debug/phases", "");
    is_the_same(&place, "stats --debugfs debug --files @");
    let list = place.succeed("stats --debugfs debug --files uki.efi");
    assert_eq!(list, "/name\n");
}

#[test]
fn objcopy_adds_the_section_as_well() {
    let place = usual();
    place.write("stub.efi", pe(&[(".text", &[0xc3; 16])]));
    let mut objcopy = Command::new("objcopy");
    objcopy
        .args(["--add-section", ".initrd=image"])
        .args(["--set-section-flags", ".initrd=data,readonly"])
        .args(["--change-section-vma", ".initrd=0x30000"])
        .args(["stub.efi", "uki.efi"])
        .current_dir(place.path("."));
    let output = objcopy.output().expect("objcopy: install binutils");
    assert!(output.status.success(), "{}", ended(output).err);
    assert!(place.read("uki.efi").len() > place.read("image").len());
    is_the_same(&place, "inspect @");
    is_the_same(&place, "check @");
}

#[test]
fn what_is_no_unified_kernel_image_is_named() {
    let place = usual();
    let uki = place.read("uki.efi");
    let initrd = place.read("image");
    let twice: [(&str, &[u8]); 2] = [(".initrd", &initrd), (".initrd", &initrd)];
    for (name, bytes, words) in [
        (
            "kernel",
            pe(&[(".text", b"x")]),
            "without a section .initrd",
        ),
        (
            "similar",
            pe(&[(".initrd2", b"x")]),
            "without a section .initrd",
        ),
        ("profiles", pe(&twice), "it has 2 sections .initrd"),
        ("cut", uki[..2000].to_vec(), "it starts as a PE file"),
        ("short", uki[..100].to_vec(), "it starts as a PE file"),
        ("shorter", b"MZ".to_vec(), "it starts as a PE file"),
    ] {
        place.write(name, bytes);
        for command in ["inspect", "check", "ls", "digest"] {
            if (name, command) == ("profiles", "check") {
                continue;
            }
            let said = place.fail(&format!("{command} {name}"));
            assert!(
                said.contains(words) && said.contains(name),
                "{name}: {said}"
            );
        }
    }
    // A digest or a signature of its own would be wrong, and the file none that starts.
    for line in ["seal --force uki.efi", "sign --key k --cert c uki.efi"] {
        place.fail(line);
        assert!(place.read("uki.efi") == uki);
    }
    assert!(place.fail("seal uki.efi").contains("it is a PE file"));
}

#[test]
fn each_initrd_of_several_profiles_is_checked() {
    let place = usual();
    let (image, archive) = (place.read("image"), place.read("a"));
    let good: [(&str, &[u8]); 2] = [(".initrd", &image), (".initrd", &image)];
    place.write("uki.efi", pe(&good));
    let said = place.succeed("check uki.efi");
    let second = "uki.efi, section .initrd 2 of 2: boots in place\n";
    assert!(said.ends_with(second), "{said}");
    let bad: [(&str, &[u8]); 2] = [(".initrd", &image), (".initrd", &archive)];
    place.write("uki.efi", pe(&bad));
    let ended = place.run("check uki.efi");
    assert_eq!(ended.status, 1, "{}", ended.err);
    let second = "uki.efi, section .initrd 2 of 2: it holds no image";
    assert!(ended.out.contains(second), "{}", ended.out);
    let json = place.run("check --json uki.efi").out;
    assert!(
        json.contains("\"boots_in_place\": false") && json.contains(second),
        "{json}"
    );
}

#[test]
fn hostile_headers_are_errors() {
    let place = usual();
    let uki = place.read("uki.efi");
    // Each number of the headers as large as it can be: an error or the same initrd, and never a panic.
    for at in (60..ALIGNMENT).step_by(4) {
        let mut bytes = uki.clone();
        bytes[at..at + 4].fill(0xff);
        place.write("hostile", bytes);
        let ended = place.run("digest hostile");
        assert!(matches!(ended.status, 0 | 2), "{at}: {}", ended.err);
        assert!(!ended.err.contains("panicked"), "{at}: {}", ended.err);
    }
}
