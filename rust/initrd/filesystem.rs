// SPDX-License-Identifier: GPL-2.0-only

//! Types that the parsers of all filesystems share.

/// A filesystem that an image may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// EROFS: see [`erofs`](super::erofs).
    Erofs,
    /// btrfs: see [`btrfs`](super::btrfs).
    Btrfs,
    /// squashfs: see [`squashfs`](super::squashfs).
    Squashfs,
    /// ext4, and what its driver takes of ext2 and ext3: see [`ext4`](super::ext4).
    Ext4,
}

impl Filesystem {
    /// All members.
    pub const ALL: [Self; 4] = [Self::Erofs, Self::Btrfs, Self::Squashfs, Self::Ext4];

    /// Returns its name, as `mount -t` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Btrfs => "btrfs",
            Self::Squashfs => "squashfs",
            Self::Ext4 => "ext4",
        }
    }

    /// Returns the one with that name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|filesystem| filesystem.name().as_bytes() == name)
    }

    /// Returns its bit in a set.
    const fn bit(self) -> u8 {
        match self {
            Self::Erofs => 0x1,
            Self::Btrfs => 0x2,
            Self::Squashfs => 0x4,
            Self::Ext4 => 0x8,
        }
    }
}

/// A set of filesystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filesystems(u8);

impl Filesystems {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// All members.
    pub const ALL: Self = Self::NONE
        .with(Filesystem::Erofs)
        .with(Filesystem::Btrfs)
        .with(Filesystem::Squashfs)
        .with(Filesystem::Ext4);

    /// Returns the set with this one added.
    pub const fn with(self, filesystem: Filesystem) -> Self {
        Self(self.0 | filesystem.bit())
    }

    /// Returns whether it is in the set.
    pub const fn contains(self, filesystem: Filesystem) -> bool {
        self.0 & filesystem.bit() != 0
    }

    /// Returns those that are in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The shape of an image whose superblock was found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The block size in bytes: a power of two, from 512 on for EROFS, up to 1 MiB for squashfs.
    pub block_size: usize,
    /// The size of the image in bytes: at least its superblock, at most what the buffer holds.
    pub size: usize,
}

/// The checksums that superblocks have.
///
/// The kernel passes its own functions, the host those of crates: none has to be written twice.
#[derive(Clone, Copy, Debug)]
pub struct Checksums {
    /// The CRC-32C of some bytes, continuing from a seed, without an inversion before or after.
    pub crc32c: fn(seed: u32, bytes: &[u8]) -> u32,
    /// The xxHash64 of some bytes, with a seed of 0.
    pub xxh64: fn(bytes: &[u8]) -> u64,
    /// The SHA-256 of some bytes.
    pub sha256: fn(bytes: &[u8]) -> [u8; 32],
    /// The BLAKE2b-256 of some bytes, without a key.
    pub blake2b: fn(bytes: &[u8]) -> [u8; 32],
}

/// A problem of a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperblockError {
    /// The buffer ends before the superblock does.
    NoSuperblock,
    /// The format's version is none that the kernel reads.
    Version {
        /// The number in front of the dot.
        major: u16,
        /// The number behind it.
        minor: u16,
    },
    /// The block size is none that the filesystem has: its power of two.
    BlockBits(u32),
    /// The block size is none that the filesystem has, or not the power of two it is said to be: in
    /// bytes.
    BlockSize(u32),
    /// There is no such compression: its number.
    Compression(u16),
    /// There is no such kind of checksum: its number.
    ChecksumType(u16),
    /// The superblock does not match its own checksum. Of one that is longer, the first 8 bytes.
    Checksum {
        /// The checksum that the superblock states.
        stored: u64,
        /// The checksum of its bytes.
        computed: u64,
    },
    /// The image ends before its superblock does, or its size does not fit the machine.
    Size {
        /// The size that the superblock states, in blocks.
        blocks: u64,
    },
    /// Makes the error for a size that is not stated in blocks.
    Bytes {
        /// The size that the superblock states, in bytes.
        bytes: u64,
    },
    /// The buffer ends before the image does.
    Truncated {
        /// The size that the superblock states, in bytes.
        need: usize,
        /// The rest of the buffer, in bytes.
        have: usize,
    },
    /// A table that the superblock points to does not lie within the image: where it is said to
    /// start.
    Table(u64),
    /// The place that it states for itself is another one: in bytes from the start of the image.
    Address(u64),
    /// The filesystem has other devices too: their stated number.
    Devices(u64),
    /// The only device is said to have another size than the filesystem.
    DeviceSize {
        /// The size of the device, in bytes.
        device: u64,
        /// The size of the filesystem, in bytes.
        total: u64,
    },
    /// The identity is being changed by a tool that did not get to its end.
    Unfinished,
    /// A journal of another filesystem.
    JournalDevice,
    /// The journal is on another device, which the kernel would open.
    ExternalJournal,
    /// The journal would have to be replayed: it was not unmounted, and lies in read-only memory.
    Recovery,
}

/// Returns where the first byte stands that is not NUL.
///
/// In front of a btrfs superblock there are 64 KiB of them: they are looked at 16 at a time.
pub(super) fn first_set(bytes: &[u8]) -> Option<usize> {
    const STEP: usize = 16;
    let nuls = bytes
        .chunks_exact(STEP)
        .take_while(|chunk| {
            chunk
                .first_chunk()
                .is_some_and(|chunk| u128::from_ne_bytes(*chunk) == 0)
        })
        .count()
        .checked_mul(STEP)?;
    let rest = bytes.get(nuls..)?;
    rest.iter().position(|byte| *byte != 0)?.checked_add(nuls)
}

/// Returns a little-endian field of a superblock.
///
/// # Errors
///
/// [`SuperblockError::NoSuperblock`]: it ends before the field does.
pub(super) fn field<const N: usize>(
    superblock: &[u8],
    at: usize,
) -> Result<[u8; N], SuperblockError> {
    superblock
        .get(at..)
        .and_then(<[u8]>::first_chunk::<N>)
        .copied()
        .ok_or(SuperblockError::NoSuperblock)
}

/// Returns a field of 16 bits.
///
/// # Errors
///
/// Those of [`field`].
pub(super) fn le16(superblock: &[u8], at: usize) -> Result<u16, SuperblockError> {
    field(superblock, at).map(u16::from_le_bytes)
}

/// Returns a field of 32 bits.
///
/// # Errors
///
/// Those of [`field`].
pub(super) fn le32(superblock: &[u8], at: usize) -> Result<u32, SuperblockError> {
    field(superblock, at).map(u32::from_le_bytes)
}

/// Returns a field of 64 bits.
///
/// # Errors
///
/// Those of [`field`].
pub(super) fn le64(superblock: &[u8], at: usize) -> Result<u64, SuperblockError> {
    field(superblock, at).map(u64::from_le_bytes)
}

/// Returns the size of an image in bytes, if it is whole, and holds the `least` bytes up to its
/// superblock's end.
///
/// # Errors
///
/// [`SuperblockError::Bytes`]: the size is out of range. [`SuperblockError::Truncated`]: there are
/// `have` bytes only.
pub(super) fn whole(bytes: u64, least: usize, have: usize) -> Result<usize, SuperblockError> {
    let need = usize::try_from(bytes)
        .ok()
        .filter(|need| *need >= least)
        .ok_or(SuperblockError::Bytes { bytes })?;
    if need > have {
        return Err(SuperblockError::Truncated { need, have });
    }
    Ok(need)
}
