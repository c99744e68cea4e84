// SPDX-License-Identifier: GPL-2.0-only

//! The places of files in an EROFS image are those that `dump.erofs` lists, whatever `mkfs.erofs` was asked for.

#[path = "common/erofs_images.rs"]
mod erofs_images;

use erofs_images::{dumped, files, image, images};
use initoverlayfs_image::erofs::{extents, Sizes};
use tempfile::TempDir;

#[test]
fn places_are_those_of_the_second_opinion() {
    let place = TempDir::new().expect("a directory");
    let files = files(&place.path().join("tree"));
    let mut compared = 0;
    for (options, _, image) in images(place.path()) {
        let block = if options.contains("-b2048") {
            2048
        } else {
            4096
        };
        let found = extents(&image).unwrap_or_else(|error| panic!("{options}: {error}"));
        let names = found.iter().map(|file| file.paths.len()).sum::<usize>();
        // One file has a second name.
        assert_eq!(names, files.len() + 1, "{options}");
        for file in found {
            for path in &file.paths {
                let path = String::from_utf8_lossy(path);
                let mut dumped = dumped(&place.path().join("image"), &path);
                // Of a fragment, it shows nothing, or a place of no length; of a hole, one at the start or beyond the end.
                dumped.retain(|place| !place.is_empty() && place.start > 0);
                dumped.retain(|place| place.end <= image.len() as u64);
                let mut own = file.extents.clone();
                if options.contains("fragments") {
                    assert!(own.len() >= dumped.len(), "{options}: {path}");
                    own.truncate(dumped.len());
                }
                // What is stored as it is may end in the middle of a block, all of which some versions count.
                for place in own.iter_mut().chain(&mut dumped) {
                    if place.start % block == 0 {
                        place.end = place.end.next_multiple_of(block);
                    }
                }
                assert_eq!(own, dumped, "{options}: {path}");
                compared += 1;
            }
            let is_empty = file.paths == [b"empty".to_vec()];
            assert_eq!(
                file.extents.is_empty(),
                is_empty,
                "{options}: {:?}",
                file.paths
            );
        }
    }
    assert!(compared >= 200, "{compared} files");
}

/// `erofs_read_inode()` takes a plain inode at an address of ones alone for a hole.
#[test]
fn address_of_ones_is_a_hole() {
    const LEN: u64 = 70_001;
    let place = TempDir::new().expect("a directory");
    files(&place.path().join("tree"));
    let mut image = image(place.path(), "-Enoinline_data").expect("an image");
    let is_it =
        |inode: &[u8]| inode[4..6] == [0xa4, 0x81] && inode[8..12] == (LEN as u32).to_le_bytes();
    let inode = image.chunks(32).position(is_it).expect("the inode") * 32;
    let is_extended = image[inode] & 1 != 0;
    image[inode + 16..inode + 20].fill(0xff);
    if is_extended {
        image[inode + 6..inode + 8].fill(0xff);
    }
    let name = format!("d/{LEN}").into_bytes();
    let found = extents(&image).expect("places");
    let file = found.iter().find(|file| file.paths == [name.clone()]);
    assert_eq!(file.expect("the file").extents, []);
    let sizes = Sizes::of(&image).expect("sizes");
    let file = sizes.files.iter().find(|file| file.path == name);
    let file = file.expect("the file");
    assert_eq!((file.contents.total(), file.stored.total()), (LEN, 0));
}
