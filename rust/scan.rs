// SPDX-License-Identifier: GPL-2.0-only

//! Scans the initrd for the claim, and formats the message about a broken one.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    initrd::{
        self,
        filesystem::{
            Checksums,
            Filesystem,
            Filesystems, //
        },
        Damage,
        Kind,
        ScanError,
        Scanner,
        Segment, //
    },
    report::failure::title,
    sys::digest, //
};

/// The most segments that an initrd may have. Overlayfs would take more. A boot stub makes about
/// ten.
const MAX_SEGMENTS: usize = 64;

/// The filesystems that this kernel can mount an image of.
const MOUNTABLE: Filesystems = {
    let mut all = Filesystems::NONE.with(Filesystem::Erofs);
    if cfg!(all(CONFIG_INITOVERLAYFS_BLOCK, CONFIG_BTRFS_FS = "y")) {
        all = all.with(Filesystem::Btrfs);
    }
    if cfg!(all(CONFIG_INITOVERLAYFS_BLOCK, CONFIG_SQUASHFS = "y")) {
        all = all.with(Filesystem::Squashfs);
    }
    if cfg!(all(CONFIG_INITOVERLAYFS_BLOCK, CONFIG_EXT4_FS = "y")) {
        all = all.with(Filesystem::Ext4);
    }
    all
};

/// The kernel's own checksums.
pub(crate) const CHECKSUMS: Checksums = Checksums {
    crc32c: digest::crc32c,
    xxh64: digest::xxh64,
    sha256: digest::sha256,
    blake2b: digest::blake2b,
};

/// Lists the segments of the initrd: images of the `wanted` filesystems, as far as this kernel can
/// mount them, and archives.
///
/// Without an image, a damaged archive makes the list empty: the kernel's unpacker deals with it.
///
/// # Errors
///
/// [`ScanProblem::Memory`]. The others only if there is an image.
pub(crate) fn scan(initrd: &[u8], wanted: Filesystems) -> Result<KVec<Segment>, ScanProblem> {
    let mut segments = KVec::new();
    let mut any_image = false;
    let mut left_out = false;
    let mut unknown = None;
    let kinds = wanted.intersection(MOUNTABLE);
    for segment in Scanner::new(initrd, &CHECKSUMS, kinds) {
        let segment = match segment {
            Ok(segment) => segment,
            // Archives alone are none of our business, however broken they are.
            Err(ScanError {
                cause: Damage::Cpio { at },
                ..
            }) if !any_image && !is_image_behind(initrd, at, kinds) => return Ok(KVec::new()),
            Err(error) => return Err(ScanProblem::Segment(error)),
        };
        if segment.kind == Kind::Unknown {
            unknown = Some(segment.range);
            continue;
        }
        any_image |= segment.kind.is_image();
        left_out |= segments.len() == MAX_SEGMENTS;
        if !left_out {
            segments
                .push(segment, GFP_KERNEL)
                .map_err(|_| ScanProblem::Memory)?;
        }
    }
    // Archives alone are none of our business, however many there are.
    if any_image && left_out {
        return Err(ScanProblem::TooMany);
    }
    if let (true, Some(range)) = (any_image, unknown) {
        pr_warn!(
            "{} bytes at offset {:#x} of the initrd are neither an image nor cpio: ignored\n",
            range.len(),
            range.start
        );
    }
    Ok(segments)
}

/// Returns whether there is an image somewhere from `offset` on.
fn is_image_behind(initrd: &[u8], offset: usize, kinds: Filesystems) -> bool {
    let behind = initrd.get(offset..).unwrap_or(&[]);
    initrd::find(behind, &CHECKSUMS, kinds).is_some()
}

/// A reason why an initrd cannot be used.
pub(crate) enum ScanProblem {
    /// One of its segments is broken.
    Segment(ScanError),
    /// More segments than [`MAX_SEGMENTS`].
    TooMany,
    /// There is no memory for the list.
    Memory,
}

impl ScanProblem {
    /// Returns whether the initrd has a damaged archive. The kernel's decompressors do not check
    /// all that they read, so they must not see it.
    pub(crate) fn is_damaged_archive(&self) -> bool {
        matches!(
            self,
            Self::Segment(ScanError {
                cause: Damage::Cpio { .. },
                ..
            })
        )
    }
}

impl fmt::Display for ScanProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanError { offset, cause } = match self {
            Self::Segment(error) => error,
            Self::TooMany => return write!(f, "the initrd has more than {MAX_SEGMENTS} segments"),
            Self::Memory => return f.write_str("there is no memory for the list of segments"),
        };
        match cause {
            Damage::Image(filesystem, error) => {
                let title = title(*filesystem);
                write!(
                    f,
                    "the {title} image at offset {offset:#x} of the initrd {error}"
                )
            }
            Damage::Seal(error) => {
                write!(
                    f,
                    "the trailer of the image at offset {offset:#x} of the initrd {error}"
                )
            }
            Damage::Cpio { at } => write!(
                f,
                "the cpio archive at offset {offset:#x} of the initrd breaks off at {at:#x}"
            ),
        }
    }
}
