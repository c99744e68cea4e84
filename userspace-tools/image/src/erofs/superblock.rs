// SPDX-License-Identifier: GPL-2.0-only

//! The superblock: what an image is, as a whole.

use super::{array, u16_at, u32_at, u64_at, ErofsError};

const START: u64 = 1024;

const COMPATIBLE: [(u32, &str); 6] = [
    (0x01, "sb_csum"),
    (0x02, "mtime"),
    (0x04, "xattr_filter"),
    (0x08, "shared_ea_in_metabox"),
    (0x10, "plain_xattr_pfx"),
    (0x20, "ishare_xattrs"),
];

/// Bits that have two names are given both.
const INCOMPATIBLE: [(u32, &str); 9] = [
    (0x001, "lz4_0padding"),
    (0x002, "compr_cfgs/big_pcluster"),
    (0x004, "chunked_file"),
    (0x008, "device_table/compr_head2"),
    (0x010, "ztailpacking"),
    (0x020, "fragments/dedupe"),
    (0x040, "xattr_prefixes"),
    (HAS_48BIT, "48bit"),
    (HAS_METABOX, "metabox"),
];
const HAS_48BIT: u32 = 0x080;
const HAS_METABOX: u32 = 0x100;
const HAS_COMPRESSION_CONFIGURATION: u32 = 0x002;
const HAS_FRAGMENTS: u32 = 0x020;

const ALGORITHMS: [&str; 4] = ["lz4", "lzma", "deflate", "zstd"];

/// Facts of a superblock.
#[derive(Clone, Debug)]
pub struct Superblock {
    /// The number of the root directory.
    pub root: u64,
    /// The number of files, directories included.
    pub inodes: u64,
    /// The identity, 16 bytes.
    pub uuid: [u8; 16],
    /// The name, without the NULs behind it.
    pub volume_name: Vec<u8>,
    /// Seconds since 1970 when it was made.
    pub build_time: u64,
    /// Features that a kernel need not know.
    pub compatible: u32,
    /// Features that a kernel must know.
    pub incompatible: u32,
    block_bits: u8,
    epoch: i64,
    fixed_nanoseconds: u32,
    metadata_block: u32,
    xattr_block: u32,
    algorithms: u16,
    packed_nid: u64,
}

impl Superblock {
    /// Reads it, without checking its checksum: the scanner has done that.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`], [`ErofsError::Unsupported`].
    pub fn parse(image: &[u8]) -> Result<Self, ErofsError> {
        let incompatible = u32_at(image, START + 80)?;
        if incompatible & HAS_METABOX != 0 {
            return Err(ErofsError::Unsupported("the feature metabox", START + 80));
        }
        let long_root = match incompatible & HAS_48BIT {
            0 => 0,
            _ => u64_at(image, START + 112)?,
        };
        // As `erofs_read_superblock()` does: without it, the short one counts.
        let root = match long_root {
            0 => u16_at(image, START + 14)?.into(),
            _ => long_root,
        };
        let epoch = u64_at(image, START + 24)?;
        let volume_name: [u8; 16] = array(image, START + 64)?;
        let [block_bits] = array(image, START + 12)?;
        if !(9..=16).contains(&block_bits) {
            return Err(ErofsError::Damaged("the block size", START + 12));
        }
        Ok(Self {
            root,
            inodes: u64_at(image, START + 16)?,
            uuid: array(image, START + 48)?,
            volume_name: volume_name
                .iter()
                .copied()
                .take_while(|byte| *byte != 0)
                .collect(),
            build_time: epoch.saturating_add(u32_at(image, START + 108)?.into()),
            compatible: u32_at(image, START + 8)?,
            incompatible,
            block_bits,
            epoch: epoch.cast_signed_compat(),
            fixed_nanoseconds: u32_at(image, START + 32)?,
            metadata_block: u32_at(image, START + 40)?,
            xattr_block: u32_at(image, START + 44)?,
            algorithms: u16_at(image, START + 84)?,
            packed_nid: u64_at(image, START + 96)?,
        })
    }

    /// Returns the size of a block in bytes: 512 to 65536.
    pub fn block_size(&self) -> u64 {
        1 << self.block_bits
    }

    /// Returns the size of a block as a power of two: 9 to 16.
    pub(super) fn block_bits(&self) -> u8 {
        self.block_bits
    }

    /// Returns the number of the packed inode, in which the ends of files (fragments) are stored together.
    pub(super) fn packed_inode(&self) -> Option<u64> {
        let has_one = self.incompatible & HAS_FRAGMENTS != 0 && self.packed_nid != 0;
        has_one.then_some(self.packed_nid)
    }

    /// Returns the time of inodes that have none of their own: seconds and nanoseconds since 1970.
    pub(super) fn epoch(&self) -> (i64, u32) {
        (self.epoch, self.fixed_nanoseconds)
    }

    /// Returns where a file's inode is, in bytes from the start of the image.
    pub(super) fn inode_offset(&self, nid: u64) -> Option<u64> {
        const SLOT: u64 = 32;
        let metadata = u64::from(self.metadata_block).checked_mul(self.block_size())?;
        metadata.checked_add(nid.checked_mul(SLOT)?)
    }

    /// Returns where a shared attribute is, in bytes from the start of the image.
    pub(super) fn xattr_offset(&self, id: u32) -> Option<u64> {
        let shared = u64::from(self.xattr_block).checked_mul(self.block_size())?;
        shared.checked_add(u64::from(id) * 4)
    }

    /// Returns the names of its features, those that a kernel need not know first.
    pub fn features(&self) -> Vec<&'static str> {
        let named = |bits: u32, names: &'static [(u32, &'static str)]| {
            names
                .iter()
                .filter(move |(bit, _)| bits & bit != 0)
                .map(|(_, name)| *name)
        };
        let compatible = named(self.compatible, &COMPATIBLE);
        compatible
            .chain(named(self.incompatible, &INCOMPATIBLE))
            .collect()
    }

    /// Features that a kernel must know and that have no name here.
    pub fn unknown_features(&self) -> u32 {
        INCOMPATIBLE
            .iter()
            .fold(self.incompatible, |bits, (bit, _)| bits & !bit)
    }

    /// Returns the compression algorithms that the image may use.
    pub fn algorithms(&self) -> Vec<&'static str> {
        if self.incompatible & HAS_COMPRESSION_CONFIGURATION == 0 {
            // Of old there was one only; an image without compression has this bit unset as well.
            return if self.incompatible & 1 != 0 {
                vec![ALGORITHMS[0]]
            } else {
                Vec::new()
            };
        }
        let has = |bit: usize| self.algorithms >> bit & 1 != 0;
        ALGORITHMS
            .iter()
            .enumerate()
            .filter(|(bit, _)| has(*bit))
            .map(|(_, name)| *name)
            .collect()
    }
}

/// The standard library's own, of the same meaning, is newer than the oldest compiler that has to
/// build this.
trait CastSigned {
    fn cast_signed_compat(self) -> i64;
}

impl CastSigned for u64 {
    fn cast_signed_compat(self) -> i64 {
        i64::from_le_bytes(self.to_le_bytes())
    }
}
