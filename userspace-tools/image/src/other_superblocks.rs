// SPDX-License-Identifier: GPL-2.0-only

//! Superblocks of btrfs, squashfs and ext4, beyond what the kernel's part looks at.
//!
//! Layouts are those of `fs/squashfs/squashfs_fs.h`, `include/uapi/linux/btrfs_tree.h` and
//! `fs/ext4/ext4.h` of Linux 7.3. All numbers are little-endian.

use initoverlayfs_core::initrd::filesystem::Filesystem;

/// Facts about an image. What its filesystem does not state is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The identity.
    pub uuid: Option<[u8; 16]>,
    /// The name, up to the first NUL.
    pub volume_name: Vec<u8>,
    /// Files of all kinds.
    pub inodes: Option<u64>,
    /// Bytes that are not in use.
    pub free: Option<u64>,
    /// Seconds since 1970.
    pub build_time: Option<u64>,
    /// Algorithms that files may be compressed with, as far as that shows: zlib in btrfs does not.
    pub compression: Vec<&'static str>,
}

impl Facts {
    /// Reads them from an image whose superblock is sound. What lies beyond its end counts as zero.
    pub fn of(filesystem: Filesystem, image: &[u8]) -> Self {
        match filesystem {
            // It has a superblock of its own here: `erofs::Superblock`.
            Filesystem::Erofs => Self::default(),
            Filesystem::Btrfs => btrfs(image),
            Filesystem::Squashfs => squashfs(image),
            Filesystem::Ext4 => ext4(image),
        }
    }
}

fn squashfs(image: &[u8]) -> Facts {
    const INODES: usize = 4;
    const TIME: usize = 8;
    const COMPRESSION: usize = 20;
    let name = match number::<2>(image, COMPRESSION) {
        1 => "gzip",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => "unknown",
    };
    Facts {
        inodes: Some(number::<4>(image, INODES)),
        build_time: Some(number::<4>(image, TIME)),
        compression: vec![name],
        ..Facts::default()
    }
}

fn btrfs(image: &[u8]) -> Facts {
    const SUPERBLOCK: usize = 64 << 10;
    const UUID: usize = SUPERBLOCK + 0x20;
    const TOTAL: usize = SUPERBLOCK + 0x70;
    const USED: usize = SUPERBLOCK + 0x78;
    const FEATURES: usize = SUPERBLOCK + 0xbc;
    const LABEL: usize = SUPERBLOCK + 0x12b;
    const LABEL_LEN: usize = 256;
    // `BTRFS_FEATURE_INCOMPAT_COMPRESS_*`
    const COMPRESSION: [(u64, &str); 2] = [(0x8, "lzo"), (0x10, "zstd")];
    let features = number::<8>(image, FEATURES);
    let compression = COMPRESSION.iter().filter(|(bit, _)| features & bit != 0);
    Facts {
        uuid: uuid(image, UUID),
        volume_name: text(image, LABEL, LABEL_LEN),
        free: number::<8>(image, TOTAL).checked_sub(number::<8>(image, USED)),
        compression: compression.map(|(_, name)| *name).collect(),
        ..Facts::default()
    }
}

fn ext4(image: &[u8]) -> Facts {
    const SUPERBLOCK: usize = 1024;
    const INODES: usize = SUPERBLOCK;
    const FREE_BLOCKS: usize = SUPERBLOCK + 0xc;
    const FREE_INODES: usize = SUPERBLOCK + 0x10;
    const BLOCK_BITS: usize = SUPERBLOCK + 0x18;
    const FIRST_INODE: usize = SUPERBLOCK + 0x54;
    const UUID: usize = SUPERBLOCK + 0x68;
    const LABEL: usize = SUPERBLOCK + 0x78;
    const LABEL_LEN: usize = 16;
    const MADE: usize = SUPERBLOCK + 0x108;
    const FREE_BLOCKS_HIGH: usize = SUPERBLOCK + 0x158;
    let free = number::<4>(image, FREE_BLOCKS) | number::<4>(image, FREE_BLOCKS_HIGH) << 32;
    let bits = u32::try_from(number::<4>(image, BLOCK_BITS)).unwrap_or(u32::MAX);
    let block = 1024_u64.checked_shl(bits);
    // Those below the first are not files, but for the root directory.
    let reserved = number::<4>(image, FIRST_INODE).saturating_sub(2);
    let used = number::<4>(image, INODES).checked_sub(number::<4>(image, FREE_INODES));
    Facts {
        uuid: uuid(image, UUID),
        volume_name: text(image, LABEL, LABEL_LEN),
        inodes: used.and_then(|used| used.checked_sub(reserved)),
        free: block.and_then(|block| free.checked_mul(block)),
        build_time: Some(number::<4>(image, MADE)),
        compression: Vec::new(),
    }
}

/// Returns a number of `N` bytes, 8 at most.
fn number<const N: usize>(image: &[u8], offset: usize) -> u64 {
    let bytes = image.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    let bytes = bytes.into_iter().flatten().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn uuid(image: &[u8], offset: usize) -> Option<[u8; 16]> {
    image.get(offset..)?.first_chunk().copied()
}

/// Text of at most `len` bytes, up to the first NUL.
fn text(image: &[u8], offset: usize, len: usize) -> Vec<u8> {
    let bytes = image.get(offset..).unwrap_or_default();
    let bytes = bytes.iter().take(len).take_while(|byte| **byte != 0);
    bytes.copied().collect()
}
