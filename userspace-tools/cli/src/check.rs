// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs check`: will this kernel boot this initrd?

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use initoverlayfs_core::initrd::image::Filesystem;
use initoverlayfs_image::compression::Method;
use initoverlayfs_image::kernel_decompressors::Demand;
use serde::Serialize;

use crate::options::read;
use crate::streams;
use crate::view::{self, Boot, Content, Sealed, Segment, View};
use crate::Verdict;

/// Check whether a kernel will boot an initrd in place; exit status 1 if not.
#[derive(Args)]
pub struct Arguments {
    /// An initrd; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The kernel's configuration, for instance /boot/config-VERSION
    #[arg(long, value_name = "CONFIG")]
    kernel_config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Default, Serialize)]
struct Checked {
    /// Whether it boots in place.
    boots_in_place: bool,
    /// Why it does not.
    problems: Vec<String>,
    /// What works otherwise than one might expect.
    warnings: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let kernel = match &arguments.kernel_config {
        None => None,
        Some(path) => Some(configuration(path).with_context(|| path.display().to_string())?),
    };
    let kernel = kernel.as_deref().map(Kernel::of);
    let initrds = streams::read_initrds(&arguments.file)?;
    let mut found = Vec::new();
    for (name, initrd) in &initrds {
        let checked = examine(name, initrd.bytes(), kernel.as_ref());
        found.push((name, checked.with_context(|| name.clone())?));
    }
    let boots_in_place = found.iter().all(|(_, checked)| checked.boots_in_place);
    let verdict = if boots_in_place {
        Verdict::Good
    } else {
        Verdict::Bad
    };
    if arguments.json {
        // One initrd's words stand alone; of several, each says whose it is.
        let words = |name: &str, word: String| match initrds.len() {
            1 => word,
            _ => format!("{name}: {word}"),
        };
        let mut all = Checked {
            boots_in_place,
            ..Checked::default()
        };
        for (name, checked) in found {
            let (problems, warnings) = (checked.problems, checked.warnings);
            all.problems
                .extend(problems.into_iter().map(|word| words(name, word)));
            all.warnings
                .extend(warnings.into_iter().map(|word| words(name, word)));
        }
        streams::print_json(&all)?;
        return Ok(verdict);
    }
    let mut out = io::stdout().lock();
    for (name, checked) in found {
        for problem in &checked.problems {
            writeln!(out, "{name}: {problem}")?;
        }
        for warning in &checked.warnings {
            writeln!(out, "{name}: warning: {warning}")?;
        }
        if checked.boots_in_place {
            writeln!(out, "{name}: boots in place")?;
        }
    }
    Ok(verdict)
}

/// Finds out whether an initrd boots in place, with this kernel if there is one.
fn examine(name: &str, initrd: &[u8], kernel: Option<&Kernel<'_>>) -> Result<Checked> {
    let opened = view::open(initrd)?;
    if let Some(obstacle) = opened.obstacle {
        return Err(obstacle.into());
    }
    if let Some(unread) = &opened.unread {
        eprintln!("initoverlayfs: {name}: {unread}: whether there is an /init was not looked at");
    }
    let mut problems = opened.view.problems.clone();
    if opened.view.boot == Boot::Stock {
        problems.push("there is no image: the kernel unpacks it, as any initramfs".into());
    }
    if let Some(kernel) = kernel {
        let has_xattrs = opened
            .tree
            .is_some_and(|tree| tree.iter().any(|(_, id)| !tree.inode(id).xattrs.is_empty()));
        problems.extend(kernel.problems(&opened.view, has_xattrs));
    }
    Ok(Checked {
        boots_in_place: problems.is_empty(),
        problems,
        warnings: opened.view.warnings,
    })
}

/// Reads a kernel's configuration, compressed or not: `/proc/config.gz` will do.
fn configuration(path: &Path) -> Result<String> {
    let bytes = read(path)?;
    let bytes = match Method::of(&bytes) {
        Some(method) => method.decompress(&bytes)?.0,
        None => bytes,
    };
    let text = String::from_utf8(bytes).ok();
    let text = text.filter(|text| text.lines().any(|line| line.contains("CONFIG_")));
    text.context("this is no configuration of a kernel")
}

/// Why a kernel without support for extended attributes will not do.
const NO_XATTRS: &str = "extended attributes, file capabilities among them, are not seen";

/// What a kernel is configured to do.
struct Kernel<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Kernel<'a> {
    fn of(text: &'a str) -> Self {
        let options = text
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='));
        Self(options.collect())
    }

    fn has(&self, option: &str) -> bool {
        self.0.get(option) == Some(&"y")
    }

    /// A line for each thing that is missing.
    fn problems(&self, view: &View, has_xattrs: bool) -> Vec<String> {
        let nothing = "nothing is mounted in place";
        let mut wanted: Vec<(String, String)> = ["INITOVERLAYFS", "OVERLAY_FS"]
            .map(|option| (option.to_owned(), nothing.to_owned()))
            .into();
        let has_other = view.segments.iter().any(|s| s.content.other().is_some());
        let has_erofs = view
            .segments
            .iter()
            .any(|s| matches!(s.content, Content::Erofs(_)));
        if has_erofs || !has_other {
            wanted.push(("EROFS_FS".into(), nothing.into()));
        }
        if has_erofs && has_xattrs {
            wanted.push(("EROFS_FS_XATTR".into(), NO_XATTRS.into()));
        }
        if view.bootconfig.is_some() {
            let why = "the bootconfig at the end is taken for a part of the initrd";
            wanted.push(("BOOT_CONFIG".into(), why.into()));
        }
        let mut problems = Vec::new();
        for segment in &view.segments {
            let at = segment.offset;
            let is_signed = |seal: &Sealed| seal.signature > 0;
            if self.has("INITOVERLAYFS_REQUIRE_SIGNATURE")
                && segment.content.is_image()
                && !segment.content.seal().is_some_and(is_signed)
            {
                problems.push(format!(
                    "the image at {at:#x} is not signed, and the kernel is built to refuse such"
                ));
            }
            match &segment.content {
                Content::Erofs(image) => {
                    for algorithm in &image.compression {
                        let option = match *algorithm {
                            "lz4" => "EROFS_FS_ZIP".to_owned(),
                            other => format!("EROFS_FS_ZIP_{}", other.to_uppercase()),
                        };
                        wanted.push((option, format!("the image at {at:#x} uses {algorithm}")));
                    }
                    if image.block_size > self.page_size() {
                        problems.push(format!(
                            "the image at {at:#x} has blocks of {} bytes, the kernel pages of {}",
                            image.block_size,
                            self.page_size()
                        ));
                    }
                    if image.unknown_features != 0 {
                        problems.push(format!(
                            "the image at {at:#x} has features {:#x} that are not known here",
                            image.unknown_features
                        ));
                    }
                }
                Content::Cpio { archives } => {
                    for archive in archives.iter().filter(|archive| !archive.early) {
                        let name = archive.compression.as_deref();
                        if let Some(method) = name.and_then(method_of) {
                            let why = format!("the archive at {:#x} uses {method}", archive.offset);
                            wanted.push((method.kernel_option().to_owned(), why));
                        }
                        for demand in &archive.demands {
                            if let Demand::Option(option) = demand {
                                let why = format!("the archive at {:#x} uses it", archive.offset);
                                wanted.push(((*option).to_owned(), why));
                            }
                        }
                    }
                }
                Content::Btrfs(_) | Content::Squashfs(_) | Content::Ext4(_) => {
                    let (more, words) = self.other(segment, has_xattrs);
                    wanted.extend(more);
                    problems.extend(words);
                }
                Content::Unknown => {}
            }
        }
        let missing = wanted.iter().filter(|(option, _)| !self.has(option));
        problems.extend(
            missing.map(|(option, why)| format!("the kernel has no CONFIG_{option}=y: {why}")),
        );
        problems
    }

    /// What an image of another filesystem than EROFS wants, and what is wrong with it for this kernel.
    fn other(&self, segment: &Segment, has_xattrs: bool) -> (Vec<(String, String)>, Vec<String>) {
        let (mut wanted, mut problems) = (Vec::new(), Vec::new());
        let at = segment.offset;
        let Some((filesystem, image)) = segment.content.other() else {
            return (wanted, problems);
        };
        let why = format!("the image at {at:#x} is one of {}", filesystem.name());
        wanted.push(("INITOVERLAYFS_BLOCK".to_owned(), why.clone()));
        wanted.push((driver(filesystem).to_owned(), why));
        if filesystem == Filesystem::Squashfs {
            if has_xattrs {
                wanted.push(("SQUASHFS_XATTR".into(), NO_XATTRS.into()));
            }
            for algorithm in &image.compression {
                match decompressor(algorithm) {
                    Some(option) => {
                        wanted.push((
                            option.into(),
                            format!("the image at {at:#x} uses {algorithm}"),
                        ));
                    }
                    None => problems.push(format!(
                        "the image at {at:#x} uses {algorithm}, which no kernel has for squashfs"
                    )),
                }
            }
        } else if image.block_size > usize::try_from(self.page_size()).unwrap_or(usize::MAX) {
            problems.push(format!(
                "the image at {at:#x} has blocks of {} bytes, the kernel pages of {}",
                image.block_size,
                self.page_size()
            ));
        }
        (wanted, problems)
    }

    /// Bytes in a page.
    fn page_size(&self) -> u64 {
        let large = [("ARM64_64K_PAGES", 64 << 10), ("ARM64_16K_PAGES", 16 << 10)];
        let found = large.iter().find(|(option, _)| self.has(option));
        found.map_or(4096, |(_, size)| *size)
    }
}

/// The symbol of a filesystem's driver.
fn driver(filesystem: Filesystem) -> &'static str {
    match filesystem {
        Filesystem::Erofs => "EROFS_FS",
        Filesystem::Btrfs => "BTRFS_FS",
        Filesystem::Squashfs => "SQUASHFS",
        Filesystem::Ext4 => "EXT4_FS",
    }
}

/// The symbol of what decompresses squashfs; btrfs brings all that it has.
fn decompressor(algorithm: &str) -> Option<&'static str> {
    match algorithm {
        "gzip" => Some("SQUASHFS_ZLIB"),
        "lz4" => Some("SQUASHFS_LZ4"),
        "lzo" => Some("SQUASHFS_LZO"),
        "xz" => Some("SQUASHFS_XZ"),
        "zstd" => Some("SQUASHFS_ZSTD"),
        _ => None,
    }
}

fn method_of(name: &str) -> Option<Method> {
    use Method::{Bzip2, Gzip, Lz4, Lzma, Lzo, Xz, Zstd};
    [Gzip, Bzip2, Lzma, Xz, Lzo, Lz4, Zstd]
        .into_iter()
        .find(|method| method.to_string() == name)
}
