// SPDX-License-Identifier: GPL-2.0-only

//! The reach of plain cpio archives.
//!
//! The format is `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel; the
//! walk mirrors the state machine of [`init/initramfs.c`](srctree/init/initramfs.c), which is the
//! one that will unpack it.

/// Bytes of a header: a magic and thirteen fields of eight hexadecimal digits.
const HEADER_LEN: usize = 110;

/// Offset and width of the fields that say how long an entry is.
const FILE_SIZE_AT: usize = 54;
const NAME_SIZE_AT: usize = 94;
const FIELD_LEN: usize = 8;

/// Headers, names and bodies each start at a multiple of this, counted from the archive's start.
pub const ALIGNMENT: usize = 4;

/// Returns whether a `newc` or `crc` header starts here.
fn has_magic(bytes: &[u8]) -> bool {
    matches!(bytes.get(..6), Some(b"070701" | b"070702"))
}

/// Returns whether the entry at the start of `bytes` is the one that ends an archive.
fn is_trailer(bytes: &[u8]) -> bool {
    bytes
        .get(HEADER_LEN..)
        .is_some_and(|name| name.starts_with(b"TRAILER!!!\0"))
}

/// Reads eight hexadecimal digits.
fn field(header: &[u8], at: usize) -> Option<usize> {
    let digits = header.get(at..at.checked_add(FIELD_LEN)?)?;
    digits.iter().try_fold(0usize, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        value
            .checked_mul(16)?
            .checked_add(usize::try_from(digit).ok()?)
    })
}

/// Returns the length of the entry at the start of `bytes`, with its padding.
///
/// [`None`] if there is no entry, or it reaches past the end of `bytes`.
fn entry_len(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER_LEN).filter(|header| has_magic(header))?;
    let name_end = HEADER_LEN.checked_add(field(header, NAME_SIZE_AT)?)?;
    let body = name_end.checked_next_multiple_of(ALIGNMENT)?;
    let body_end = body.checked_add(field(header, FILE_SIZE_AT)?)?;
    if body_end > bytes.len() {
        return None;
    }
    // The last entry of a buffer may come without its padding.
    Some(
        body_end
            .checked_next_multiple_of(ALIGNMENT)?
            .min(bytes.len()),
    )
}

/// The reach of archives, and whether they end as they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The length of all that is complete, in bytes: 0 if nothing is.
    pub len: usize,
    /// Set if something follows that should belong to them and is not complete, or is something
    /// else although the last archive has not come to its end.
    pub is_damaged: bool,
}

/// Walks the archives at the start of `bytes`.
///
/// The walk goes on over `TRAILER!!!` entries, as further archives may follow at once, and stops at
/// the first byte that does not start a complete entry. An archive may end without a trailer where
/// the bytes do.
pub fn walk(bytes: &[u8]) -> Extent {
    let mut len = 0usize;
    let mut in_archive = false;
    loop {
        let rest = bytes.get(len..).unwrap_or(&[]);
        let Some(entry) = entry_len(rest) else {
            return Extent {
                len,
                is_damaged: has_magic(rest) || (in_archive && !rest.is_empty()),
            };
        };
        in_archive = !is_trailer(rest);
        // OVERFLOW: `entry_len` never exceeds what it was given.
        len = len.saturating_add(entry);
    }
}
