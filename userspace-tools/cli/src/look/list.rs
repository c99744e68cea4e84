// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs ls` and `diff`: names and what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{bail, Result};
use clap::Args;
use initoverlayfs_image::tree::{Id, Inode, Kind, Tree};
use serde::Serialize;

use crate::look::merged_tree::{all_of, normal, Selection};
use crate::terminal::streams;
use crate::terminal::summary::shown;
use crate::Verdict;

/// List the files of an initrd, as its layers make them together.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Only this file, or what is below this directory
    #[arg(default_value = "/")]
    path: String,
    /// Also type, mode, owner, size or device, time, attributes and where links lead
    #[arg(short, long)]
    long: bool,
    /// Print JSON, with all that --long shows
    #[arg(long, conflicts_with = "long")]
    json: bool,
}

/// The fields that `--json` prints of a file. Fields that a file of this type does not have are left out.
#[derive(Serialize)]
struct Listed {
    /// The path, with bytes escaped that are no text.
    path: String,
    /// `directory`, `file`, `symlink`, `character`, `block`, `fifo`, `socket`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Octal digits.
    mode: String,
    /// The number of its names.
    links: usize,
    uid: u32,
    gid: u32,
    /// Bytes of a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    /// Major and minor number of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<(u32, u32)>,
    /// The target of a symbolic link.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Seconds since 1970.
    seconds: i64,
    nanoseconds: u32,
    /// Extended attributes, escaped as the path is.
    xattrs: BTreeMap<String, String>,
}

impl Listed {
    fn of(path: &[u8], inode: &Inode, links: usize) -> Self {
        let (mut size, mut device, mut target) = (None, None, None);
        let kind = match &inode.kind {
            Kind::Directory => "directory",
            Kind::Regular(content) => {
                size = Some(content.len());
                "file"
            }
            Kind::Symlink(place) => {
                target = Some(shown(place));
                "symlink"
            }
            Kind::Character(major, minor) => {
                device = Some((*major, *minor));
                "character"
            }
            Kind::Block(major, minor) => {
                device = Some((*major, *minor));
                "block"
            }
            Kind::Fifo => "fifo",
            Kind::Socket => "socket",
        };
        let xattrs = inode.xattrs.iter();
        Self {
            path: format!("/{}", shown(path)),
            kind,
            mode: format!("{:04o}", inode.mode),
            links,
            uid: inode.uid,
            gid: inode.gid,
            size,
            device,
            target,
            seconds: inode.mtime.seconds,
            nanoseconds: inode.mtime.nanoseconds,
            xattrs: xattrs
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
        }
    }
}

/// Compare the files of two initrds; exit status 1 if they differ.
#[derive(Args)]
pub struct DiffArguments {
    /// An initrd or an initramfs
    old: PathBuf,
    /// Another one
    new: PathBuf,
    /// Do not compare times
    #[arg(long)]
    ignore_times: bool,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let tree = arguments.selection.tree()?;
    let wanted = normal(&arguments.path);
    let start = [&wanted[..], b"/"].concat();
    let links = links(&tree);
    if tree.id(&wanted).is_none() {
        bail!("there is no /{} in it", shown(&wanted));
    }
    let is_wanted = |path: &[u8]| wanted.is_empty() || path == wanted || path.starts_with(&start);
    let files = tree.iter().filter(|(path, _)| is_wanted(path));
    if arguments.json {
        let files = files.map(|(path, id)| Listed::of(path, tree.inode(id), links[&id]));
        streams::print_json(&files.collect::<Vec<_>>())?;
        return Ok(Verdict::Good);
    }
    let mut out = io::stdout().lock();
    for (path, id) in files {
        if arguments.long {
            write!(out, "{} ", attributes(tree.inode(id), links[&id]))?;
        }
        write!(out, "/{}", shown(path))?;
        if let (true, Kind::Symlink(target)) = (arguments.long, &tree.inode(id).kind) {
            write!(out, " -> {}", shown(target))?;
        }
        writeln!(out)?;
    }
    Ok(Verdict::Good)
}

/// Returns how many names each file has.
fn links(tree: &Tree) -> BTreeMap<Id, usize> {
    let mut links = BTreeMap::new();
    for (_, id) in tree.iter() {
        *links.entry(id).or_default() += 1;
    }
    links
}

/// Formats all attributes, without the name, in columns.
fn attributes(inode: &Inode, links: usize) -> String {
    let size = match &inode.kind {
        Kind::Regular(content) => content.len().to_string(),
        Kind::Character(major, minor) | Kind::Block(major, minor) => format!("{major},{minor}"),
        _ => "-".into(),
    };
    let time = inode.mtime;
    let mut text = format!(
        "{}{:04o} {links} {}:{} {size:>10} {}.{:09}",
        inode.kind.letter(),
        inode.mode,
        inode.uid,
        inode.gid,
        time.seconds,
        time.nanoseconds
    );
    for (name, value) in &inode.xattrs {
        text.push_str(&format!(" {}={}", shown(name), shown(value)));
    }
    text
}

pub fn diff(arguments: &DiffArguments) -> Result<Verdict> {
    let (old, new) = (all_of(&arguments.old)?, all_of(&arguments.new)?);
    let (old_first, new_first) = (first_names(&old), first_names(&new));
    let paths: BTreeSet<&[u8]> = old.iter().chain(new.iter()).map(|(path, _)| path).collect();
    let mut out = io::stdout().lock();
    let mut verdict = Verdict::Good;
    for path in paths {
        let changes = match (old.id(path), new.id(path)) {
            (Some(_), None) => vec!["only in the old one".into()],
            (None, Some(_)) => vec!["only in the new one".into()],
            (Some(a), Some(b)) => {
                let mut changes = differences(old.inode(a), new.inode(b), arguments.ignore_times);
                if old_first[&a] != new_first[&b] {
                    changes.push("links".into());
                }
                changes
            }
            (None, None) => Vec::new(),
        };
        if !changes.is_empty() {
            verdict = Verdict::Bad;
            writeln!(out, "/{}: {}", shown(path), changes.join(", "))?;
        }
    }
    Ok(verdict)
}

/// Returns the first of the names of each file: the same for all of its links.
fn first_names(tree: &Tree) -> BTreeMap<Id, &[u8]> {
    let mut names = BTreeMap::new();
    for (path, id) in tree.iter() {
        names.entry(id).or_insert(path);
    }
    names
}

/// Returns what differs between two files of the same name.
fn differences(old: &Inode, new: &Inode, ignore_times: bool) -> Vec<String> {
    let mut changes = Vec::new();
    if !old.kind.is_like(&new.kind) {
        changes.push(format!(
            "type {} -> {}",
            old.kind.letter(),
            new.kind.letter()
        ));
    } else if old.kind != new.kind {
        changes.push("content".into());
    }
    if old.mode != new.mode {
        changes.push(format!("mode {:04o} -> {:04o}", old.mode, new.mode));
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        changes.push(format!(
            "owner {}:{} -> {}:{}",
            old.uid, old.gid, new.uid, new.gid
        ));
    }
    if old.mtime != new.mtime && !ignore_times {
        changes.push("time".into());
    }
    if old.xattrs != new.xattrs {
        changes.push("attributes".into());
    }
    changes
}
