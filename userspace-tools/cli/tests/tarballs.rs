// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs create` of tarballs as GNU tar and others write them.

mod common;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;

use common::Place;

/// Packs `root` of the place.
fn tar(place: &Place, options: &[&str]) -> Vec<u8> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--sort=name"]);
    tar.args(options).arg("--directory").arg(place.path("root"));
    let output = tar.arg(".").output().expect("tar");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options:?}: {complaints}");
    output.stdout
}

/// Returns a place with some files in `root`, packed as `a.tar`.
fn packed() -> (Place, Vec<u8>) {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    place.write("root/etc/a", "a".repeat(3000));
    let bytes = tar(&place, &[]);
    place.write("a.tar", &bytes);
    (place, bytes)
}

const FILES: &str = "/\n/etc\n/etc/a\n/init\n";

/// Makes an image of these bytes, and lists it.
fn listed(place: &Place, bytes: &[u8]) -> String {
    place.write("b.tar", bytes);
    place.succeed("create --force b.tar -o image");
    place.succeed("ls image")
}

/// Returns the message about these bytes, which no image is made of.
fn refused(place: &Place, bytes: &[u8]) -> String {
    place.write("b.tar", bytes);
    let _ = std::fs::remove_file(place.path("image"));
    let message = place.fail("create --force b.tar -o image");
    assert!(!place.path("image").exists(), "{message}");
    message
}

/// Returns a frame of zstd or lz4 that decoders pass over.
fn skippable(contents: &[u8]) -> Vec<u8> {
    let len = u32::try_from(contents.len()).expect("a length");
    [&[0x5a, 0x2a, 0x4d, 0x18], &len.to_le_bytes()[..], contents].concat()
}

/// Each entry compressed by itself, as eStargz and zstd:chunked do.
#[test]
fn compressed_parts_are_one_stream() {
    let (place, bytes) = packed();
    for program in [
        "gzip -c", "zstd -c", "xz -c", "bzip2 -c", "lz4 -c", "lz4 -lc",
    ] {
        let parts = bytes.chunks(1024).map(|part| {
            place.write("part", part);
            place.compress(program, "part")
        });
        let parts: Vec<Vec<u8>> = parts.collect();
        assert_eq!(listed(&place, &parts.concat()), FILES, "{program}");
        // As tapes and block devices pad them.
        let padded = [&parts.concat()[..], &[0; 1024]].concat();
        assert_eq!(listed(&place, &padded), FILES, "{program}");
        if program.starts_with("xz") {
            let parts = parts.iter().map(|part| [&part[..], &[0; 8]].concat());
            let parts: Vec<_> = parts.collect();
            assert_eq!(listed(&place, &parts.concat()), FILES, "padded streams");
        }
        if program.starts_with("zstd") {
            let parts: Vec<u8> = parts
                .iter()
                .flat_map(|p| [skippable(b"1234"), p.clone()].concat())
                .collect();
            assert_eq!(listed(&place, &[parts, skippable(b"")].concat()), FILES);
        }
        let cut = &parts.concat()[..parts.concat().len() - parts[parts.len() - 1].len() / 2];
        refused(&place, cut);
    }
}

#[test]
fn tarball_that_breaks_off_is_an_error() {
    let (place, bytes) = packed();
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("an entry")
        .next_multiple_of(512);
    for len in (512..=end).step_by(512).chain([100, 700, end - 1]) {
        let message = refused(&place, &bytes[..len]);
        let is_told = message.contains("breaks off") || message.contains("no tarball");
        assert!(is_told, "{len}: {message}");
    }
    // Blocks of NUL bytes end it, whatever stands behind them.
    assert_eq!(
        listed(&place, &[&bytes[..], b"behind the end"].concat()),
        FILES
    );
}

#[test]
fn all_formats_of_gnu_tar_keep_what_they_can() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    let target = "t/".repeat(20) + &"u".repeat(59);
    std::os::unix::fs::symlink(&target, place.path("root/link")).expect("a link");
    for format in ["v7", "oldgnu", "gnu", "ustar", "posix"] {
        let bytes = tar(
            &place,
            &[
                "--format",
                format,
                "--mtime=@1234567890",
                "--owner=5",
                "--group=6",
            ],
        );
        listed(&place, &bytes);
        let lines = place.succeed("ls -l image init") + &place.succeed("ls -l image link");
        let expected = format!(
            "-0755 1 5:6         10 1234567890.000000000 /init\n\
             l0777 1 5:6          - 1234567890.000000000 /link -> {target}\n"
        );
        assert_eq!(lines.replace("-0644", "-0755"), expected, "{format}");
    }
    // What older formats have no room for.
    let deep = format!("{}/{}", "d".repeat(150), "e".repeat(200));
    place.write(&format!("root/{deep}"), "deep");
    for format in ["oldgnu", "gnu", "posix"] {
        let bytes = tar(
            &place,
            &["--format", format, "--mtime=@-1.25", "--owner=3000000000"],
        );
        listed(&place, &bytes);
        let time = match format {
            "posix" => "-2.750000000",
            _ => "-2.000000000",
        };
        let line = place.succeed(&format!("ls -l image {deep}"));
        assert!(line.contains(" 3000000000:0 "), "{format}: {line}");
        assert!(line.contains(&format!(" {time} ")), "{format}: {line}");
        assert_eq!(
            place.succeed(&format!("cat image {deep}")),
            "deep",
            "{format}"
        );
    }
}

/// Each way to store a file with holes.
#[test]
fn sparse_files_are_whole_again() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    let file = File::create(place.path("root/sparse")).expect("a file");
    for at in [0, 1 << 20, 5 << 20, (9 << 20) + 4096] {
        file.write_all_at(&[7; 4096], at).expect("room");
    }
    file.set_len(10 << 20).expect("room");
    let contents = place.read("root/sparse");
    let blocks = file.metadata().expect("a file").blocks();
    for options in [
        &["--format=oldgnu"][..],
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let bytes = tar(&place, &[options, &["--sparse"]].concat());
        // Where the filesystem tells of no holes, there are none in the tarball.
        assert!(
            bytes.len() < 1 << 20 || blocks > 10_000,
            "{options:?}: {}",
            bytes.len()
        );
        assert_eq!(listed(&place, &bytes), "/\n/init\n/sparse\n", "{options:?}");
        assert!(
            place.succeed("cat image sparse").as_bytes() == contents,
            "{options:?}"
        );
    }
}

/// Returns an entry of ustar.
fn entry(name: &str, kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("a name");
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(contents.len() as u64);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    let mut bytes = [header.as_bytes(), contents].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// Returns a record of pax.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [key.as_bytes(), b"=", value, b"\n"].concat();
    // The length counts its own digits.
    let mut len = rest.len() + 2;
    while format!("{len} ").len() + rest.len() != len {
        len += 1;
    }
    [format!("{len} ").as_bytes(), &rest].concat()
}

/// Ends a tarball.
fn ended(entries: &[Vec<u8>]) -> Vec<u8> {
    [&entries.concat()[..], &[0; 1024]].concat()
}

#[test]
fn attributes_of_each_kind_are_kept() {
    let place = Place::new();
    let records = [
        record("SCHILY.xattr.user.star", b"a\0b"),
        record("LIBARCHIVE.xattr.user.per%25cent", b"AAECAw"),
        record("RHT.security.selinux", b"system_u:object_r:bin_t:s0"),
        record("mtime", b"-0.5"),
        record("atime", b"1"),
        record("SCHILY.dev", b"1"),
    ];
    let global = entry("g", b'g', &record("comment", b"made by hand"));
    let extended = entry("x", b'x', &records.concat());
    let file = entry("init", b'0', b"#!/bin/sh\n");
    assert_eq!(
        listed(&place, &ended(&[global, extended, file])),
        "/\n/init\n"
    );
    let line = place.succeed("ls -l image init");
    for words in [
        " -1.500000000 ",
        "user.star=a\\u{0}b",
        "user.per%cent=\\u{0}\\u{1}\\u{2}\\u{3}",
        "security.selinux=system_u:object_r:bin_t:s0\\u{0}",
    ] {
        assert!(line.contains(words), "no {words:?} in {line}");
    }
    // As others read them.
    place.succeed("extract image --tar out.tar");
    assert!(place
        .read("out.tar")
        .windows(15)
        .any(|part| part == b"mtime=-0.500000"));
    place.succeed("create out.tar -o again");
    assert_eq!(place.succeed("diff image again"), "");
}

#[test]
fn kinds_that_are_not_known_are_named() {
    let place = Place::new();
    let file = || entry("init", b'0', b"#!/bin/sh\n");
    for (bytes, words) in [
        (
            entry("part", b'M', b"rest"),
            "\"part\" at offset 0x0 is of a kind that is not supported",
        ),
        (
            entry("odd", b'Z', b""),
            "\"odd\" at offset 0x0 is of a kind that is not supported",
        ),
    ] {
        let message = refused(&place, &ended(&[bytes, file()]));
        assert!(message.contains(words), "{message}");
    }
    let acl = entry("x", b'x', &record("SCHILY.acl.access", b"user::rwx"));
    let message = refused(&place, &ended(&[acl, file()]));
    assert!(
        message.contains("\"init\"") && message.contains("SCHILY.acl.access"),
        "{message}"
    );
    // A label, a directory with its members, and one in the manner of the oldest tars.
    let entries = [
        entry("volume", b'V', b""),
        entry("listed", b'D', b"Yfile\0\0"),
        entry("old/", b'0', b""),
        entry("contiguous", b'7', b"text"),
        file(),
    ];
    assert_eq!(
        listed(&place, &ended(&entries)),
        "/\n/contiguous\n/init\n/listed\n/old\n"
    );
    for (bytes, name) in [(&b"\x1f\x9d\x90"[..], "compress"), (b"LZIP\x01", "lzip")] {
        let message = refused(&place, &bytes.repeat(300));
        assert!(
            message.contains(&format!("compressed by {name}")),
            "{message}"
        );
    }
}

/// Returns an entry of ustar that links to `target`.
fn link(name: &str, kind: u8, target: &str) -> Vec<u8> {
    let bytes = entry(name, kind, b"");
    let mut header = tar::Header::from_byte_slice(&bytes).clone();
    header.set_link_name(target).expect("a target");
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Another layer has files below `lib`, which links to `usr/lib`.
#[test]
fn links_to_directories_are_followed_on_the_way() {
    let place = Place::new();
    let below = [
        entry("usr/lib/", b'5', b""),
        entry("usr/lib/old", b'0', b"old"),
        entry("usr/share/", b'5', b""),
        entry("usr/share/old", b'0', b"old"),
        link("lib", b'2', "usr/lib"),
        link("share", b'2', "/usr/share"),
        link("dangling", b'2', "nowhere"),
        entry("init", b'0', b"#!/bin/sh\n"),
    ];
    let above = [
        entry("lib/new", b'0', b"new"),
        entry("lib/.wh.old", b'0', b""),
        link("lib/hard", b'1', "lib/new"),
        entry("share/.wh..wh..opq", b'0', b""),
        entry("share/new", b'0', b"new"),
        entry("dangling/new", b'0', b"new"),
        entry("nowhere/.wh.old", b'0', b""),
    ];
    place.write("below.tar", ended(&below));
    place.write("above.tar", ended(&above));
    place.succeed("create below.tar above.tar -o image");
    assert_eq!(
        place.succeed("ls image"),
        "/\n/dangling\n/dangling/new\n/init\n/lib\n/share\n/usr\n/usr/lib\n/usr/lib/hard\n/usr/lib/new\n\
         /usr/share\n/usr/share/new\n"
    );
}

/// Few bytes that state much are refused at once.
#[test]
fn sizes_and_names_without_bound_are_refused() {
    let place = Place::new();
    let deep = "d/".repeat(100_000);
    let named = entry("x", b'x', &record("path", deep.as_bytes()));
    let message = refused(&place, &ended(&[named, entry("f", b'0', b"")]));
    assert!(message.contains("its name has 200000 bytes") && message.len() < 500);
    let header = entry("hole", b'S', b"");
    let mut header = tar::Header::from_byte_slice(&header).clone();
    header.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    let gnu = header.as_gnu_mut().expect("a header of GNU tar");
    gnu.set_real_size(1 << 45);
    gnu.sparse[0].set_offset(1 << 45);
    gnu.sparse[0].set_length(0);
    header.set_cksum();
    let records = [
        record("GNU.sparse.major", b"0"),
        record("GNU.sparse.size", b"35184372088832"),
        record("GNU.sparse.map", b"0,0"),
    ];
    let pax = [
        entry("x", b'x', &records.concat()),
        entry("hole", b'0', b""),
    ]
    .concat();
    for hole in [header.as_bytes().to_vec(), pax] {
        let message = refused(&place, &ended(&[hole]));
        assert!(message.contains("larger than 64 GiB"), "{message}");
    }
    // Each whiteout looks at what it takes away only: this is no matter of minutes.
    let many = |prefix: &str| -> Vec<_> {
        let names = (0..20_000).map(|n| entry(&format!("{prefix}{n}"), b'0', b""));
        names.collect()
    };
    place.write("below.tar", ended(&many("")));
    let above = [many(".wh."), vec![entry("init", b'0', b"#!/bin/sh\n")]].concat();
    place.write("above.tar", ended(&above));
    place.succeed("create below.tar above.tar -o image");
    assert_eq!(place.succeed("ls image"), "/\n/init\n");
}
