// SPDX-License-Identifier: GPL-2.0-only

//! The reach of archives in LZ4's legacy format.
//!
//! The format is a magic and then blocks, each behind its length.
//! [`lib/decompress_unlz4.c`](srctree/lib/decompress_unlz4.c) hands a block to the decompressor
//! without asking whether so many bytes are there; so that is asked here, for an archive at the
//! start of a compressed run.

use super::cpio::Extent;

/// `ARCHIVE_MAGICNUMBER`, as it stands in the buffer.
const MAGIC: [u8; 4] = 0x184c_2102_u32.to_le_bytes();

/// Returns whether an archive starts here.
pub fn has_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Walks the archive at the start of `bytes`.
///
/// The walk ends like the kernel's decompressor: with the bytes, less than a word before that, or
/// in front of a length of zero. Magics may follow the first one. It is damaged where a block, with
/// its length, does not lie within `bytes`.
pub fn walk(bytes: &[u8]) -> Extent {
    let mut len = 0usize;
    while let Some(word) = bytes.get(len..).and_then(<[u8]>::first_chunk::<4>) {
        let block = match *word {
            MAGIC => 0,
            [0, 0, 0, 0] => break,
            block => u32::from_le_bytes(block),
        };
        let end = usize::try_from(block)
            .ok()
            .and_then(|block| len.checked_add(4)?.checked_add(block))
            .filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            return Extent {
                len,
                is_damaged: true,
            };
        };
        len = end;
    }
    Extent {
        len,
        is_damaged: false,
    }
}
