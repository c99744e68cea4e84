// SPDX-License-Identifier: GPL-2.0-only

//! The parts of the size of an EROFS image, as `dump.erofs` sees it, whatever `mkfs.erofs` was asked for.

#[path = "common/erofs_images.rs"]
mod erofs_images;

use erofs_images::{dumped, files, images};
use initoverlayfs_image::erofs::{Sizes, Storage};
use tempfile::TempDir;

const BLOCK: u64 = 4096;

#[test]
fn sums_are_those_of_the_image() {
    let place = TempDir::new().expect("a directory");
    let files = files(&place.path().join("tree"));
    let mut made = 0;
    for (options, is_shared, image) in images(place.path()) {
        made += 1;
        let sizes = Sizes::of(&image).unwrap_or_else(|error| panic!("{options}: {error}"));
        let shares: Vec<_> = sizes.shares().collect();
        let stored: u64 = shares.iter().map(|(_, share)| share.stored).sum();
        assert_eq!(stored + sizes.metadata, image.len() as u64, "{options}");
        let contents: u64 = shares.iter().map(|(_, share)| share.contents).sum();
        assert_eq!(contents, files.values().sum::<u64>(), "{options}");
        for file in &sizes.files {
            let path = String::from_utf8_lossy(&file.path);
            let len = files.get(&*path).or_else(|| files.get("half"));
            assert_eq!(Some(&file.contents.total()), len, "{options}: {path}");
            if !is_shared {
                let dumped = dumped(&place.path().join("image"), &path);
                let dumped: u64 = dumped.iter().map(|place| place.end - place.start).sum();
                let stored = file.stored.total();
                // dump.erofs counts the bytes of an uncompressed file, and not those of its last block.
                let is_close = if file.stored.of(Storage::Uncompressed) > 0 {
                    (dumped..dumped + BLOCK).contains(&stored)
                } else {
                    stored == dumped
                };
                assert!(is_close, "{options}: {path}: {stored} and not {dumped}");
            }
        }
        // The empty one takes nothing, and the second name is none.
        assert_eq!(sizes.files.len(), files.len() - 1, "{options}");
        // A method that takes bytes of the image holds some of files, and no more than whole blocks of them.
        for (storage, share) in &shares {
            let blocks = share.contents + share.files * BLOCK;
            assert!(
                share.contents > 0 && share.stored <= blocks,
                "{options}: {storage:?} {share:?}"
            );
        }
    }
    assert!(made >= 10, "{made} images");
}
