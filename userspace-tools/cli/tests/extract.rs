// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs extract`: files come out as they went in.

mod common;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use common::{file, newc, node, Entry, Place};

#[test]
fn files_come_out_again() {
    let place = Place::new();
    let entries = [
        Entry {
            mtime: 77,
            ..node("dir", 0o040_750)
        },
        Entry {
            links: (7, 2),
            mode: 0o104_711,
            ..file("dir/a", b"")
        },
        Entry {
            links: (7, 2),
            mode: 0o104_711,
            ..file("dir/b", b"shared")
        },
        Entry {
            content: b"dir/a",
            ..node("link", 0o120_777)
        },
    ];
    place.write("a", newc(&entries));
    place.succeed("convert a -o image");
    place.succeed("extract image -C out");
    let of = |name: &str| fs::symlink_metadata(place.path("out").join(name)).expect(name);
    assert_eq!((of("dir").mode(), of("dir").mtime()), (0o040_750, 77));
    assert_eq!(of("dir/a").ino(), of("dir/b").ino());
    assert_eq!(of("dir/a").mode(), 0o104_711);
    assert_eq!(
        fs::read_link(place.path("out/link")).expect("a link"),
        Path::new("dir/a")
    );
    assert!(place.fail("extract image -C out").contains("is not empty"));
    // As unmkinitramfs is called.
    place.succeed("extract image other");
    assert_eq!(survey(&place.path("out")), survey(&place.path("other")));
    assert!(place.fail("extract image").contains("required"));
    assert!(place
        .fail("extract image one -C two")
        .contains("cannot be used with"));

    place.succeed("extract image --tar out.tar");
    place.succeed("create out.tar -o again");
    assert_eq!(place.succeed("diff image again"), "");
}

/// Returns a line for each name below a directory: type, mode, owner, links, size, time, content.
fn survey(directory: &Path) -> Vec<String> {
    fn visit(root: &Path, path: &Path, lines: &mut Vec<String>) {
        let found = fs::symlink_metadata(path).expect("metadata");
        let content = match found.file_type() {
            kind if kind.is_file() => {
                let content = fs::read(path).expect("a file");
                let mut hasher = DefaultHasher::new();
                content.hash(&mut hasher);
                format!("{} {:x}", content.len(), hasher.finish())
            }
            kind if kind.is_symlink() => format!("{:?}", fs::read_link(path).expect("a link")),
            _ => String::new(),
        };
        lines.push(format!(
            "{} {:o} {}:{} {} {} {content}",
            path.strip_prefix(root).expect("below").display(),
            found.mode(),
            found.uid(),
            found.gid(),
            if found.is_dir() { 0 } else { found.nlink() },
            // cpio sets a directory's time before it fills it.
            if found.is_symlink() || found.is_dir() {
                0
            } else {
                found.mtime()
            },
        ));
        if found.is_dir() {
            for entry in fs::read_dir(path).expect("a directory") {
                visit(root, &entry.expect("an entry").path(), lines);
            }
        }
    }
    let mut lines = Vec::new();
    visit(directory, directory, &mut lines);
    lines.sort();
    lines
}

#[test]
fn extracted_image_equals_what_cpio_unpacks() {
    let place = Place::new();
    let mut entries = vec![
        Entry {
            mtime: 77,
            ..node(".", 0o040_755)
        },
        Entry {
            mtime: 78,
            ..node("dir", 0o041_770)
        },
        Entry {
            mtime: 1,
            mode: 0o100_400,
            ..file("dir/secret", &[9; 70_000])
        },
        Entry {
            links: (7, 2),
            mode: 0o100_711,
            ..file("dir/a", b"")
        },
        Entry {
            links: (7, 2),
            mode: 0o100_711,
            ..file("dir/b", b"shared")
        },
        Entry {
            content: b"../nowhere",
            ..node("dir/link", 0o120_777)
        },
        node("pipe", 0o010_640),
        file("empty", b""),
    ];
    let is_root = fs::metadata("/proc/self").expect("it is mounted").uid() == 0;
    if is_root {
        entries.push(Entry {
            device: (5, 1),
            ..node("console", 0o020_600)
        });
        entries.push(Entry {
            owner: (1234, 5678),
            mode: 0o104_755,
            ..file("suid", b"x")
        });
    }
    place.write("a", newc(&entries));
    place.succeed("convert a -o image");
    place.succeed("extract image -C ours");
    fs::create_dir(place.path("theirs")).expect("a directory");
    let mut cpio = Command::new("cpio");
    cpio.args(["-idm", "--quiet"])
        .current_dir(place.path("theirs"));
    cpio.stdin(fs::File::open(place.path("a")).expect("it is there"));
    assert!(cpio.status().expect("cpio").success());
    let (ours, theirs) = (survey(&place.path("ours")), survey(&place.path("theirs")));
    assert_eq!(ours.len(), entries.len());
    assert_eq!(ours.join("\n"), theirs.join("\n"));
}
