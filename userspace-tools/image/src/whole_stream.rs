// SPDX-License-Identifier: GPL-2.0-only

//! Compressed tarballs, decompressed as the usual tools do it: all that stands behind each other is one
//! stream. The kernel reads an initramfs in another way: see [`crate::compression`].

use std::io::{self, BufRead, Write};

use crate::compression::{DecompressError, Method};
use crate::content::{Content, Sink};

/// The first bytes of a frame in the current format of lz4.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// The bytes that a skippable frame of zstd or lz4 begins with, behind the first.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Names of formats that are recognised and not read, with their first bytes.
const UNKNOWN: [(&str, &[u8]); 4] = [
    ("compress", &[0x1f, 0x9d]),
    ("lzip", b"LZIP"),
    ("lrzip", b"LRZI"),
    ("zip", b"PK\x03\x04"),
];

/// Returns the name of the format that the bytes are in, if it is a compressed one that is not read here.
pub fn unknown_format(bytes: &[u8]) -> Option<&'static str> {
    let mut formats = UNKNOWN.iter();
    let (name, _) = formats.find(|(_, magic)| bytes.starts_with(magic))?;
    Some(name)
}

/// Returns the bytes decompressed, or as they are if they are not compressed.
///
/// Members of gzip, frames of zstd and lz4, streams of xz and bzip2 follow each other, with NUL bytes
/// behind them (between streams of xz as well), and with skippable frames anywhere.
///
/// # Errors
///
/// [`DecompressError`] if they are damaged, break off, or have anything else behind them.
pub fn decompress(source: &Content) -> Result<Content, DecompressError> {
    let mut rest = source.bytes();
    let Some(first) = next(rest) else {
        return Ok(source.clone());
    };
    let mut out = Sink::default();
    while rest.iter().any(|byte| *byte != 0) {
        if matches!(first, Part::Known(Method::Xz)) {
            let padding = rest.iter().take_while(|byte| **byte == 0).count();
            rest.consume(padding);
        }
        let part = next(rest).unwrap_or(first);
        part.decompress(&mut rest, &mut out)
            .map_err(|cause| DecompressError {
                method: part.method(),
                cause,
            })?;
    }
    out.finish().map_err(|cause| DecompressError {
        method: first.method(),
        cause,
    })
}

/// A part of the stream.
#[derive(Clone, Copy)]
enum Part {
    /// In a format that the kernel knows as well.
    Known(Method),
    /// A frame of lz4 in its current format.
    Lz4Frame,
    /// A frame that holds nothing.
    Skippable,
}

/// Returns the part that starts here.
fn next(bytes: &[u8]) -> Option<Part> {
    match bytes.first_chunk()? {
        &LZ4_FRAME => Some(Part::Lz4Frame),
        [0x50..=0x5f, magic @ ..] if *magic == SKIPPABLE => Some(Part::Skippable),
        _ => Method::of(bytes).map(Part::Known),
    }
}

impl Part {
    /// Returns the method to name in a message.
    fn method(self) -> Method {
        match self {
            Self::Known(method) => method,
            Self::Lz4Frame => Method::Lz4,
            Self::Skippable => Method::Zstd,
        }
    }

    /// Decompresses the part at the start of `rest`, and takes it off.
    fn decompress(self, rest: &mut &[u8], out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Known(method) => {
                let len = method.decompress_to(rest, out);
                let len = len.map_err(|error| error.cause)?;
                rest.consume(len);
            }
            Self::Lz4Frame => {
                let mut decoder = lz4_flex::frame::FrameDecoder::new(&mut *rest);
                io::copy(&mut decoder, out)?;
            }
            Self::Skippable => {
                let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
                let (_, behind) = rest.split_at_checked(4).ok_or_else(cut_off)?;
                let (len, behind) = behind.split_first_chunk().ok_or_else(cut_off)?;
                let len = usize::try_from(u32::from_le_bytes(*len)).map_err(io::Error::other)?;
                *rest = behind.get(len..).ok_or_else(cut_off)?;
            }
        }
        Ok(())
    }
}
