// SPDX-License-Identifier: GPL-2.0-only

//! Images of btrfs and ext4 may state anything: reading them ends, and leads to nothing outside of the tree.

use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_image::mkfs::{btrfs, Format, Maker};
use initoverlayfs_image::other_images;
use initoverlayfs_image::tree::{Inode, Kind, Tree};

const NAME: &[u8] = b"a_name_of_some_length";
const OUTSIDE: &[u8] = b"../../../../tmp/evil_";

fn formats() -> [(Filesystem, Format); 2] {
    let options = btrfs::Options {
        compression: btrfs::Compression::None,
        level: None,
        subvolume: None,
        reserve: 0,
    };
    [
        (Filesystem::Btrfs, Format::Btrfs(options)),
        (Filesystem::Ext4, Format::Ext4),
    ]
}

/// Returns an image with directories, a large and a small file, and a link.
fn image(format: &Format) -> Vec<u8> {
    let mut tree = Tree::new();
    for path in [&b"d"[..], b"d/e"] {
        tree.insert(path, Inode::directory(0o755));
    }
    let of = |kind| Inode {
        kind,
        ..Inode::directory(0o644)
    };
    tree.insert(NAME, of(Kind::Regular(b"small".to_vec().into())));
    tree.insert(b"d/large", of(Kind::Regular(vec![b'l'; 100_000].into())));
    tree.insert(b"d/e/link", of(Kind::Symlink(b"../large".to_vec())));
    let file = tempfile::NamedTempFile::new().expect("a file");
    let maker = Maker::find(format).expect("tools");
    maker
        .from_tree(&tree, file.path(), format, &|_, _| {})
        .expect("an image");
    std::fs::read(file.path()).expect("an image")
}

/// Replaces bytes wherever they are.
fn replaced(image: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let mut count = 0;
    for at in 0..image.len() - old.len() {
        if image[at..].starts_with(old) {
            image[at..at + new.len()].copy_from_slice(new);
            count += 1;
        }
    }
    assert!(count > 0);
    image
}

#[test]
fn names_do_not_lead_out_of_the_tree() {
    for (filesystem, format) in formats() {
        let image = image(&format);
        other_images::read(filesystem, &image).expect("a sound image");
        for new in [OUTSIDE, b"/etc/shadow/and/more/", b"\0name"] {
            let error = other_images::read(filesystem, &replaced(&image, NAME, new));
            let error = error.expect_err("a bad name");
            // debugfs looks at checksums.
            let words = ["it is damaged: ", "debugfs failed: "];
            assert!(
                words
                    .iter()
                    .any(|words| error.to_string().starts_with(words)),
                "{error}"
            );
        }
    }
    assert!(!std::path::Path::new("/tmp/evil_").exists());
}

/// Seven levels of nodes, each of which lists the next one hundreds of times.
#[test]
fn trees_with_more_nodes_than_fit_end() {
    const HEADER: usize = 101;
    const COUNT: usize = 96;
    const LEVEL: usize = 100;
    const NODE: usize = 16384;
    const LEVELS: usize = 7;
    let [(filesystem, format), _] = formats();
    let mut image = image(&format);
    let superblock = 64 << 10;
    let field = |at: usize| u64::from_le_bytes(image[at..at + 8].try_into().expect("8 bytes"));
    // The root of the tree of roots. What is behind it in the same chunk is overwritten.
    let address = field(superblock + 0x50);
    let owner = 1_u64.to_le_bytes();
    let is_root = |at: &usize| field(at + 0x30) == address && image[at + 0x58..at + 0x60] == owner;
    let at = (0..image.len() - NODE)
        .step_by(4096)
        .find(is_root)
        .expect("the node");
    for level in 0..LEVELS {
        let node = at + level * NODE;
        image[node..node + NODE].fill(0);
        if level + 1 == LEVELS {
            break;
        }
        image[node + LEVEL] = 1;
        image[node + COUNT..node + COUNT + 4].copy_from_slice(&400_u32.to_le_bytes());
        let next = address + ((level + 1) * NODE) as u64;
        for pointer in 0..400 {
            let place = node + HEADER + pointer * 33 + 17;
            image[place..place + 8].copy_from_slice(&next.to_le_bytes());
        }
    }
    let error = other_images::read(filesystem, &image).expect_err("no end");
    assert!(error.to_string().contains("without end"), "{error}");
}

#[test]
fn changed_bytes_are_survived() {
    let mut random = fastrand::Rng::with_seed(1);
    for (filesystem, format) in formats() {
        let image = image(&format);
        // Where something is: most of an image is empty.
        let set: Vec<usize> = (0..image.len()).filter(|at| image[*at] != 0).collect();
        for _ in 0..60 {
            let mut changed = image.clone();
            for _ in 0..random.usize(1..6) {
                changed[set[random.usize(..set.len())]] = random.u8(..);
            }
            if let Ok(tree) = other_images::read(filesystem, &changed) {
                let is_inside =
                    |path: &[u8]| !path.split(|byte| *byte == b'/').any(|part| part == b"..");
                assert!(tree.iter().all(|(path, _)| is_inside(path)));
            }
        }
    }
}
