// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs inspect`: what is in an initrd, and what the kernel makes of it.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{ensure, Result};
use clap::Args;
use indicatif::HumanBytes;

use crate::describe::description::{Boot, Content, View};
use crate::describe::{examine, largest, sizes};
use crate::terminal::streams;
use crate::terminal::summary::count;
use crate::Verdict;

/// Show the segments of an initrd, and what the kernel makes of them.
///
/// Of a unified kernel image, these are the segments of its section .initrd; offsets count from there.
#[derive(Args)]
pub struct Arguments {
    /// An initrd or an initramfs; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// List the largest directories and files of each EROFS image, too
    #[arg(long, conflicts_with = "json")]
    explain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let opened = examine::open(streams::read_initrd(&arguments.file)?.bytes())?;
    if arguments.json {
        streams::print_json(&opened.view)?;
    } else {
        let mut out = io::stdout().lock();
        print(&mut out, &opened.view)?;
        if arguments.explain {
            explain(&mut out, &opened.view)?;
        }
    }
    Ok(Verdict::Good)
}

/// Lists the largest parts of all EROFS images.
fn explain(out: &mut impl Write, view: &View) -> Result<()> {
    let mut count = 0;
    for (layer, segment) in view.segments.iter().enumerate() {
        let Content::Erofs(image) = &segment.content else {
            continue;
        };
        count += 1;
        let lines = image.sizes.0.as_ref().map(largest::lines);
        for line in lines.unwrap_or_default() {
            let is_title = !line.starts_with(' ');
            let front = if is_title {
                format!("layer {layer}: ")
            } else {
                String::new()
            };
            writeln!(out, "{front}{line}")?;
        }
    }
    ensure!(
        count > 0,
        "--explain looks into EROFS images that are whole, and there is none"
    );
    Ok(())
}

fn print(out: &mut impl Write, view: &View) -> io::Result<()> {
    writeln!(
        out,
        "{} in {}",
        size(view.size),
        count(view.segments.len(), "segment")
    )?;
    for (layer, segment) in view.segments.iter().enumerate() {
        write!(
            out,
            "layer {layer}  {:#010x}  {:>10}  ",
            segment.offset,
            size(segment.size)
        )?;
        match &segment.content {
            Content::Unknown => writeln!(out, "unknown")?,
            Content::Erofs(image) => {
                writeln!(out, "EROFS, {}", count(image.inodes, "file"))?;
                writeln!(out, "    compression  {}", list(&image.compression))?;
                writeln!(out, "    blocks       {} bytes", image.block_size)?;
                writeln!(out, "    features     {}", list(&image.features))?;
                if image.unknown_features != 0 {
                    writeln!(out, "    unknown      {:#x}", image.unknown_features)?;
                }
                writeln!(out, "    uuid         {}", image.uuid)?;
                if !image.volume_name.is_empty() {
                    writeln!(out, "    name         {}", image.volume_name)?;
                }
                match &image.sizes.0 {
                    Ok(counted) => {
                        for (name, rest) in sizes::lines(counted) {
                            writeln!(out, "    {name:<14} {rest}")?;
                        }
                    }
                    Err(error) => writeln!(out, "    sizes        not known: {error}")?,
                }
                print_seal(out, &segment.content)?;
            }
            Content::Btrfs(_) | Content::Squashfs(_) | Content::Ext4(_) => {
                print_other(out, &segment.content)?;
            }
            Content::Cpio { archives } => {
                writeln!(out, "cpio, {}", count(archives.len(), "archive"))?;
                for archive in archives {
                    let early = if archive.early {
                        ", for the early boot"
                    } else {
                        ""
                    };
                    writeln!(
                        out,
                        "    {:#010x}  {:>10}  {}, {} entries, {} unpacked{early}",
                        archive.offset,
                        size(archive.size),
                        archive.compression.as_deref().unwrap_or("plain"),
                        archive.entries,
                        size(archive.unpacked),
                    )?;
                }
            }
        }
    }
    if let Some(found) = &view.bootconfig {
        let (offset, size) = (found.offset, size(found.size));
        writeln!(out, "bootconfig  {offset:#010x}  {size:>10}")?;
    }
    let boot = match view.boot {
        Boot::InPlace => "mounted in place, each layer over those above it in this list",
        Boot::Stock => "unpacked by the kernel: no image",
        Boot::Refused => "refused: the boot goes on to root=, or panics if it is required",
    };
    writeln!(out, "boot: {boot}")?;
    for problem in &view.problems {
        writeln!(out, "problem: {problem}")?;
    }
    for warning in &view.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

/// Returns an image of another filesystem than EROFS.
fn print_other(out: &mut impl Write, content: &Content) -> io::Result<()> {
    let Some((filesystem, image)) = content.other() else {
        return Ok(());
    };
    match image.inodes {
        Some(inodes) => writeln!(out, "{}, {inodes} files", filesystem.name())?,
        None => writeln!(out, "{}", filesystem.name())?,
    }
    writeln!(out, "    compression  {}", list(&image.compression))?;
    writeln!(out, "    blocks       {} bytes", image.block_size)?;
    if let Some(free) = image.free {
        writeln!(out, "    free         {}", HumanBytes(free))?;
    }
    if let Some(uuid) = &image.uuid {
        writeln!(out, "    uuid         {uuid}")?;
    }
    if !image.volume_name.is_empty() {
        writeln!(out, "    name         {}", image.volume_name)?;
    }
    print_seal(out, content)
}

fn print_seal(out: &mut impl Write, content: &Content) -> io::Result<()> {
    let Some(seal) = content.seal() else {
        return Ok(());
    };
    let digest = seal.digest.as_deref().unwrap_or("damaged");
    writeln!(out, "    sealed       {digest}")?;
    let signature = match seal.signature {
        0 => "none".to_owned(),
        len => format!("PKCS#7, {len} bytes"),
    };
    writeln!(out, "    signature    {signature}")
}

fn list(words: &[&str]) -> String {
    if words.is_empty() {
        "none".into()
    } else {
        words.join(", ")
    }
}

fn size(bytes: usize) -> String {
    HumanBytes(u64::try_from(bytes).unwrap_or(u64::MAX)).to_string()
}
