// SPDX-License-Identifier: GPL-2.0-only

//! Lines of the summary about the size of a new image: what it is made of, and what would make it smaller.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use indicatif::HumanBytes;
use initoverlayfs_image::content::Content;
use initoverlayfs_image::erofs::{ErofsError, FileSize, Sizes};

use crate::describe::{largest, sizes};

/// A part of an image is worth a line if the image has no more than this many times its bytes.
const WORTH: u64 = 4;

/// Ends of names of files that are compressed themselves.
const COMPRESSED: [&[u8]; 3] = [b".xz", b".zst", b".gz"];

/// The size of a new EROFS image.
pub struct SizeSummary {
    counted: Result<Sizes, ErofsError>,
    /// Bytes of the image.
    size: u64,
}

impl SizeSummary {
    /// Counts the bytes of an image. It is mapped, and not held in memory.
    pub fn of(image: &Path) -> Result<Self> {
        let image = Content::read(File::open(image)?)?;
        Ok(Self {
            counted: Sizes::of(image.bytes()),
            size: u64::try_from(image.bytes().len())?,
        })
    }

    /// Says what it is made of.
    pub fn report(&self) {
        match &self.counted {
            Ok(counted) => eprintln!("  {}", sizes::line(counted)),
            Err(error) => eprintln!("  sizes not known: {error}"),
        }
    }

    /// Says what would make it smaller, if anything would make much of a difference. The files that start init have so
    /// many bytes uncompressed.
    pub fn report_remedy(&self, startup: u64) {
        let Ok(counted) = &self.counted else {
            return;
        };
        let drivers = counted.files.iter().filter(|file| is_driver(&file.path));
        let stored = |file: &FileSize| file.stored.total();
        let drivers: u64 = drivers.map(stored).fold(0, u64::saturating_add);
        let is_worth_it = |bytes: u64| bytes.saturating_mul(WORTH) >= self.size;
        if is_worth_it(startup) && startup >= drivers {
            let bytes = HumanBytes(startup);
            eprintln!("  smaller with --compress-init, and init starts later: {bytes} are uncompressed for it");
        } else if is_worth_it(drivers) {
            let compressed = counted.files.iter().filter(|file| {
                is_driver(&file.path) && COMPRESSED.iter().any(|end| file.path.ends_with(end))
            });
            let compressed: u64 = compressed.map(stored).fold(0, u64::saturating_add);
            let already = if compressed.saturating_mul(2) >= drivers {
                ", compressed already"
            } else {
                ""
            };
            let bytes = HumanBytes(drivers);
            eprintln!("  smaller with fewer drivers: {bytes} are modules and firmware{already}");
        }
    }

    /// Lists the largest parts.
    pub fn explain(&self) {
        let lines = self.counted.as_ref().map(largest::lines);
        for line in lines.unwrap_or_default() {
            eprintln!("{line}");
        }
    }
}

/// Returns whether a file is a kernel module or firmware.
fn is_driver(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"usr/").unwrap_or(path);
    [&b"lib/modules/"[..], b"lib/firmware/"]
        .iter()
        .any(|place| path.starts_with(place))
}
