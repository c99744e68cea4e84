// SPDX-License-Identifier: GPL-2.0-only

//! Digests of the algorithms that fs-verity has.

use core::fmt;

/// The size of the largest digest, in bytes.
pub const MAX_DIGEST: usize = 64;

/// A hash algorithm that fs-verity has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `FS_VERITY_HASH_ALG_SHA256`.
    Sha256,
    /// `FS_VERITY_HASH_ALG_SHA512`.
    Sha512,
}

impl Algorithm {
    /// All members.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// fs-verity's number for it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// Returns its name, as fsverity-utils and the kernel spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the size of its digests, in bytes: a power of two.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Returns the size of the blocks that the algorithm works on, in bytes. fs-verity pads a salt
    /// to that.
    pub const fn input_block(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A digest, of whichever algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    algorithm: Algorithm,
    /// NULs behind the digest's own size.
    bytes: [u8; MAX_DIGEST],
}

impl Digest {
    /// Returns the digest that starts `bytes`; [`None`] if they are too few.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let digest = bytes.get(..algorithm.digest_len())?;
        let mut padded = [0; MAX_DIGEST];
        padded.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self::from_padded(algorithm, padded))
    }

    /// Returns the digest in an array that has NULs behind it.
    pub fn from_padded(algorithm: Algorithm, bytes: [u8; MAX_DIGEST]) -> Self {
        Self { algorithm, bytes }
    }

    /// Reads `hex`, in digits of either case.
    pub fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        if hex.len() != algorithm.digest_len().checked_mul(2)? {
            return None;
        }
        let digit = |at: usize| char::from(*hex.get(at)?).to_digit(16);
        let mut bytes = [0; MAX_DIGEST];
        for (at, byte) in bytes.iter_mut().take(algorithm.digest_len()).enumerate() {
            let high = digit(at.checked_mul(2)?)?;
            let low = digit(at.checked_mul(2)?.checked_add(1)?)?;
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self::from_padded(algorithm, bytes))
    }

    /// Returns which algorithm made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..self.algorithm.digest_len())
            .unwrap_or(&self.bytes)
    }
}

/// `sha256:` and the hexadecimal digits, as the boot parameter and fsverity-utils have it.
impl fmt::LowerHex for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        f.write_str(":")?;
        self.bytes()
            .iter()
            .try_for_each(|byte| fmt::write(f, format_args!("{byte:02x}")))
    }
}

/// Computes the digest of some pieces that follow each other.
///
/// The kernel passes its own library, the host a crate: neither has to be written twice.
pub type Hash = fn(algorithm: Algorithm, pieces: &[&[u8]]) -> Digest;
