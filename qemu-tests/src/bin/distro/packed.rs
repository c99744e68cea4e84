// SPDX-License-Identifier: GPL-2.0-only
//! An initramfs as its generator packed it: archives as they are, then those that are compressed.

use std::io::{Seek, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use qemu_tests::tools;

/// The first bytes of a frame of zstd, and of a member of gzip.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// An initramfs that is taken apart.
pub struct Packed {
    /// The archives that are not compressed.
    head: Vec<u8>,
    /// The others, decompressed.
    archive: Vec<u8>,
}

impl Packed {
    /// Decompresses what is compressed by zstd or gzip.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let (at, program) = match bytes.starts_with(GZIP) {
            true => (0, "gzip"),
            // Debian's generators may put archives in front that need not be compressed.
            false => {
                (bytes.windows(ZSTD.len()).position(|w| w == ZSTD).context("no zstd")?, "zstd")
            }
        };
        let (head, tail) = bytes.split_at(at);
        let mut file = tempfile::tempfile()?;
        file.write_all(tail)?;
        file.rewind()?;
        let archive = tools::run(Command::new(program).arg("-dcq").stdin(file))?;
        Ok(Self { head: head.to_vec(), archive })
    }

    /// Returns all archives, without compression.
    pub fn uncompressed(&self) -> Vec<u8> {
        [&self.head[..], &self.archive].concat()
    }

    /// Compresses once more what was compressed; returns how long that takes on this host.
    pub fn compress(&self, command: &str) -> Result<Duration> {
        let mut words = command.split(' ');
        let mut file = tempfile::tempfile()?;
        file.write_all(&self.archive)?;
        file.rewind()?;
        let program = words.next().context("no compressor")?;
        let mut command = Command::new(program);
        command.args(words).arg("-c").stdin(file).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status().with_context(|| format!("cannot run {program}"))?;
        ensure!(status.success(), "{program} failed ({status})");
        Ok(start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qemu_tests::fixtures::compress::{compress, Compressor};

    #[test]
    fn archives_are_decompressed_behind_those_that_are_not() -> Result<()> {
        let packed = [b"early".to_vec(), compress(b"main", Compressor::Zstd(9))?].concat();
        let packed = Packed::new(&packed)?;
        assert_eq!(packed.uncompressed(), b"earlymain");
        assert!(packed.compress("zstd -9 -q -T0")? > Duration::ZERO);
        let gzip = Packed::new(&compress(b"main", Compressor::Gzip)?)?;
        assert_eq!(gzip.uncompressed(), b"main");
        assert!(gzip.compress("gzip -9 -n")? > Duration::ZERO);
        assert!(Packed::new(b"main").is_err());
        Ok(())
    }
}
