// SPDX-License-Identifier: GPL-2.0-only

//! Second opinions on images: what a superblock says, and where one is.

use std::ops::Range;

use initoverlayfs_core::{
    initrd::filesystem::{Filesystem, Geometry, SuperblockError},
    CHECKSUMS,
};

use super::is_nul;

/// Wrong checksums that `find` passes over before it gives up.
const MAX_STRAYS: usize = 256;

/// What tells an image of a filesystem from anything else.
#[derive(Debug)]
pub struct Format {
    /// Which one it is.
    pub filesystem: Filesystem,
    /// Where the superblock is in an image.
    pub superblock: usize,
    /// Where the magic is in the superblock.
    pub magic_at: usize,
    /// The magic.
    pub magic: &'static [u8],
    /// The NULs that the superblock may begin with.
    pub nuls: usize,
    /// Bytes of the superblock.
    pub len: usize,
}

/// All formats, those that win first.
pub const FORMATS: [Format; 4] = [
    Format {
        filesystem: Filesystem::Erofs,
        superblock: 1024,
        magic_at: 0,
        magic: &[0xe2, 0xe1, 0xf5, 0xe0],
        nuls: 0,
        len: 128,
    },
    Format {
        filesystem: Filesystem::Btrfs,
        superblock: 65536,
        magic_at: 64,
        magic: b"_BHRfS_M",
        nuls: 64,
        len: 4096,
    },
    Format {
        filesystem: Filesystem::Squashfs,
        superblock: 0,
        magic_at: 0,
        magic: b"hsqs",
        nuls: 0,
        len: 96,
    },
    Format {
        filesystem: Filesystem::Ext4,
        superblock: 1024,
        magic_at: 56,
        magic: &[0x53, 0xef],
        nuls: 3,
        len: 1024,
    },
];

impl Format {
    /// That of a filesystem.
    pub fn of(filesystem: Filesystem) -> &'static Self {
        let format = FORMATS.iter().find(|f| f.filesystem == filesystem);
        format.expect("each has one")
    }

    /// Returns whether the magic stands where it does in an image that starts where `bytes` does.
    pub fn is_at(&self, bytes: &[u8]) -> bool {
        let at = self.superblock + self.magic_at;
        let has_magic = bytes
            .get(at..)
            .is_some_and(|rest| rest.starts_with(self.magic));
        let revision = bytes.get(self.superblock + 76..self.superblock + 80);
        has_magic
            && (self.filesystem != Filesystem::Ext4
                || revision.is_some_and(|bytes| number(bytes, 0, 4) <= 1))
    }
}

/// Returns a little-endian number of `len` bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> u128 {
    bytes[at..at + len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u128::from(*byte))
}

/// Fills the checksum of an EROFS `image` in, if it has a superblock that can have one.
pub fn set_checksum(image: &mut [u8]) {
    if let Some(bits @ 9..=16) = image.get(1036).copied() {
        if image.len() >= checksummed(bits).end {
            crate::contents::set_checksum(image);
        }
    }
}

/// Returns the bytes that the checksum of EROFS covers, besides the magic.
fn checksummed(block_bits: u8) -> Range<usize> {
    // The rest of the superblock's block, or all of the second block of a small size.
    match 1usize << block_bits {
        512 => 1032..1536,
        1024 => 1032..2048,
        larger => 1032..larger,
    }
}

/// Returns what `parse` ought to say.
pub fn superblock(filesystem: Filesystem, bytes: &[u8]) -> Result<Geometry, SuperblockError> {
    let format = Format::of(filesystem);
    if bytes.len() < format.superblock + format.len || !format.is_at(bytes) {
        return Err(SuperblockError::NoSuperblock);
    }
    match filesystem {
        Filesystem::Erofs => erofs(bytes),
        Filesystem::Btrfs => btrfs(bytes, &bytes[65536..69632]),
        Filesystem::Squashfs => squashfs(bytes),
        Filesystem::Ext4 => ext4(bytes, &bytes[1024..2048]),
    }
}

/// Returns an image of so many bytes, if it is whole and has a superblock.
fn geometry(
    bytes: &[u8],
    block_size: u128,
    size: u128,
    least: u128,
    otherwise: SuperblockError,
) -> Result<Geometry, SuperblockError> {
    if size < least || size > usize::MAX as u128 {
        return Err(otherwise);
    }
    let (need, have) = (size as usize, bytes.len());
    if need > have {
        return Err(SuperblockError::Truncated { need, have });
    }
    Ok(Geometry {
        block_size: block_size as usize,
        size: need,
    })
}

fn same(stored: u128, computed: u128) -> Result<(), SuperblockError> {
    if stored == computed {
        return Ok(());
    }
    Err(SuperblockError::Checksum {
        stored: stored as u64,
        computed: computed as u64,
    })
}

fn erofs(bytes: &[u8]) -> Result<Geometry, SuperblockError> {
    let bits = bytes[1036];
    if !(9..=16).contains(&bits) {
        return Err(SuperblockError::BlockBits(bits.into()));
    }
    let is_48bit = number(bytes, 1104, 4) & 0x80 != 0 && number(bytes, 1136, 8) != 0;
    let high = if is_48bit { number(bytes, 1038, 2) } else { 0 };
    let count = high << 32 | number(bytes, 1060, 4);
    let blocks = count as u64;
    let bad = SuperblockError::Size { blocks };
    let found = geometry(bytes, 1 << bits, count << bits, 1024 + 128, bad)?;
    let others = number(bytes, 1110, 2);
    if bytes[1104] & 8 != 0 && others > 0 {
        return Err(SuperblockError::Devices(others as u64 + 1));
    }
    if bytes[1032] & 1 != 0 {
        let computed = (CHECKSUMS.crc32c)(0x5045_b54a, &bytes[checksummed(bits)]);
        same(number(bytes, 1028, 4), computed.into())?;
    }
    Ok(found)
}

fn btrfs(bytes: &[u8], superblock: &[u8]) -> Result<Geometry, SuperblockError> {
    let sector_size = number(superblock, 0x90, 4);
    if ![4096, 8192, 16384, 32768, 65536].contains(&sector_size) {
        return Err(SuperblockError::BlockSize(sector_size as u32));
    }
    let total = number(superblock, 0x70, 8);
    let bad = SuperblockError::Bytes {
        bytes: total as u64,
    };
    let found = geometry(bytes, sector_size, total, 0x11000, bad)?;
    let covered = &superblock[0x20..];
    let digest = match number(superblock, 0xc4, 2) {
        0 => (!(CHECKSUMS.crc32c)(!0, covered)).to_le_bytes().to_vec(),
        1 => (CHECKSUMS.xxh64)(covered).to_le_bytes().to_vec(),
        2 => (CHECKSUMS.sha256)(covered).to_vec(),
        3 => (CHECKSUMS.blake2b)(covered).to_vec(),
        other => return Err(SuperblockError::ChecksumType(other as u16)),
    };
    if superblock[..digest.len()] != digest {
        let first = |digest: &[u8]| match digest.len() {
            4 | 8 => number(digest, 0, digest.len()),
            _ => u64::from_be_bytes(digest[..8].try_into().expect("8 bytes")).into(),
        };
        let (stored, computed) = (first(&superblock[..digest.len()]), first(&digest));
        return Err(SuperblockError::Checksum {
            stored: stored as u64,
            computed: computed as u64,
        });
    }
    let address = number(superblock, 0x30, 8) as u64;
    let flags = number(superblock, 0x38, 8);
    let devices = number(superblock, 0x88, 8) as u64;
    let device = number(superblock, 0xd1, 8) as u64;
    let total = total as u64;
    if address != 65536 {
        Err(SuperblockError::Address(address))
    } else if [35, 36, 38, 39, 40].iter().any(|bit| flags >> bit & 1 == 1) {
        Err(SuperblockError::Unfinished)
    } else if devices != 1 {
        Err(SuperblockError::Devices(devices))
    } else if device != total {
        Err(SuperblockError::DeviceSize { device, total })
    } else {
        Ok(found)
    }
}

fn squashfs(bytes: &[u8]) -> Result<Geometry, SuperblockError> {
    let half = |at| number(bytes, at, 2) as u16;
    let (major, minor) = (half(28), half(30));
    if (major, minor) != (4, 0) {
        return Err(SuperblockError::Version { major, minor });
    }
    if half(20) == 0 || half(20) > 6 {
        return Err(SuperblockError::Compression(half(20)));
    }
    let log = half(22);
    if !(12..=20).contains(&log) {
        return Err(SuperblockError::BlockBits(log.into()));
    }
    let block_size = number(bytes, 12, 4);
    if block_size != 1 << log {
        return Err(SuperblockError::BlockSize(block_size as u32));
    }
    let used = number(bytes, 40, 8);
    let bad = SuperblockError::Bytes { bytes: used as u64 };
    let found = geometry(bytes, block_size, used, 96, bad)?;
    // Inodes, directories, ids, attributes, exports, fragments.
    for (at, may_be_missing) in [
        (64, false),
        (72, false),
        (48, false),
        (56, true),
        (88, true),
        (80, number(bytes, 16, 4) == 0),
    ] {
        let start = number(bytes, at, 8);
        let is_missing = start == u64::MAX.into() || at == 80;
        let is_right = (96..used).contains(&start) || may_be_missing && is_missing;
        if !is_right {
            return Err(SuperblockError::Table(start as u64));
        }
        if at == 72 && start <= number(bytes, 64, 8) {
            return Err(SuperblockError::Table(number(bytes, 64, 8) as u64));
        }
    }
    Ok(found)
}

fn ext4(bytes: &[u8], superblock: &[u8]) -> Result<Geometry, SuperblockError> {
    let log = number(superblock, 0x18, 4);
    if log > 6 {
        let bits = u32::try_from(log + 10).unwrap_or(u32::MAX);
        return Err(SuperblockError::BlockBits(bits));
    }
    let features = number(superblock, 0x60, 4);
    let mut count = number(superblock, 0x4, 4);
    if features & 0x80 != 0 {
        count += number(superblock, 0x150, 4) << 32;
    }
    let blocks = count as u64;
    let bad = SuperblockError::Size { blocks };
    let found = geometry(bytes, 1024 << log, (count << log) * 1024, 2048, bad)?;
    if number(superblock, 0x64, 4) & 0x400 != 0 {
        if superblock[0x175] != 1 {
            return Err(SuperblockError::ChecksumType(superblock[0x175].into()));
        }
        let computed = (CHECKSUMS.crc32c)(!0, &superblock[..0x3fc]);
        same(number(superblock, 0x3fc, 4), computed.into())?;
    }
    if features & 0x8 != 0 {
        Err(SuperblockError::JournalDevice)
    } else if number(superblock, 0x5c, 4) & 0x4 != 0 && number(superblock, 0xe0, 4) == 0 {
        Err(SuperblockError::ExternalJournal)
    } else if features & 0x4 != 0 {
        Err(SuperblockError::Recovery)
    } else {
        Ok(found)
    }
}

/// Returns the image that begins at, or behind NULs only, after `previous`.
pub fn image(buffer: &[u8], previous: usize) -> Option<(Filesystem, usize)> {
    if FORMATS[0].is_at(&buffer[previous..]) {
        return Some((Filesystem::Erofs, previous));
    }
    let first_set = previous + buffer[previous..].iter().position(|byte| *byte != 0)?;
    behind_nuls(buffer, previous, first_set)
}

/// Returns the image whose superblock begins with the byte at `first_set`, or with NULs in front of it; all
/// is NUL from `previous` on.
fn behind_nuls(buffer: &[u8], previous: usize, first_set: usize) -> Option<(Filesystem, usize)> {
    for format in &FORMATS {
        for nuls in (0..=format.nuls).rev() {
            let Some(start) = first_set.checked_sub(format.superblock + nuls) else {
                continue;
            };
            if start >= previous && format.is_at(&buffer[start..]) {
                return Some((format.filesystem, start));
            }
        }
    }
    None
}

/// Returns what `find` ought to say: every magic is looked at.
pub fn find(bytes: &[u8]) -> Option<usize> {
    // Where the superblocks begin, but for their NULs.
    let mut places = Vec::new();
    for format in &FORMATS {
        for at in memchr::memmem::find_iter(bytes, format.magic) {
            let Some(superblock) = at.checked_sub(format.magic_at) else {
                continue;
            };
            let nuls = bytes[superblock..].iter().take_while(|byte| **byte == 0);
            places.push(superblock + nuls.take(format.nuls).count());
        }
    }
    places.sort();
    places.dedup();
    let mut strays = 0;
    for first_set in places {
        let is_behind_nuls = first_set >= 1024 && is_nul(&bytes[first_set - 1024..first_set]);
        if !is_behind_nuls || bytes[first_set] == 0 {
            continue;
        }
        let set = bytes[..first_set].iter().rposition(|byte| *byte != 0);
        let previous = set.map_or(0, |set| set + 1);
        let Some((filesystem, start)) = behind_nuls(bytes, previous, first_set) else {
            continue;
        };
        match superblock(filesystem, &bytes[start..]) {
            Ok(_) => return Some(start),
            Err(SuperblockError::Checksum { .. }) => strays += 1,
            Err(_) => (),
        }
        if strays > MAX_STRAYS {
            return None;
        }
    }
    None
}
