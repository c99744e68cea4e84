// SPDX-License-Identifier: GPL-2.0-only

//! The inodes and indexes of an EROFS image may state anything: counting its bytes ends soon, and the sum is that of
//! the image.

#[path = "common/erofs_images.rs"]
mod erofs_images;

use std::time::{Duration, Instant};

use erofs_images::{files, images};
use initoverlayfs_image::erofs::{extents, Sizes};
use tempfile::TempDir;

/// Changes to each image.
const ROUNDS: usize = 400;

/// More than any of them takes, on a slow machine.
const LONGEST: Duration = Duration::from_secs(20);

/// Returns whether the bytes of an image could be counted. Then they are all of them. The places of its files, if they
/// are found, lie inside.
fn is_counted(image: &[u8]) -> bool {
    let files = extents(image).unwrap_or_default();
    for place in files.iter().flat_map(|file| &file.extents) {
        assert!(place.start < place.end && place.end <= image.len() as u64);
    }
    let Ok(sizes) = Sizes::of(image) else {
        return false;
    };
    let stored: u64 = sizes.shares().map(|(_, share)| share.stored).sum();
    assert_eq!(stored + sizes.metadata, image.len() as u64);
    true
}

#[test]
fn changed_bytes_are_survived() {
    let place = TempDir::new().expect("a directory");
    files(&place.path().join("tree"));
    let mut random = fastrand::Rng::with_seed(1);
    let (mut counted, mut refused) = (0, 0);
    for (options, _, image) in images(place.path()) {
        // Metadata is at the start, and little of it is NUL.
        let is_set = |at: &usize| image[*at] != 0;
        let set: Vec<usize> = (1024..image.len().min(6 << 10)).filter(is_set).collect();
        for _ in 0..ROUNDS {
            let mut changed = image.clone();
            for _ in 0..random.usize(1..20) {
                let at = set[random.usize(..set.len())];
                changed[at] = match random.u8(..4) {
                    0 => 0xff,
                    1 => 1 << random.u8(..8),
                    2 => changed[at] ^ 1 << random.u8(..8),
                    _ => random.u8(..),
                };
            }
            let start = Instant::now();
            if is_counted(&changed) {
                counted += 1;
            } else {
                refused += 1;
            }
            assert!(start.elapsed() < LONGEST, "{options}");
        }
        for len in (0..image.len()).step_by(image.len() / 50) {
            is_counted(&image[..len]);
        }
    }
    // Both happen, or nothing was changed that counts.
    assert!(counted > ROUNDS && refused > ROUNDS, "{counted}, {refused}");
}
