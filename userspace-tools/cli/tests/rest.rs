// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: what stands beside the archives that make the root, and in front of it.

mod common;

use std::process::Command;

use common::{file, kernel_source, newc, node, Entry, Place};

/// Returns the archive of an init.
fn init() -> Vec<u8> {
    newc(&[Entry {
        mode: 0o100_755,
        ..file("init", b"#!/bin/sh\n")
    }])
}

/// Bytes of an archive, up to a multiple of 512.
fn padded(mut archive: Vec<u8>) -> Vec<u8> {
    archive.resize(archive.len().next_multiple_of(512), 0);
    archive
}

/// The kernel's own search for early files, made a program.
struct EarlySearch(Place);

impl EarlySearch {
    /// Compiles it.
    fn new() -> Self {
        let place = Place::new();
        let source = kernel_source().join("lib/earlycpio.c");
        for name in ["earlycpio", "kernel", "string"] {
            place.write(&format!("linux/{name}.h"), "");
        }
        place.write(
            "search.c",
            format!(
                r#"
                #include <stdint.h>
                #include <stdio.h>
                #include <stdlib.h>
                #include <string.h>
                #define MAX_CPIO_FILE_NAME 18
                #define PTR_ALIGN(p, a) ((void *)(((uintptr_t)(p) + (a) - 1) & ~(uintptr_t)((a) - 1)))
                #define pr_warn(...) ((void)0)
                #define strscpy(to, from, size) snprintf(to, size, "%s", from)
                struct cpio_data {{ void *data; size_t size; char name[MAX_CPIO_FILE_NAME]; }};
                #include "{}"
                int main(int argc, char **argv)
                {{
                    char *bytes = aligned_alloc(4096, 1 << 20), *at = bytes;
                    FILE *file = fopen(argv[1], "r");
                    long left = fread(bytes, 1, 1 << 20, file), next = 0;
                    for (;;) {{
                        struct cpio_data found = find_cpio_data(argv[2], at, left, &next);
                        if (!found.data)
                            return 0;
                        printf("%s %zu %d %.8s\n", found.name, found.size,
                               (int)((uintptr_t)found.data % 16), (char *)found.data);
                        at += next;
                        left -= next;
                    }}
                }}
                "#,
                source.display()
            ),
        );
        let mut compiler = Command::new("gcc");
        compiler.args(["-w", "-o", "search", "-I.", "search.c"]);
        let output = compiler.current_dir(place.path(".")).output().expect("gcc");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaints}");
        Self(place)
    }

    /// Returns a line for each file that the early boot would find: name, size, alignment, first bytes.
    fn find(&self, initrd: &[u8]) -> String {
        self.0.write("initrd", initrd);
        let found = ["kernel/x86/microcode/", "kernel/firmware/acpi/"].map(|path| {
            let mut search = Command::new(self.0.path("search"));
            let output = search.arg(self.0.path("initrd")).arg(path).output();
            String::from_utf8(output.expect("the search").stdout).expect("text")
        });
        found.concat()
    }
}

/// Directories and files for the early boot.
fn early() -> Vec<Entry<'static>> {
    vec![
        node("kernel", 0o040_755),
        node("kernel/x86", 0o040_755),
        node("kernel/x86/microcode", 0o040_755),
        file(
            "kernel/x86/microcode/GenuineIntel.bin",
            b"Intel's microcode",
        ),
        file("kernel/x86/microcode/AuthenticAMD.bin", b"AMD's microcode"),
        node("kernel/firmware", 0o040_755),
        node("kernel/firmware/acpi", 0o040_755),
        file("kernel/firmware/acpi/ssdt1.aml", b"SSDT one"),
        file("kernel/firmware/acpi/ssdt2.aml", b"SSDT two"),
    ]
}

/// Other files stand beside the early ones in their archives.
#[test]
fn early_files_are_found_in_the_result_as_in_the_original() {
    let search = EarlySearch::new();
    let place = Place::new();
    let others = [
        node("etc", 0o040_755),
        file("README", b"text"),
        file("etc/module.ko.xz", &[7; 5000]),
    ];
    let alone = padded(newc(&early()));
    let mixed = padded(newc(&[&others[..], &early()].concat()));
    let odd = padded(newc(&[&others[1..2], &early(), &others[..1]].concat()));
    place.write("main", init());
    let compressed = place.compress("gzip -c", "main");
    for (case, initramfs, has_others) in [
        ("alone", [&alone[..], &compressed].concat(), false),
        ("mixed", [&mixed[..], &compressed].concat(), true),
        (
            "in the second",
            [&padded(newc(&others))[..], &alone, &compressed].concat(),
            true,
        ),
        (
            "alone and mixed",
            [&alone[..], &odd, &compressed].concat(),
            false,
        ),
        ("all plain", [&odd[..], &init()].concat(), false),
        (
            "in one with init",
            padded(
                [newc(
                    &[&early()[..], &[file("init", b"#!/bin/sh\n")]].concat(),
                )]
                .concat(),
            ),
            false,
        ),
        // The early boot stops at what is compressed.
        (
            "behind",
            [&compressed[..], &[0; 1024], &mixed].concat(),
            true,
        ),
    ] {
        place.write("a", &initramfs);
        place.succeed("convert --force a -o image");
        let (before, after) = (search.find(&initramfs), search.find(&place.read("image")));
        assert_eq!(after, before, "{case}");
        assert_eq!(before.is_empty(), case == "behind", "{case}");
        let files = place.succeed("ls image");
        for name in ["/init", "/kernel/x86/microcode/GenuineIntel.bin"] {
            assert!(files.lines().any(|line| line == name), "{case}: {files}");
        }
        assert_eq!(
            files.contains("/etc/module.ko.xz"),
            has_others,
            "{case}: {files}"
        );
        let text = place.succeed("cat image kernel/firmware/acpi/ssdt2.aml");
        assert_eq!(text, "SSDT two", "{case}");
    }
}

/// What the kernel's unpacker stops at, keeping what came before.
#[test]
fn bytes_behind_the_archives_are_left_out_and_named() {
    let place = Place::new();
    place.write("plain", padded(init()));
    let plain = place.read("plain");
    for program in ["cat", "gzip -c", "zstd -c", "xz -c --check=crc32"] {
        let archive = place.compress(program, "plain");
        place.write("a", [&archive[..], b"SIGNATURE"].concat());
        let said = place.run("convert --force a -o image").err;
        let words = format!(
            "left out, as the kernel would, with all that follows: the bytes at offset {:#x}",
            archive.len()
        );
        assert!(said.contains(&words), "{program}: {said}");
        assert_eq!(place.succeed("ls image"), "/\n/init\n");
    }
    // A plain archive is looked for at multiples of 4 only.
    let second = newc(&[file("second", b"")]);
    place.write("a", [&plain[..], &[0; 2], &second].concat());
    let said = place.run("convert --force a -o image").err;
    assert!(said.contains("no multiple of 4"), "{said}");
    assert_eq!(place.succeed("ls image"), "/\n/init\n");
    // Nothing at all is left to take.
    place.write("a", b"SIGNATURE");
    assert!(place
        .fail("convert --force a -o image")
        .contains("offset 0x0"));
}

/// Returns a bootconfig, as the kernel's `tools/bootconfig` adds it.
fn bootconfig(text: &[u8]) -> Vec<u8> {
    let sum: u32 = text.iter().map(|byte| u32::from(*byte)).sum();
    let size = u32::try_from(text.len()).expect("a short text");
    [
        text,
        &size.to_le_bytes(),
        &sum.to_le_bytes(),
        b"#BOOTCONFIG\n",
    ]
    .concat()
}

#[test]
fn a_bootconfig_stays_at_the_end() {
    let place = Place::new();
    place.write("main", init());
    let compressed = place.compress("gzip -c", "main");
    let config = bootconfig(b"kernel.quiet\n\0\0\0");
    for padding in [0, 3] {
        place.write("a", [&compressed[..], &config, &vec![0; padding]].concat());
        let said = place.run("convert --force a -o image").err;
        assert!(said.contains("bootconfig kept at the end"), "{said}");
        let image = place.read("image");
        assert!(image.ends_with(&config) || image.ends_with(&[&config[..], &[0; 3]].concat()));
        assert_eq!(image.len() % 4, 0);
        assert!(place.succeed("inspect image").contains("\nbootconfig  0x"));
        assert!(place
            .succeed("inspect --json image")
            .contains("\"bootconfig\": {"));
        assert_eq!(place.succeed("ls image"), "/\n/init\n");
        place.succeed("check image");
        let options = ["INITOVERLAYFS", "OVERLAY_FS", "EROFS_FS", "EROFS_FS_ZIP"];
        let options = options
            .map(|option| format!("CONFIG_{option}=y\n"))
            .concat();
        place.write("config", &options);
        let ended = place.run("check image --kernel-config config");
        assert!(
            ended.out.contains("no CONFIG_BOOT_CONFIG=y"),
            "{}",
            ended.out
        );
        place.write("config", options + "CONFIG_BOOT_CONFIG=y\n");
        place.succeed("check image --kernel-config config");
    }
    // With another sum it is none.
    let mut wrong = config;
    wrong[0] ^= 1;
    place.write("a", [&compressed[..], &wrong].concat());
    let said = place.run("convert --force a -o image").err;
    assert!(said.contains("left out, as the kernel would"), "{said}");
}
