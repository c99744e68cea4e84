// SPDX-License-Identifier: GPL-2.0-only

//! Initrd contents, built byte by byte from the formats' descriptions.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod others;

use initoverlayfs_core::{
    crc32c,
    initrd::{
        filesystem::{Filesystem, Filesystems},
        Kind, ScanError, Scanner, Segment,
    },
    CHECKSUMS,
};

/// Returns the segments of a buffer.
pub fn scan(buffer: &[u8]) -> Result<Vec<Segment>, ScanError> {
    Scanner::new(buffer, &CHECKSUMS, Filesystems::ALL).collect()
}

/// `E`, `B`, `S` and `X` for images of EROFS, btrfs, squashfs and ext4, `C` or `?`, and the range of each segment.
pub fn shape(buffer: &[u8]) -> Vec<(char, usize, usize)> {
    scan(buffer)
        .expect("no segment is broken")
        .into_iter()
        .map(|Segment { kind, range, .. }| {
            let letter = match kind {
                Kind::Cpio => 'C',
                Kind::Image(Filesystem::Erofs, _) => 'E',
                Kind::Image(Filesystem::Btrfs, _) => 'B',
                Kind::Image(Filesystem::Squashfs, _) => 'S',
                Kind::Image(Filesystem::Ext4, _) => 'X',
                Kind::Unknown => '?',
            };
            (letter, range.start, range.end)
        })
        .collect()
}

/// The smallest image of `blocks` blocks that passes for EROFS, filled with `fill`.
pub struct Image {
    /// Block size, as a power of two.
    pub block_bits: u8,
    /// Size in blocks.
    pub blocks: u32,
    /// Set if the superblock has a checksum.
    pub checksum: bool,
    /// The bytes in front of the superblock, in a real image zeroes.
    pub boot_code: u8,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            block_bits: 12,
            blocks: 3,
            checksum: true,
            boot_code: 0,
        }
    }
}

impl Image {
    /// Returns its bytes.
    pub fn build(&self) -> Vec<u8> {
        let block_size = 1usize << self.block_bits;
        let size = block_size * usize::try_from(self.blocks).unwrap();
        let mut image = vec![0xa5; size.max(2048)];
        image[..1024].fill(self.boot_code);
        image[1024..1152].fill(0);
        image[1024..1028].copy_from_slice(&0xe0f5_e1e2u32.to_le_bytes());
        image[1032..1036].copy_from_slice(&u32::from(self.checksum).to_le_bytes());
        image[1036] = self.block_bits;
        image[1060..1064].copy_from_slice(&self.blocks.to_le_bytes());
        image.truncate(size.max(1152));
        if self.checksum {
            set_checksum(&mut image);
        }
        image
    }
}

/// Writes the checksum that the superblock at the start of `image` ought to have.
pub fn set_checksum(image: &mut [u8]) {
    let block_size = 1usize << image[1036];
    let len = if block_size > 1024 {
        block_size - 1024
    } else {
        block_size
    };
    let checksum = crc32c(0x5045_b54a, &image[1032..1024 + len]);
    image[1028..1032].copy_from_slice(&checksum.to_le_bytes());
}

/// One `newc` entry.
pub fn entry(name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = b"070701".to_vec();
    let fields = [
        1,
        0o100_644,
        0,
        0,
        1,
        0,
        body.len(),
        0,
        0,
        0,
        0,
        name.len() + 1,
        0,
    ];
    for field in fields {
        out.extend(format!("{field:08x}").bytes());
    }
    out.extend(name.bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Returns a complete archive with one file.
pub fn archive(name: &str, body: &[u8]) -> Vec<u8> {
    [entry(name, body), entry("TRAILER!!!", b"")].concat()
}
