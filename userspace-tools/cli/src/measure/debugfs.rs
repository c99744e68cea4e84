// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's statistics in `/sys/kernel/debug/initoverlayfs`, read into numbers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::measure::holders::{self, Holder};
use crate::terminal::files::read;

/// The bytes of a block as the kernel counts them, whatever the image's own blocks are.
pub const BLOCK: u64 = 4096;

/// The statistics of a boot.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// The phases, in their order.
    pub phases: Vec<Phase>,
    /// The layers of the root, the lowest first.
    pub layers: Vec<Layer>,
    /// Who still uses it, after the switch to another root.
    pub holders: Vec<Holder>,
}

/// A step of the boot.
#[derive(Debug, Serialize)]
pub struct Phase {
    /// The kernel's name for it.
    pub name: String,
    /// The time that it took.
    pub nanoseconds: u64,
}

/// A layer.
#[derive(Debug, Serialize)]
pub struct Layer {
    /// The number, from 0.
    pub layer: usize,
    /// `cpio`, or the filesystem: `erofs`, `btrfs`, `squashfs`, `ext4`.
    pub kind: String,
    /// Bytes of its segment.
    pub bytes: u64,
    /// Bytes of the initrd's memory that are still held for it.
    pub held: u64,
    /// The number of reads.
    pub reads: u64,
    /// Bytes that were copied out of it, each as often as it was read.
    pub served: u64,
    /// Blocks of 4096 bytes that were read at least once.
    pub touched: u64,
}

/// The blocks that were read at least once.
#[derive(Debug, Default)]
pub struct Touched(BTreeMap<usize, Vec<Range<u64>>>);

impl Stats {
    /// Reads all but the blocks; processes are those in `proc`.
    pub fn read(directory: &Path, proc: &Path) -> Result<Self> {
        let layers = Layer::read(directory)?;
        // Once the memory is back, the number is free for other filesystems.
        let is_held = layers.iter().any(|layer| layer.held > 0);
        let device = device(directory).filter(|_| is_held);
        Ok(Self {
            holders: device.map_or_else(Vec::new, |device| holders::find(proc, device)),
            phases: records(directory, "phases", |words| {
                Some(Phase {
                    name: words.next()?.to_owned(),
                    nanoseconds: number(words)?,
                })
            })?,
            layers,
        })
    }
}

/// Returns the major and minor number of the root's device; nothing if this kernel does not tell.
fn device(directory: &Path) -> Option<(u32, u32)> {
    let text = read(&directory.join("device")).ok()?;
    let (major, minor) = std::str::from_utf8(&text).ok()?.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Layer {
    /// Reads all of them.
    pub fn read(directory: &Path) -> Result<Vec<Self>> {
        records(directory, "layers", |words| {
            Some(Self {
                layer: number(words)?,
                kind: words.next()?.to_owned(),
                bytes: number(words)?,
                held: number(words)?,
                reads: number(words)?,
                served: number(words)?,
                touched: number(words)?,
            })
        })
    }
}

impl Touched {
    /// Reads all of them.
    pub fn read(directory: &Path) -> Result<Self> {
        let ranges = records(directory, "touched", |words| {
            let (layer, first, last) = (number(words)?, number(words)?, number::<u64>(words)?);
            let bytes = |block: u64| block.checked_mul(BLOCK);
            Some((layer, bytes(first)?..bytes(last.checked_add(1)?)?))
        })?;
        let mut touched = Self::default();
        for (layer, range) in ranges {
            touched.0.entry(layer).or_default().push(range);
        }
        for ranges in touched.0.values_mut() {
            ranges.sort_by_key(|range| range.start);
        }
        Ok(touched)
    }

    /// Returns how many of these bytes of a layer's image lie in blocks that were read.
    pub fn within(&self, layer: usize, bytes: &Range<u64>) -> u64 {
        let ranges = self.0.get(&layer).map(Vec::as_slice).unwrap_or_default();
        // They do not overlap each other, so their ends are in order as well.
        let next = ranges.partition_point(|range| range.end <= bytes.start);
        ranges
            .iter()
            .skip(next)
            .take_while(|range| range.start < bytes.end)
            .map(|range| range.end.min(bytes.end) - range.start.max(bytes.start))
            .sum()
    }
}

/// Reads a file of one record a line; a line that starts with `#` is a comment. Words behind those
/// that are known here may come with later kernels.
fn records<T>(
    directory: &Path,
    name: &str,
    record: impl Fn(&mut dyn Iterator<Item = &str>) -> Option<T>,
) -> Result<Vec<T>> {
    let path = directory.join(name);
    let text = read(&path)?;
    let text = String::from_utf8_lossy(&text);
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            record(&mut line.split_whitespace()).with_context(|| {
                let place = format!("{}, line {}", path.display(), index + 1);
                format!("{place}: not what this version of the command understands: {line}")
            })
        })
        .collect()
}

fn number<T: FromStr>(words: &mut dyn Iterator<Item = &str>) -> Option<T> {
    words.next()?.parse().ok()
}
