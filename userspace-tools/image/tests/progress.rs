// SPDX-License-Identifier: GPL-2.0-only

//! Long work tells how far it is.

use std::sync::Mutex;

use initoverlayfs_image::mkfs::erofs::{Compression, Mkfs, Options};
use initoverlayfs_image::tree::{Inode, Kind, Tree};

#[test]
fn making_an_image_tells_how_much_is_compressed() {
    if std::fs::read_to_string("/proc/self/io").is_err() {
        eprintln!("skipped: this system does not count what programs read");
        return;
    }
    let mut state = 1_u32;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    let bytes: Vec<u8> = (0..10 << 20).flat_map(|_| noise()).collect();
    let len = bytes.len() as u64;
    let mut tree = Tree::new();
    let inode = Inode {
        kind: Kind::Regular(bytes.into()),
        ..Inode::directory(0o644)
    };
    tree.insert(b"noise", inode);
    let options = Options::default();
    assert_ne!(options.compression, Compression::None);
    let image = tempfile::NamedTempFile::new().expect("a file");
    let told = Mutex::new(Vec::new());
    let mkfs = Mkfs::find(options.compression).expect("mkfs.erofs");
    let watch = |done, total| told.lock().expect("no panic").push((done, total));
    mkfs.from_tree(&tree, image.path(), &options, &watch)
        .expect("an image");
    let told = told.into_inner().expect("no panic");
    // The work takes many looks, and some of them find it going on.
    assert!(
        told.iter().any(|(done, _)| (1..len).contains(done)),
        "{told:?}"
    );
    assert!(told.iter().all(|(_, total)| *total == len), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
}
