// SPDX-License-Identifier: GPL-2.0-only
//! Boots mutated initrds, real images with random damage, and counts how they end.
//!
//! The damage follows from the seed alone, so that any boot can be made again. Most of the damaged
//! images lie below a sound one: `/init` works, and reads everything that the damage left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{ensure, Context, Result};
use clap::Parser;
use qemu_tests::fixtures::cpio::{self, Compressor};
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::superblock::seal;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::{self, Outcome};
use qemu_tests::scenario::with_fallback;

/// Values that arithmetic stumbles over.
const EXTREMES: [u32; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];

/// Boots mutated initrds and counts how they end. Exit 1 after an oops, a hang, or the like.
#[derive(Parser)]
struct Arguments {
    /// How many boots.
    #[arg(long, default_value_t = 500)]
    boots: u64,
    /// The number of the first boot, from which its damage follows.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many at a time.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// Where to keep the initrds that led to findings.
    #[arg(long, default_value = "../build/findings")]
    findings: std::path::PathBuf,
}

/// What the boots start from.
struct Material {
    /// Images of the standard tree, and archives of it.
    images: Vec<Vec<u8>>,
    archives: Vec<Vec<u8>>,
    /// A sound image with an init.
    top: Vec<u8>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let material = Material::new()?;
    let next = AtomicU64::new(arguments.first);
    let end = arguments.first + arguments.boots;
    let counts = Mutex::new(BTreeMap::<String, u64>::new());
    let start = Instant::now();

    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    break;
                }
                let (kind, initrd) = material.mutated(number);
                let label = match try_one(&initrd) {
                    Ok(outcome) => format!("{kind}: {outcome:?}"),
                    Err(error) => {
                        eprintln!("boot {number} ({kind}): {error:#}");
                        keep(&arguments.findings, number, &initrd);
                        "FINDING".to_owned()
                    }
                };
                *counts.lock().unwrap_or_else(|e| e.into_inner()).entry(label).or_default() += 1;
            });
        }
    });

    let counts = counts.into_inner().unwrap_or_else(|e| e.into_inner());
    for (label, count) in &counts {
        println!("{count:6} {label}");
    }
    let findings = counts.get("FINDING").copied().unwrap_or(0);
    println!(
        "mutate: {} boots from {} on, {findings} findings, in {:.0} s",
        arguments.boots,
        arguments.first,
        start.elapsed().as_secs_f64()
    );
    ensure!(findings == 0, "see above, and {}", arguments.findings.display());
    Ok(())
}

/// Boots once; reads all there is.
fn try_one(initrd: &[u8]) -> Result<Outcome> {
    hostile::boot(with_fallback(initrd.to_vec())?.orders("survey"))
}

/// Keeps an initrd for whoever looks into it.
fn keep(place: &Path, number: u64, initrd: &[u8]) {
    let path = place.join(format!("{number}.initrd"));
    if let Err(error) = fs::create_dir_all(place).and_then(|()| fs::write(&path, initrd)) {
        eprintln!("cannot keep {}: {error}", path.display());
    }
}

impl Material {
    fn new() -> Result<Self> {
        let tree = Tree::standard()?;
        let read = |path| fs::read(path).context("a fixture");
        let image = |arguments: &[&str]| read(erofs::image(&tree, arguments)?);
        Ok(Self {
            images: vec![
                image(&["-zlz4hc,9", "-C65536"])?,
                image(&["-zzstd", "-C65536"])?,
                image(&["-zlzma", "-C65536", "-Eall-fragments,dedupe"])?,
                image(&["-zdeflate"])?,
                image(&[])?,
            ],
            archives: vec![
                read(cpio::archive(&tree, Compressor::None)?)?,
                read(cpio::archive(&tree, Compressor::Gzip)?)?,
                read(cpio::archive(&tree, Compressor::Lz4)?)?,
            ],
            top: read(erofs::image(&Tree::probe_only()?, &["-zlz4hc,9", "-C65536"])?)?,
        })
    }

    /// Returns the initrd of boot `number`, and what it is.
    fn mutated(&self, number: u64) -> (&'static str, Vec<u8>) {
        let mut random = fastrand::Rng::with_seed(number);
        match random.u8(0..10) {
            0..=5 => {
                let image = damaged_image(&mut random, &self.images);
                ("image below a sound one", [image, self.top.clone()].concat())
            }
            6 | 7 => ("image alone", damaged_image(&mut random, &self.images)),
            8 => {
                let mut archive = pick(&mut random, &self.archives).clone();
                damage(&mut archive, &mut random, usize::MAX);
                ("archive below a sound image", [archive, self.top.clone()].concat())
            }
            _ => {
                let mut archive = pick(&mut random, &self.archives).clone();
                damage(&mut archive, &mut random, usize::MAX);
                ("archive over a sound image", [self.top.clone(), archive].concat())
            }
        }
    }
}

/// One of several.
fn pick<'a, T>(random: &mut fastrand::Rng, of: &'a [T]) -> &'a T {
    &of[random.usize(0..of.len())]
}

/// One of these images with damage, mostly to what describes its files, which stands at its start.
fn damaged_image(random: &mut fastrand::Rng, images: &[Vec<u8>]) -> Vec<u8> {
    let mut image = pick(random, images).clone();
    let limit = *pick(random, &[1152, 4096, 65_536, usize::MAX]);
    damage(&mut image, random, limit);
    if random.u8(0..8) != 0 {
        seal(&mut image);
    }
    image
}

/// Damages bytes below `limit` in one to eight places.
fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng, limit: usize) {
    for _ in 0..random.usize(1..=8) {
        let from = if limit == 1152 { 1024 } else { 0 };
        let at = random.usize(from..bytes.len().min(limit));
        match random.u8(0..8) {
            0..=3 => bytes[at] ^= 1 << random.u8(0..8),
            4 => bytes[at] = random.u8(..),
            5 => {
                let at = at / 4 * 4;
                let value = pick(random, &EXTREMES).to_le_bytes();
                if let Some(word) = bytes.get_mut(at..at + 4) {
                    word.copy_from_slice(&value);
                }
            }
            6 => {
                let end = bytes.len().min(at + random.usize(1..64));
                let from = random.usize(0..bytes.len() - (end - at));
                bytes.copy_within(from..from + (end - at), at);
            }
            _ if random.u8(0..8) == 0 => bytes.truncate(at.max(4096)),
            _ => bytes[at] = 0,
        }
    }
}
