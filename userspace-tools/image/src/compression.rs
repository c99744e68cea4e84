// SPDX-License-Identifier: GPL-2.0-only

//! Decompressing an initramfs on the host as the kernel does: `lib/decompress.c` and the files of
//! its methods.

use std::fmt;
use std::io::{self, BufRead, Write};

use initoverlayfs_core::initrd::lz4;
use thiserror::Error;

/// A method of compression that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// gzip, one member.
    Gzip,
    /// bzip2.
    Bzip2,
    /// The format of `xz --format=lzma`.
    Lzma,
    /// xz.
    Xz,
    /// The format of `lzop`.
    Lzo,
    /// The legacy format of `lz4 -l`.
    Lz4,
    /// Zstandard, one frame.
    Zstd,
}

/// Data that cannot be decompressed.
#[derive(Debug, Error)]
#[error("{method} data cannot be decompressed: {cause}")]
pub struct DecompressError {
    /// With what.
    pub method: Method,
    /// Why.
    pub cause: io::Error,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

impl Method {
    /// Returns the method of what starts here, as `decompress_method()` tells it.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes.first_chunk()? {
            [0x1f, 0x8b | 0x9e] => Self::Gzip,
            [0x42, 0x5a] => Self::Bzip2,
            [0x5d, 0x00] => Self::Lzma,
            [0xfd, 0x37] => Self::Xz,
            [0x89, 0x4c] => Self::Lzo,
            [0x02, 0x21] => Self::Lz4,
            [0x28, 0xb5] => Self::Zstd,
            _ => return None,
        })
    }

    /// Returns the name of the option that puts it into a kernel, without `CONFIG_`.
    pub fn kernel_option(self) -> &'static str {
        match self {
            Self::Gzip => "RD_GZIP",
            Self::Bzip2 => "RD_BZIP2",
            Self::Lzma => "RD_LZMA",
            Self::Xz => "RD_XZ",
            Self::Lzo => "RD_LZO",
            Self::Lz4 => "RD_LZ4",
            Self::Zstd => "RD_ZSTD",
        }
    }

    /// Decompresses what starts here; also says how many bytes that was.
    ///
    /// # Errors
    ///
    /// [`DecompressError`] if it is damaged or cut off.
    pub fn decompress(self, bytes: &[u8]) -> Result<(Vec<u8>, usize), DecompressError> {
        let mut out = Vec::new();
        let len = self.decompress_to(bytes, &mut out)?;
        Ok((out, len))
    }

    /// Decompresses what starts here to `out`; returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// [`DecompressError`] if it is damaged or cut off, or cannot be written.
    pub fn decompress_to(
        self,
        bytes: &[u8],
        out: &mut impl Write,
    ) -> Result<usize, DecompressError> {
        self.run(bytes, out).map_err(|cause| DecompressError {
            method: self,
            cause,
        })
    }

    fn run(self, bytes: &[u8], out: &mut impl Write) -> io::Result<usize> {
        let mut rest = bytes;
        match self {
            Self::Gzip => io::copy(&mut flate2::bufread::GzDecoder::new(&mut rest), out)?,
            Self::Bzip2 => io::copy(&mut bzip2::bufread::BzDecoder::new(&mut rest), out)?,
            Self::Xz => io::copy(&mut liblzma::bufread::XzDecoder::new(&mut rest), out)?,
            Self::Lzma => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(u64::MAX)?;
                let mut decoder = liblzma::bufread::XzDecoder::new_stream(&mut rest, stream);
                io::copy(&mut decoder, out)?
            }
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&mut rest)?;
                io::copy(&mut decoder.single_frame(), out)?
            }
            Self::Lz4 => {
                unlz4(bytes, out)?;
                rest.consume(lz4::walk(bytes).len);
                0
            }
            Self::Lzo => {
                let mut written = Ok(());
                let end = unlzo(bytes, |part| {
                    written = out.write_all(part);
                    written.is_ok()
                });
                written?;
                rest.consume(end.ok_or_else(|| broken("damaged or cut off"))?);
                0
            }
        };
        Ok(bytes.len() - rest.len())
    }
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

/// Decompresses the legacy format: a magic, then blocks of up to 8 MiB, each behind its compressed length.
fn unlz4(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    const MAGIC: u32 = 0x184c_2102;
    const LARGEST_BLOCK: usize = 8 << 20;
    let extent = lz4::walk(bytes);
    if extent.is_damaged {
        return Err(broken("a block reaches too far"));
    }
    let mut rest = bytes.get(..extent.len).unwrap_or_default();
    while let Some((length, behind)) = rest.split_first_chunk() {
        rest = behind;
        let length = u32::from_le_bytes(*length);
        if length == MAGIC {
            continue;
        }
        let length = usize::try_from(length).map_err(|_| broken("a block is too long"))?;
        let Some((block, behind)) = rest.split_at_checked(length) else {
            break;
        };
        rest = behind;
        let mut part = vec![0; LARGEST_BLOCK];
        let size = lz4_flex::block::decompress_into(block, &mut part)
            .map_err(|error| broken(&error.to_string()))?;
        out.write_all(&part[..size])?;
    }
    Ok(())
}

/// Decompresses the format of lzop, as `lib/decompress_unlzo.c` reads it: a header, then blocks behind their two
/// lengths, up to a length of zero. Returns how far it reached, unless `put` says that it takes no more.
fn unlzo(bytes: &[u8], mut put: impl FnMut(&[u8]) -> bool) -> Option<usize> {
    const LARGEST_BLOCK: usize = 256 << 10;
    const HAS_FILTER: u32 = 0x800;
    let number = |at: usize| -> Option<usize> {
        let field = bytes.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*field)).ok()
    };
    let version = u16::from_be_bytes(*bytes.get(9..)?.first_chunk()?);
    // Magic, three versions, the method, and its level since version 0.940.
    let mut at = if version >= 0x940 { 17 } else { 16 };
    let flags = u32::try_from(number(at)?).ok()?;
    // Flags, filter, mode, time, and its upper half since the same version.
    at += if flags & HAS_FILTER != 0 { 8 } else { 4 };
    at += if version >= 0x940 { 12 } else { 8 };
    let name_len = usize::from(*bytes.get(at)?);
    // A name behind its length, and a checksum.
    at += 1 + name_len + 4;
    loop {
        let size = number(at)?;
        at += 4;
        if size == 0 {
            return Some(at);
        }
        let compressed = number(at)?;
        if size > LARGEST_BLOCK || compressed > size {
            return None;
        }
        // A checksum of the result; the kernel reads no other.
        at += 8;
        let block = bytes.get(at..at.checked_add(compressed)?)?;
        if compressed == size {
            put(block).then_some(())?;
        } else {
            let part = lzokay_native::decompress_all(block, Some(size)).ok()?;
            if part.len() != size {
                return None;
            }
            put(&part).then_some(())?;
        }
        at += compressed;
    }
}
