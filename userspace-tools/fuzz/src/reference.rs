// SPDX-License-Identifier: GPL-2.0-only

//! Second opinions, written from the formats' descriptions: slow, plain, with numbers too wide to
//! overflow.

use std::ops::Range;

use initoverlayfs_core::{
    hash,
    initrd::{digest::Algorithm, Kind},
};

pub mod images;

/// The magics of `decompress_method()` in the kernel's `lib/decompress.c`.
pub const COMPRESSED: [[u8; 2]; 8] = [
    *b"\x1f\x8b",
    *b"\x1f\x9e",
    *b"BZ",
    *b"\x5d\x00",
    *b"\xfd7",
    *b"\x89L",
    *b"\x02\x21",
    *b"\x28\xb5",
];

/// Returns whether there is nothing but NULs.
pub fn is_nul(bytes: &[u8]) -> bool {
    // Without a branch for each byte, which would be counted.
    bytes.iter().fold(0, |any, byte| any | byte) == 0
}

/// Returns whether compressed data starts here.
pub fn is_compressed(bytes: &[u8]) -> bool {
    COMPRESSED.iter().any(|magic| bytes.starts_with(magic))
}

/// Returns whether a cpio header starts here that the unpacker knows.
pub fn is_entry(bytes: &[u8]) -> bool {
    bytes.starts_with(b"070701") || bytes.starts_with(b"070702")
}

/// An entry of an archive.
#[derive(Debug)]
pub struct Entry {
    /// Where it ends, with its padding.
    pub end: usize,
    /// Set if it is the last one of its archive.
    pub is_trailer: bool,
}

fn hexadecimal(digits: &[u8]) -> Option<u128> {
    let text = std::str::from_utf8(digits).ok()?;
    // Which takes a sign as well.
    if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

fn entry(bytes: &[u8], start: usize) -> Option<Entry> {
    let header = bytes.get(start..start + 110)?;
    if !is_entry(header) {
        return None;
    }
    let name = start as u128 + 110;
    let body = (name + hexadecimal(&header[94..102])?).div_ceil(4) * 4;
    let end = body + hexadecimal(&header[54..62])?;
    if end > bytes.len() as u128 {
        return None;
    }
    Some(Entry {
        end: bytes.len().min((end as usize).div_ceil(4) * 4),
        is_trailer: bytes[start + 110..].starts_with(b"TRAILER!!!\0"),
    })
}

/// Returns the complete entries from the start of `bytes` on.
pub fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut list: Vec<Entry> = Vec::new();
    while let Some(next) = entry(bytes, list.last().map_or(0, |last| last.end)) {
        list.push(next);
    }
    list
}

/// `memparse()` of the kernel's `lib/cmdline.c`: the number, and what is left of the text.
pub fn memparse(text: &[u8]) -> (u64, &[u8]) {
    let (radix, mut rest) = match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &text[2..]),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let mut number = 0u64;
    let mut has_digits = false;
    while let [first, behind @ ..] = rest {
        let Some(digit) = char::from(*first).to_digit(radix) else {
            break;
        };
        number = number
            .wrapping_mul(u64::from(radix))
            .wrapping_add(u64::from(digit));
        has_digits = true;
        rest = behind;
    }
    let shift = rest.first().map_or(0, |unit| unit_shift(*unit));
    if shift > 0 && has_digits {
        number = u64::try_from(u128::from(number) << shift).unwrap_or(u64::MAX);
        rest = &rest[1..];
    }
    (number, rest)
}

/// Returns the power of two that a unit stands for; 0 if it is none.
pub fn unit_shift(unit: u8) -> u32 {
    match unit.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        b'p' => 50,
        b'e' => 60,
        _ => 0,
    }
}

/// Returns how many pages a tmpfs of `size` gets, as `shmem_parse_one()` of the kernel's `mm/shmem.c`
/// computes it: [`None`] if it refuses, 0 if it sets no limit.
pub fn tmpfs_pages(size: &[u8], total_pages: u64) -> Option<u64> {
    const PAGE_SIZE: u64 = 4096;
    let (mut bytes, mut rest) = memparse(size);
    if let [b'%', behind @ ..] = rest {
        bytes = bytes.wrapping_mul(PAGE_SIZE).wrapping_mul(total_pages) / 100;
        rest = behind;
    }
    rest.is_empty()
        .then(|| bytes.wrapping_add(PAGE_SIZE - 1) / PAGE_SIZE)
}

/// Returns where the trailer of a segment is: where the header says, at the next multiple of 4096 bytes.
pub fn trailer(buffer: &[u8], range: &Range<usize>, kind: &Kind) -> Range<usize> {
    let none = range.end..range.end;
    let at = range.start + range.len().next_multiple_of(4096);
    match buffer.get(at..) {
        Some(tail) if kind.is_image() && tail.starts_with(b"iofsSEAL") => {
            let size = u64::from_le_bytes(tail[16..24].try_into().expect("8 bytes"));
            at..at + usize::try_from(size).expect("within the buffer")
        }
        _ => none,
    }
}

/// fs-verity's tree of some data, and its root hash, as `fsverity.rst` tells it.
pub fn merkle_tree(data: &[u8], algorithm: Algorithm, salt: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut padded_salt = salt.to_vec();
    padded_salt.resize(salt.len().next_multiple_of(algorithm.input_block()), 0);
    let digest = |block: &[u8]| {
        let mut block = block.to_vec();
        block.resize(4096, 0);
        hash(algorithm, &[&padded_salt, &block]).bytes().to_vec()
    };
    let mut tree = Vec::new();
    let mut level = data.to_vec();
    while level.len() > 4096 {
        level = level.chunks(4096).flat_map(digest).collect();
        level.resize(level.len().next_multiple_of(4096), 0);
        // The higher ones come first.
        tree = [&level[..], &tree].concat();
    }
    (tree, digest(&level))
}
