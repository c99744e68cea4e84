// SPDX-License-Identifier: GPL-2.0-only

//! The trailer that seals an image: a Merkle tree, its descriptor, and a signature.
//!
//! The formats are those of fs-verity (`Documentation/filesystems/fsverity.rst` in the kernel's
//! source), so that fsverity-utils compute and sign the same thing for the bare image:
//!
//! ```text
//! image          padded to a multiple of 4096 bytes
//! header block   64 bytes of header, struct fsverity_descriptor, NULs
//! tree           blocks of 4096 bytes, the root's first
//! signature      PKCS#7 in DER, maybe none; padded to a multiple of 4096 bytes
//! ```
//!
//! `Documentation/image-format.rst` has it byte by byte. Pure, as the host shares it.

use core::ops::Range;

use super::{
    digest::{
        Algorithm,
        Digest,
        Hash,
        MAX_DIGEST, //
    },
    merkle::{
        Shape,
        BLOCK,
        MAX_SALT, //
    }, //
};

/// The first bytes of the header.
pub const MAGIC: [u8; 8] = *b"iofsSEAL";

/// The version of the trailer's format.
pub const VERSION: u16 = 1;

/// The size of the block that holds header and descriptor, in bytes. The tree follows.
pub const HEADER_BLOCK: usize = BLOCK;

/// The place of the descriptor in it, in bytes.
pub const DESCRIPTOR_AT: usize = 64;

/// The size of `struct fsverity_descriptor`, in bytes.
pub const DESCRIPTOR_LEN: usize = 256;

/// The largest signature, in bytes: fs-verity's limit for descriptor and signature is 16 KiB.
pub const MAX_SIGNATURE: usize = 16384 - DESCRIPTOR_LEN;

/// The first bytes of `struct fsverity_formatted_digest`.
const FORMATTED_MAGIC: [u8; 8] = *b"FSVerity";

/// The size of that struct without the digest, in bytes.
const FORMATTED_HEAD: usize = 12;

/// Offset of the version in the header, 16 bits.
pub const VERSION_AT: usize = 8;
/// Offset of the signature's size in bytes in the header, 32 bits.
pub const SIGNATURE_LEN_AT: usize = 12;
/// Offset of the trailer's size in bytes in the header, 64 bits.
pub const TRAILER_LEN_AT: usize = 16;
/// From here on the header is zero.
const HEADER_RESERVED_AT: usize = 24;

/// Offset of the number of the hash algorithm in the descriptor.
pub const ALGORITHM_AT: usize = 1;
/// Offset of the size of the blocks in the descriptor, as a power of two.
pub const BLOCK_BITS_AT: usize = 2;
/// Offset of the salt's size in bytes in the descriptor.
pub const SALT_LEN_AT: usize = 3;
/// From here up to the size of the data, the descriptor is zero.
const RESERVED_4_AT: usize = 4;
/// Offset of the data's size in bytes in the descriptor, 64 bits.
pub const DATA_LEN_AT: usize = 8;
/// Offset of the root hash in the descriptor.
pub const ROOT_HASH_AT: usize = 16;
/// Offset of the salt in the descriptor.
pub const SALT_AT: usize = 80;
/// From here on the descriptor is zero.
const RESERVED_AT: usize = 112;

/// `log_blocksize`: blocks of 4096 bytes.
pub const BLOCK_BITS: u8 = 12;

/// A problem of a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The buffer ends before the trailer does.
    Truncated {
        /// The size that the header states, in bytes.
        need: u64,
        /// The rest of the buffer, in bytes.
        have: usize,
    },
    /// The header's version is another one.
    Version(u16),
    /// fs-verity's descriptor has another version.
    DescriptorVersion(u8),
    /// fs-verity's number of the hash algorithm is not one that is known.
    Algorithm(u8),
    /// The tree's blocks do not have 4096 bytes: their size as a power of two.
    BlockBits(u8),
    /// The descriptor is for other data: their size, in bytes.
    DataLen(u64),
    /// Sizes of the trailer's parts do not add up to the size that the header states.
    Sizes,
    /// A reserved field that is not zero.
    Reserved,
}

/// Returns a little-endian field.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Returns whether all of these bytes are there, and zero.
fn is_zero(bytes: &[u8], range: Range<usize>) -> bool {
    bytes
        .get(range)
        .is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

/// Returns how many bytes behind the start of an image of `len` bytes its trailer starts.
pub fn trailer_at(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(BLOCK)
}

/// Returns the size of the trailer that `bytes` start with, which may go on behind it; [`None`] if
/// there is none.
///
/// Any version of the format is skipped this way, and nothing but the size is checked.
///
/// # Errors
///
/// [`SealError::Truncated`], and [`SealError::Sizes`] if the size is none that a trailer has.
pub fn extent(bytes: &[u8]) -> Result<Option<usize>, SealError> {
    if !bytes.starts_with(&MAGIC) {
        return Ok(None);
    }
    let truncated = |need| SealError::Truncated {
        need,
        have: bytes.len(),
    };
    let need = field(bytes, TRAILER_LEN_AT)
        .map(u64::from_le_bytes)
        .ok_or(truncated(0))?;
    let len = usize::try_from(need).map_err(|_| truncated(need))?;
    if len < HEADER_BLOCK || len % BLOCK != 0 {
        return Err(SealError::Sizes);
    }
    if len > bytes.len() {
        return Err(truncated(need));
    }
    Ok(Some(len))
}

/// A trailer whose fields make sense. Nothing is compared with the image yet.
#[derive(Clone, Copy, Debug)]
pub struct Seal<'a> {
    /// The bytes that the digest is computed of.
    descriptor: &'a [u8],
    /// The layout of the tree, and its root hash.
    pub shape: Shape,
    /// The tree's blocks.
    pub tree: &'a [u8],
    /// The signature; empty if there is none.
    pub signature: &'a [u8],
}

impl<'a> Seal<'a> {
    /// Reads the trailer of an image of `len` bytes.
    ///
    /// # Errors
    ///
    /// Each [`SealError`].
    pub fn parse(trailer: &'a [u8], len: usize) -> Result<Self, SealError> {
        let truncated = SealError::Truncated {
            need: u64::try_from(HEADER_BLOCK).unwrap_or(u64::MAX),
            have: trailer.len(),
        };
        if extent(trailer)? != Some(trailer.len()) {
            return Err(SealError::Sizes);
        }
        let (header, behind) = trailer.split_at_checked(HEADER_BLOCK).ok_or(truncated)?;
        let version = field(header, VERSION_AT).map_or(0, u16::from_le_bytes);
        if version != VERSION {
            return Err(SealError::Version(version));
        }
        let descriptor_end = DESCRIPTOR_AT + DESCRIPTOR_LEN;
        let descriptor = header.get(DESCRIPTOR_AT..descriptor_end).ok_or(truncated)?;
        if !is_zero(header, VERSION_AT + 2..SIGNATURE_LEN_AT)
            || !is_zero(header, HEADER_RESERVED_AT..DESCRIPTOR_AT)
            || !is_zero(header, descriptor_end..HEADER_BLOCK)
        {
            return Err(SealError::Reserved);
        }

        let shape = shape(descriptor, len)?;
        let signature_len = field(header, SIGNATURE_LEN_AT).map_or(0, u32::from_le_bytes);
        let signature_len = usize::try_from(signature_len)
            .ok()
            .filter(|len| *len <= MAX_SIGNATURE)
            .ok_or(SealError::Sizes)?;
        let (tree, rest) = behind
            .split_at_checked(shape.tree_len())
            .ok_or(SealError::Sizes)?;
        let (signature, padding) = rest
            .split_at_checked(signature_len)
            .ok_or(SealError::Sizes)?;
        if padding.len() >= BLOCK {
            return Err(SealError::Sizes);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(SealError::Reserved);
        }
        Ok(Self {
            descriptor,
            shape,
            tree,
            signature,
        })
    }

    /// Returns the fs-verity digest of the image: the digest of its descriptor.
    pub fn digest(&self, hash: Hash) -> Digest {
        hash(self.shape.algorithm(), &[self.descriptor])
    }
}

/// Reads the descriptor of `len` bytes of data.
fn shape(descriptor: &[u8], len: usize) -> Result<Shape, SealError> {
    let byte = |at: usize| descriptor.get(at).copied().unwrap_or(0);
    if byte(0) != 1 {
        return Err(SealError::DescriptorVersion(byte(0)));
    }
    let number = byte(ALGORITHM_AT);
    let algorithm = Algorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.number() == number)
        .ok_or(SealError::Algorithm(number))?;
    if byte(BLOCK_BITS_AT) != BLOCK_BITS {
        return Err(SealError::BlockBits(byte(BLOCK_BITS_AT)));
    }
    let data_len = field(descriptor, DATA_LEN_AT).map_or(0, u64::from_le_bytes);
    if u64::try_from(len).ok() != Some(data_len) {
        return Err(SealError::DataLen(data_len));
    }
    let salt_end = usize::from(byte(SALT_LEN_AT)).saturating_add(SALT_AT);
    let salt = descriptor
        .get(SALT_AT..salt_end)
        .filter(|salt| salt.len() <= MAX_SALT)
        .ok_or(SealError::Sizes)?;
    let root_end = ROOT_HASH_AT.saturating_add(algorithm.digest_len());
    if !is_zero(descriptor, RESERVED_4_AT..DATA_LEN_AT)
        || !is_zero(descriptor, root_end..SALT_AT)
        || !is_zero(descriptor, salt_end..RESERVED_AT)
        || !is_zero(descriptor, RESERVED_AT..DESCRIPTOR_LEN)
    {
        return Err(SealError::Reserved);
    }
    let root_hash = descriptor.get(ROOT_HASH_AT..root_end).unwrap_or(&[]);
    let root_hash = Digest::new(algorithm, root_hash).ok_or(SealError::Sizes)?;
    Shape::new(len, root_hash, salt).ok_or(SealError::Sizes)
}

/// The bytes that are signed: `struct fsverity_formatted_digest`.
pub struct Formatted {
    bytes: [u8; FORMATTED_HEAD + MAX_DIGEST],
    len: usize,
}

impl Formatted {
    /// That of a digest.
    pub fn new(digest: &Digest) -> Self {
        let mut bytes = [0; FORMATTED_HEAD + MAX_DIGEST];
        let size = digest.bytes().len();
        let pieces: [&[u8]; 4] = [
            &FORMATTED_MAGIC,
            &u16::from(digest.algorithm().number()).to_le_bytes(),
            // CAST: At most 64.
            &(size as u16).to_le_bytes(),
            digest.bytes(),
        ];
        let source = pieces.into_iter().flatten();
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = *from;
        }
        Self {
            bytes,
            len: FORMATTED_HEAD.saturating_add(size),
        }
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}
