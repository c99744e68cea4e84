// SPDX-License-Identifier: GPL-2.0-only
//! Whose initramfs images are compared, and as what kinds of initrd each is booted.

use std::path::PathBuf;

use anyhow::{Context, Result};
use qemu_tests::tools;

use crate::images::Convert;

/// Ways to convert: as usual, and as small as it gets.
pub const MIXED: Convert = &[];
pub const SMALL: Convert = &["--small"];
const LZ4HC: Convert = &["--compression", "lz4hc"];
const PLAIN: Convert = &["--compression", "none"];

/// A program that makes an initramfs.
pub struct Generator {
    pub name: &'static str,
    /// Its image.
    file: &'static str,
    /// The command that compresses the image. Its level is the generator's own.
    pub compressor: &'static str,
    /// The kinds that are booted, up to a running system; none if its root is not Debian's disk.
    pub kinds: &'static [Kind],
    /// The place that a boot with little memory has to reach.
    pub landmark: Landmark,
    /// Says where the image comes from, if `scripts/distro` does not make it for every machine.
    pub elsewhere: Option<&'static str>,
}

/// A place in a boot that shows that there was memory enough.
#[derive(Clone, Copy)]
pub enum Landmark {
    /// The init of Debian's disk starts.
    RealInit,
    /// The installer asks its first question, and prints this.
    Question(&'static str),
}

/// A kind of initrd that is made of an initramfs.
pub struct Kind {
    pub name: &'static str,
    pub how: How,
}

/// How it is made.
#[derive(Clone, Copy)]
pub enum How {
    /// Not at all.
    Stock,
    /// Its archives are decompressed.
    Uncompressed,
    /// Converted with these options.
    Converted(Convert),
    /// Converted with these options and a list of the files that a boot from the kind before has read.
    Profiled(Convert),
}

const fn kind(name: &'static str, how: How) -> Kind {
    Kind { name, how }
}

/// The names of the kinds that are compared in words.
pub const STOCK: &str = "as it is";
pub const OURS: &str = "EROFS mixed";

const ALL: &[Kind] = &[
    kind(STOCK, How::Stock),
    kind("cpio", How::Uncompressed),
    kind(OURS, How::Converted(MIXED)),
    kind("EROFS small", How::Converted(SMALL)),
    kind("EROFS lz4hc", How::Converted(LZ4HC)),
    kind("EROFS lz4hc, profiled", How::Profiled(LZ4HC)),
    kind("EROFS plain", How::Converted(PLAIN)),
];

const MAIN: &[Kind] = &[
    kind(STOCK, How::Stock),
    kind(OURS, How::Converted(MIXED)),
    kind("EROFS small", How::Converted(SMALL)),
    kind("EROFS lz4hc", How::Converted(LZ4HC)),
];

const QUESTION: &str = "Prompt: '?' for help";

/// All of them. What `scripts/distro --install` makes is for the kernel under test, which has no modules.
pub const GENERATORS: [Generator; 6] = [
    Generator {
        name: "dracut",
        file: "dracut",
        compressor: "zstd -15 -q -T0",
        kinds: ALL,
        landmark: Landmark::RealInit,
        elsewhere: None,
    },
    Generator {
        name: "dracut, host only",
        file: "dracut-hostonly",
        compressor: "zstd -15 -q -T0",
        kinds: MAIN,
        landmark: Landmark::RealInit,
        elsewhere: None,
    },
    Generator {
        name: "initramfs-tools",
        file: "initramfs-tools",
        compressor: "zstd -9 -q -T0",
        kinds: ALL,
        landmark: Landmark::RealInit,
        elsewhere: None,
    },
    Generator {
        name: "mkosi-initrd, no modules",
        file: "mkosi",
        compressor: "zstd -3 -q -T0",
        kinds: MAIN,
        landmark: Landmark::RealInit,
        elsewhere: Some("`scripts/distro --install` makes it, as root"),
    },
    Generator {
        name: "installer, text",
        file: "installer",
        compressor: "gzip -9 -n",
        kinds: &[],
        landmark: Landmark::Question(QUESTION),
        elsewhere: None,
    },
    Generator {
        name: "installer, gtk",
        file: "installer-gtk",
        compressor: "gzip -9 -n",
        kinds: &[],
        landmark: Landmark::Question(QUESTION),
        elsewhere: Some("Debian does not have it for every machine"),
    },
];

impl Generator {
    /// Returns its image; nothing, with a word on why, if this one does not have to be there.
    pub fn image(&self) -> Result<Option<PathBuf>> {
        match (tools::made(&format!("{}.img", self.file)), self.elsewhere) {
            (Err(error), Some(reason)) => {
                eprintln!("distro: without {}: {error}; {reason}", self.name);
                Ok(None)
            }
            (image, _) => image.map(Some).context("scripts/distro makes it"),
        }
    }
}
