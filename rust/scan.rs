// SPDX-License-Identifier: GPL-2.0-only

//! What the initrd is made of, as far as the claim wants to know, and what to say if that is not
//! clear.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    bindings,
    initrd::{
        erofs::{
            self,
            SuperblockError, //
        },
        Damage,
        Kind,
        ScanError,
        Scanner,
        Segment, //
    },
    policy,
    region::Initrd, //
};

/// How many segments an initrd may have; overlayfs would take more, a boot stub makes about ten.
const MAX_SEGMENTS: usize = 64;

/// The kernel's CRC-32C, in the form that [`initrd`] wants.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length.
    unsafe { bindings::crc32c(seed, bytes.as_ptr().cast(), bytes.len()) }
}

/// Lists the segments of the initrd: images and archives.
///
/// Archives alone are listed as far as they make sense.
///
/// # Errors
///
/// Each [`ScanProblem`], if there is an image as well.
pub(crate) fn scan(initrd: &Initrd) -> Result<KVec<Segment>, ScanProblem> {
    let mut segments = KVec::new();
    let mut any_image = false;
    let mut left_out = false;
    let mut unknown = None;
    for segment in Scanner::new(initrd.bytes(), crc32c) {
        let segment = match segment {
            Ok(segment) => segment,
            // Archives alone are none of our business, however broken they are.
            Err(ScanError {
                cause: Damage::Cpio { at },
                ..
            }) if !any_image && !is_image_behind(initrd, at) => return Ok(KVec::new()),
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
            "{} bytes at offset {:#x} of the initrd are neither EROFS nor cpio: ignored\n",
            range.len(),
            range.start
        );
    }
    Ok(segments)
}

/// Whether there is an image somewhere from `offset` on.
fn is_image_behind(initrd: &Initrd, offset: usize) -> bool {
    let behind = initrd.bytes().get(offset..).unwrap_or(&[]);
    erofs::find(behind, crc32c).is_some()
}

/// Why an initrd cannot be used.
pub(crate) enum ScanProblem {
    /// One of its segments is broken.
    Segment(ScanError),
    /// It has more segments than [`MAX_SEGMENTS`].
    TooMany,
    /// There is no memory for the list.
    Memory,
}

impl ScanProblem {
    /// Whether the kernel's own unpacker had better not see the initrd either: its decompressors
    /// believe some of what they read.
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
        let superblock = match cause {
            Damage::Erofs(error) => error,
            Damage::Seal(error) => {
                write!(
                    f,
                    "the EROFS image at offset {offset:#x} of the initrd cannot be used: "
                )?;
                return policy::fmt_trailer(error, f);
            }
            Damage::Cpio { at } => {
                return write!(
                    f,
                    "the cpio archive at offset {offset:#x} of the initrd breaks off at {at:#x}"
                )
            }
        };
        write!(f, "the EROFS image at offset {offset:#x} of the initrd ")?;
        match superblock {
            SuperblockError::NoSuperblock => f.write_str("ends before its superblock does"),
            SuperblockError::BlockBits(bits) => {
                write!(f, "has a block size of 2^{bits} bytes, not 2^9 to 2^16")
            }
            SuperblockError::Checksum { stored, computed } => write!(
                f,
                "has superblock checksum {stored:#010x}, but its bytes amount to {computed:#010x}"
            ),
            SuperblockError::Size { blocks } => write!(f, "cannot have {blocks} blocks"),
            SuperblockError::Truncated { need, have } => {
                write!(f, "is truncated: {have} of {need} bytes are there")
            }
        }
    }
}
