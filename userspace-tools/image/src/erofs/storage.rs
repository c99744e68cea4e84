// SPDX-License-Identifier: GPL-2.0-only

//! The ways in which an image stores the contents of files.

use super::ErofsError;

/// The way in which a piece of a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Not compressed, like all of its file.
    Uncompressed,
    /// Compressed by LZ4.
    Lz4,
    /// Compressed by LZMA.
    Lzma,
    /// Compressed by Deflate.
    Deflate,
    /// Compressed by Zstandard.
    Zstd,
    /// Not compressed, in a compressed file: compression did not make this piece smaller.
    Incompressible,
}

impl Storage {
    /// Every way, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Uncompressed,
        Self::Lz4,
        Self::Lzma,
        Self::Deflate,
        Self::Zstd,
        Self::Incompressible,
    ];

    /// Returns the name: that of an algorithm, "uncompressed" or "incompressible".
    pub fn name(self) -> &'static str {
        match self {
            Self::Uncompressed => "uncompressed",
            Self::Lz4 => "lz4",
            Self::Lzma => "lzma",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
            Self::Incompressible => "incompressible",
        }
    }

    /// Returns the algorithm with this number: `Z_EROFS_COMPRESSION_*`, 0 to 3. Nothing for another number.
    pub(super) fn of_algorithm(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Lz4),
            1 => Some(Self::Lzma),
            2 => Some(Self::Deflate),
            3 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Bytes, for each way in which they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts([u64; Storage::ALL.len()]);

impl Amounts {
    /// Returns the bytes that are stored in one way.
    pub fn of(&self, storage: Storage) -> u64 {
        self.0[storage as usize]
    }

    /// Returns all bytes; [`u64::MAX`] if there are more.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, more| sum.saturating_add(*more))
    }

    /// Returns the way in which most bytes are stored.
    pub(super) fn main(&self) -> Storage {
        let all = Storage::ALL.into_iter().rev();
        let most = all.max_by_key(|storage| self.of(*storage));
        most.unwrap_or(Storage::Uncompressed)
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Damaged`] if the sum is too large.
    pub(super) fn add(&mut self, storage: Storage, bytes: u64) -> Result<(), ErofsError> {
        let sum = &mut self.0[storage as usize];
        let damaged = ErofsError::Damaged("the size of a file", 0);
        *sum = sum.checked_add(bytes).ok_or(damaged)?;
        Ok(())
    }
}
