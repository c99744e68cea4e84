// SPDX-License-Identifier: GPL-2.0-only

//! Images of other filesystems than EROFS, with nothing in them but what makes them pass for one.

use initoverlayfs_core::CHECKSUMS;

fn put(image: &mut [u8], at: usize, field: &[u8]) {
    image[at..at + field.len()].copy_from_slice(field);
}

/// The smallest image that passes for btrfs, filled up.
pub struct Btrfs {
    /// Bytes.
    pub sector_size: u32,
    /// Bytes.
    pub size: usize,
    /// The number of the kind of checksum.
    pub checksum: u16,
}

impl Default for Btrfs {
    fn default() -> Self {
        Self {
            sector_size: 4096,
            size: 0x12000,
            checksum: 0,
        }
    }
}

impl Btrfs {
    /// Returns its bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut image = vec![0xa5; self.size.max(0x11000)];
        let size = (self.size as u64).to_le_bytes();
        image[..0x10100].fill(0);
        put(&mut image, 0x10020, b"some filesystem.");
        put(&mut image, 0x10030, &0x10000u64.to_le_bytes());
        put(&mut image, 0x10040, b"_BHRfS_M");
        put(&mut image, 0x10070, &size);
        put(&mut image, 0x10088, &1u64.to_le_bytes());
        put(&mut image, 0x10090, &self.sector_size.to_le_bytes());
        put(&mut image, 0x100c4, &self.checksum.to_le_bytes());
        put(&mut image, 0x100d1, &size);
        set_btrfs_checksum(&mut image);
        image
    }
}

/// Writes the checksum that the superblock of the image ought to have, if it has a kind.
pub fn set_btrfs_checksum(image: &mut [u8]) {
    let covered = image[0x10020..0x11000].to_vec();
    let checksum = match image[0x100c4] {
        0 => (!(CHECKSUMS.crc32c)(!0, &covered)).to_le_bytes().to_vec(),
        1 => (CHECKSUMS.xxh64)(&covered).to_le_bytes().to_vec(),
        2 => (CHECKSUMS.sha256)(&covered).to_vec(),
        3 => (CHECKSUMS.blake2b)(&covered).to_vec(),
        _ => return,
    };
    put(image, 0x10000, &checksum);
}

/// The smallest image that passes for squashfs, filled up.
pub struct Squashfs {
    /// Block size, as a power of two.
    pub block_log: u16,
    /// Bytes.
    pub size: usize,
}

impl Default for Squashfs {
    fn default() -> Self {
        Self {
            block_log: 17,
            size: 300,
        }
    }
}

impl Squashfs {
    /// Returns its bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut image = vec![0xa5; self.size.max(96)];
        image[..96].fill(0);
        put(&mut image, 0, b"hsqs");
        put(&mut image, 12, &(1u32 << self.block_log).to_le_bytes());
        put(&mut image, 20, &1u16.to_le_bytes());
        put(&mut image, 22, &self.block_log.to_le_bytes());
        put(&mut image, 28, &4u16.to_le_bytes());
        put(&mut image, 40, &(self.size as u64).to_le_bytes());
        // Tables: ids, none, inodes, directories, none, none.
        let tables = [98u64, u64::MAX, 96, 97, u64::MAX, u64::MAX];
        for (index, table) in tables.into_iter().enumerate() {
            put(&mut image, 48 + 8 * index, &table.to_le_bytes());
        }
        image
    }
}

/// The smallest image that passes for ext4, filled up.
pub struct Ext4 {
    /// The number of times that 1024 bytes are doubled to make a block.
    pub log_block_size: u32,
    /// Size in blocks.
    pub blocks: u32,
    /// Not 0.
    pub inodes: u32,
    /// Set if the superblock has a checksum.
    pub checksum: bool,
}

impl Default for Ext4 {
    fn default() -> Self {
        Self {
            log_block_size: 0,
            blocks: 3,
            inodes: 16,
            checksum: true,
        }
    }
}

impl Ext4 {
    /// Returns its bytes.
    pub fn build(&self) -> Vec<u8> {
        let size = (1024usize << self.log_block_size) * self.blocks as usize;
        let mut image = vec![0xa5; size.max(2048)];
        image[..2048].fill(0);
        put(&mut image, 1024, &self.inodes.to_le_bytes());
        put(&mut image, 1028, &self.blocks.to_le_bytes());
        put(&mut image, 1048, &self.log_block_size.to_le_bytes());
        put(&mut image, 1080, &[0x53, 0xef]);
        put(&mut image, 1100, &1u32.to_le_bytes());
        let ro_compat = if self.checksum { 0x400u32 } else { 0 };
        put(&mut image, 1124, &ro_compat.to_le_bytes());
        image[1024 + 0x175] = 1;
        if self.checksum {
            set_ext4_checksum(&mut image);
        }
        image
    }
}

/// Writes the checksum that the superblock of the image ought to have.
pub fn set_ext4_checksum(image: &mut [u8]) {
    let checksum = (CHECKSUMS.crc32c)(!0, &image[1024..2044]);
    put(image, 2044, &checksum.to_le_bytes());
}
