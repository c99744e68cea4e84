// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs status`: where this system stands, in a few lines.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::check::kernel::{self, Kernel};
use crate::describe::description::Boot;
use crate::describe::examine;
use crate::measure::debugfs::Stats;
use crate::terminal::streams;
use crate::terminal::summary::count;
use crate::Verdict;

/// Options of the kernel that images need, and the words for them.
const ABILITIES: [(&str, &str); 9] = [
    ("EROFS_FS_ZIP", "lz4"),
    ("EROFS_FS_ZIP_ZSTD", "zstd"),
    ("EROFS_FS_ZIP_DEFLATE", "deflate"),
    ("EROFS_FS_ZIP_LZMA", "lzma"),
    ("EROFS_FS_XATTR", "attributes"),
    ("BTRFS_FS", "btrfs"),
    ("SQUASHFS", "squashfs"),
    ("EXT4_FS", "ext4"),
    ("INITOVERLAYFS_SIGNATURES", "signatures"),
];
/// Filesystems that need a block device over the image.
const ON_BLOCK: [&str; 3] = ["btrfs", "squashfs", "ext4"];
/// The hook that converts images.
const HOOKS: [&str; 2] = [
    "usr/libexec/initoverlayfs/convert-hook",
    "usr/local/libexec/initoverlayfs/convert-hook",
];
const SETTINGS: &str = "etc/initoverlayfs.conf";

/// Show where this system stands: its kernel, this boot, the hooks, and each initrd in /boot.
///
/// Without root, what only root may read is named as such.
#[derive(Args)]
pub struct Arguments {
    /// The root directory of the system, if it is another one than this
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    root: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The mark of a finding.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mark {
    /// All is as it should be.
    Good,
    /// Neither good nor bad, or not known.
    Neutral,
    /// A problem.
    Bad,
}

/// A line of the answer.
#[derive(Serialize)]
struct Finding {
    /// `kernel`, `boot`, `hooks`, or an initrd's path.
    about: String,
    mark: Mark,
    words: String,
}

impl Finding {
    fn new(about: impl Into<String>, mark: Mark, words: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            mark,
            words: words.into(),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let root = &arguments.root;
    let mut found = vec![kernel(root), boot(root), hooks(root)];
    found.extend(initrds(root));
    if arguments.json {
        streams::print_json(&found)?;
        return Ok(Verdict::Good);
    }
    let width = found
        .iter()
        .map(|one| one.about.len())
        .max()
        .unwrap_or_default();
    let mut out = io::stdout().lock();
    for Finding { about, mark, words } in &found {
        let mark = match mark {
            Mark::Good => '✓',
            Mark::Neutral => '-',
            Mark::Bad => '✗',
        };
        writeln!(out, "{mark} {about:width$}  {words}")?;
    }
    Ok(Verdict::Good)
}

/// Tells what the running kernel is able to mount.
fn kernel(root: &Path) -> Finding {
    let Some((path, text)) = kernel::running_in(root) else {
        let words =
            "its configuration was not found: is CONFIG_IKCONFIG_PROC off, and /boot without it?";
        return Finding::new("kernel", Mark::Neutral, words);
    };
    let kernel = Kernel::of(&text);
    let place = path.display();
    for option in ["INITOVERLAYFS", "EROFS_FS", "OVERLAY_FS"] {
        if !kernel.has(option) {
            let words = format!("mounts no initrd in place: CONFIG_{option} is not set ({place})");
            return Finding::new("kernel", Mark::Bad, words);
        }
    }
    let has_block = kernel.has("INITOVERLAYFS_BLOCK");
    let able = ABILITIES
        .iter()
        .filter(|(option, word)| kernel.has(option) && (has_block || !ON_BLOCK.contains(word)));
    let able: Vec<_> = ["erofs"]
        .into_iter()
        .chain(able.map(|(_, word)| *word))
        .collect();
    let words = format!("mounts initrds in place: {} ({place})", able.join(", "));
    Finding::new("kernel", Mark::Good, words)
}

/// Tells how this boot went, as the kernel's debugfs shows it.
fn boot(root: &Path) -> Finding {
    let place = root.join("sys/kernel/debug/initoverlayfs");
    match fs::metadata(place.join("layers")) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Finding::new(
                "boot",
                Mark::Neutral,
                "not known: only root may read debugfs",
            );
        }
        Err(_) => {
            let words = "no image was mounted, or debugfs is not there";
            return Finding::new("boot", Mark::Neutral, words);
        }
    }
    match Stats::read(&place, &root.join("proc")) {
        Ok(stats) => {
            let nanoseconds: u64 = stats.phases.iter().map(|phase| phase.nanoseconds).sum();
            let layers = count(stats.layers.len(), "layer");
            let words = format!("in place: {layers}, in {} us", nanoseconds / 1000);
            match stats.holders.len() {
                0 => Finding::new("boot", Mark::Good, words),
                holders => {
                    let holders = count(holders, "process").replace("processs", "processes");
                    let words = format!("{words}; {holders} still hold its memory: see stats");
                    Finding::new("boot", Mark::Bad, words)
                }
            }
        }
        Err(error) => Finding::new("boot", Mark::Bad, format!("{error:#}")),
    }
}

/// Tells whether what the distribution's tools make is converted.
fn hooks(root: &Path) -> Finding {
    if !HOOKS.iter().any(|hook| root.join(hook).exists()) {
        let words = "not installed: convert images by hand, or install the package";
        return Finding::new("hooks", Mark::Neutral, words);
    }
    let settings = root.join(SETTINGS);
    let text = fs::read_to_string(&settings).unwrap_or_default();
    let last = text
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("CONVERT="));
    match last.map(|value| value.trim_matches(['"', '\''])) {
        None | Some("yes") => Finding::new("hooks", Mark::Good, "on"),
        Some("no") => {
            let words = format!("off: CONVERT=no in {}", settings.display());
            Finding::new("hooks", Mark::Neutral, words)
        }
        Some(other) => {
            let words = format!("CONVERT={other} in {} is not yes or no", settings.display());
            Finding::new("hooks", Mark::Bad, words)
        }
    }
}

/// Tells what each initrd in `/boot` is.
fn initrds(root: &Path) -> Vec<Finding> {
    let directory = root.join("boot");
    let Ok(entries) = fs::read_dir(&directory) else {
        return vec![Finding::new("/boot", Mark::Neutral, "cannot be read")];
    };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    names.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_initrd = name.starts_with("initr") || name.starts_with("initramfs");
        is_initrd && path.is_file()
    });
    names.sort();
    names.iter().map(|path| initrd(root, path)).collect()
}

fn initrd(root: &Path, path: &Path) -> Finding {
    let name = Path::new("/").join(path.strip_prefix(root).unwrap_or(path));
    let name = name.display().to_string();
    let initrds = match streams::read_initrds(path) {
        Ok(initrds) => initrds,
        Err(error) => {
            let is_denied = error.chain().any(|cause| {
                let cause = cause.downcast_ref::<io::Error>().map(io::Error::kind);
                cause == Some(ErrorKind::PermissionDenied)
            });
            return match is_denied {
                true => Finding::new(name, Mark::Neutral, "not known: only root may read it"),
                false => Finding::new(name, Mark::Bad, format!("{error:#}")),
            };
        }
    };
    let mut all = Vec::new();
    for (_, initrd) in &initrds {
        match examine::open(initrd.bytes()) {
            Err(error) => return Finding::new(name, Mark::Bad, format!("{error:#}")),
            Ok(opened) => all.push(opened.view),
        }
    }
    if let Some(problem) = all.iter().find_map(|view| view.problems.first()) {
        let is_image = all.iter().any(|view| view.boot != Boot::Stock);
        let mark = if is_image { Mark::Bad } else { Mark::Neutral };
        return Finding::new(name, mark, problem);
    }
    if all.iter().all(|view| view.boot == Boot::InPlace) {
        return Finding::new(name, Mark::Good, "mounted in place");
    }
    Finding::new(name, Mark::Neutral, "stock: the kernel unpacks it")
}
