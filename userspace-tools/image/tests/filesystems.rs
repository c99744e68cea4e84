// SPDX-License-Identifier: GPL-2.0-only

//! Initrds with images of other filesystems than EROFS.

#[path = "../../core/tests/common/mod.rs"]
mod contents;

use contents::archive;
use contents::others::{Btrfs, Ext4, Squashfs};
use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_image::initrd::{self, InitrdError, Part};

#[test]
fn images_are_named_by_their_filesystem() {
    for (filesystem, image) in [
        (Filesystem::Btrfs, Btrfs::default().build()),
        (Filesystem::Squashfs, Squashfs::default().build()),
        (Filesystem::Ext4, Ext4::default().build()),
    ] {
        let early = archive("early", b"");
        let start = early.len();
        let mut buffer = [early, image].concat();
        let layers = initrd::read(&buffer).expect("an initrd");
        assert!(matches!(layers[1].part, Part::Image(found, _) if found == filesystem));
        let error = initrd::merge_layers(&buffer, &layers).expect_err("it cannot be read");
        let is_expected = match error {
            // There is nothing behind the superblock.
            InitrdError::Other(at, found, _) => (at, found) == (start, filesystem),
            _ => false,
        };
        assert!(is_expected, "{error}");
        assert!(error.to_string().contains(filesystem.name()), "{error}");

        buffer.pop();
        let error = initrd::read(&buffer).expect_err("it is truncated");
        assert!(
            matches!(error, InitrdError::Image(at, found, _) if (at, found) == (start, filesystem))
        );
    }
}
