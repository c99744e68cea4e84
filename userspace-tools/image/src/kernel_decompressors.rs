// SPDX-License-Identifier: GPL-2.0-only

//! Streams that the usual tools write and the kernel's decompressors do not read: `lib/decompress_*.c`,
//! `lib/xz`.

use crate::compression::Method;

/// A demand on the kernel to decompress something, or the reason why none can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// An option, without `CONFIG_`.
    Option(&'static str),
    /// No kernel reads it: what it is, and how to make something else.
    Never(&'static str),
}

/// Returns what the start of compressed data demands of a kernel that has the method.
pub fn demands(method: Method, bytes: &[u8]) -> Vec<Demand> {
    match method {
        Method::Gzip => gzip(bytes).into_iter().collect(),
        Method::Xz => xz(bytes),
        // The others are read on the host as the kernel does.
        Method::Bzip2 | Method::Lzma | Method::Lzo | Method::Lz4 | Method::Zstd => Vec::new(),
    }
}

/// Passes over a file name, the only field in the header that `gunzip()` passes over.
fn gzip(bytes: &[u8]) -> Option<Demand> {
    const NOT_DEFLATE: &str = "gzip data of an old kind: compress it anew";
    const FIELDS: &str =
        "gzip data with an extra field, a comment or a checksum in its header: compress it with `gzip -n`";
    /// `FHCRC`, `FEXTRA`, `FCOMMENT`.
    const PASSED_OVER_BY_NOBODY: u8 = 2 | 4 | 16;
    match bytes {
        [0x1f, 0x8b, 8, flags, ..] => {
            (flags & PASSED_OVER_BY_NOBODY != 0).then_some(Demand::Never(FIELDS))
        }
        _ => Some(Demand::Never(NOT_DEFLATE)),
    }
}

/// `xz_dec_stream.c` has one checksum, and one filter in front of LZMA2, of those that the kernel is built with.
fn xz(bytes: &[u8]) -> Vec<Demand> {
    const CHECK: &str =
        "xz data with another checksum than CRC32: compress it with `xz --check=crc32`";
    const FILTERS: &str = "xz data with filters that no kernel has: compress it without";
    /// Stream header: magic, a zero, the check, a checksum.
    const CHECK_AT: usize = 7;
    const BLOCK_AT: usize = 12;
    let mut demands = Vec::new();
    if bytes.get(CHECK_AT).is_some_and(|check| *check > 1) {
        demands.push(Demand::Never(CHECK));
    }
    // Block header: its size, flags, two sizes if flagged, then the filters. A size of 0 begins the index.
    let (flags, mut rest) = match bytes.get(BLOCK_AT..) {
        Some([size, flags, rest @ ..]) if *size > 0 => (flags, rest),
        _ => return demands,
    };
    let mut number = || -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    };
    for flag in [0x40, 0x80] {
        if flags & flag != 0 {
            number();
        }
    }
    if flags & 3 > 0 {
        let filter = number();
        demands.push(match filter.filter(|_| flags & 3 == 1) {
            Some(0x04) => Demand::Option("XZ_DEC_X86"),
            Some(0x05) => Demand::Option("XZ_DEC_POWERPC"),
            Some(0x07) => Demand::Option("XZ_DEC_ARM"),
            Some(0x08) => Demand::Option("XZ_DEC_ARMTHUMB"),
            Some(0x09) => Demand::Option("XZ_DEC_SPARC"),
            Some(0x0a) => Demand::Option("XZ_DEC_ARM64"),
            Some(0x0b) => Demand::Option("XZ_DEC_RISCV"),
            _ => Demand::Never(FILTERS),
        });
    }
    demands
}
