// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs extract` and `cat`: files come out again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use initoverlayfs_image::child_processes::Running;
use initoverlayfs_image::content::Content;
use initoverlayfs_image::output::Output;
use initoverlayfs_image::tarball;
use initoverlayfs_image::tree::{Kind, Tree};

use crate::look::merged_tree::{normal, Selection};
use crate::terminal::streams::{is_output, place_of};
use crate::terminal::summary::{self, shown};
use crate::Verdict;

/// Print files of an initrd.
#[derive(Args)]
pub struct CatArguments {
    #[command(flatten)]
    selection: Selection,
    /// Files in it
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

/// Take the files of an initrd out: into a directory, or as a tarball.
///
/// As another user than root, owners are not restored and devices are left out, except in a tarball.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// An empty or new directory
    #[arg(value_name = "DIRECTORY", required_unless_present_any = ["tar", "directory"])]
    place: Option<PathBuf>,
    /// The directory, as an option
    #[arg(short = 'C', long, value_name = "DIRECTORY", conflicts_with_all = ["tar", "place"])]
    directory: Option<PathBuf>,
    /// A tarball in the pax format; `-` for standard output
    #[arg(long, value_name = "OUT", conflicts_with = "place")]
    tar: Option<PathBuf>,
}

pub fn cat(arguments: &CatArguments) -> Result<Verdict> {
    let tree = arguments.selection.tree()?;
    let mut out = io::stdout().lock();
    for path in &arguments.paths {
        io::copy(&mut content(&tree, &normal(path))?.reader()?, &mut out)?;
    }
    Ok(Verdict::Good)
}

/// Returns what a file holds; links are followed.
fn content<'a>(tree: &'a Tree, path: &[u8]) -> Result<&'a Content> {
    let Some(inode) = tree.resolve(path) else {
        bail!("there is no /{} in it", shown(path))
    };
    match &inode.kind {
        Kind::Regular(content) => Ok(content),
        _ => bail!("/{} is no regular file", shown(path)),
    }
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let mut tree = arguments.selection.tree()?;
    if let Some(place) = &arguments.tar {
        write_tarball(&tree, &arguments.selection, place)?;
    } else if let Some(directory) = arguments.place.as_ref().or(arguments.directory.as_ref()) {
        into_directory(&mut tree, directory)?;
    }
    Ok(Verdict::Good)
}

fn write_tarball(tree: &Tree, selection: &Selection, place: &Path) -> Result<()> {
    let left_out = if is_output(place) {
        tarball::write(tree, io::stdout().lock())?
    } else {
        let name = || place.display().to_string();
        let mut out = Output::create(place, false).with_context(name)?;
        out.guard_like(place_of(&selection.file));
        let left_out = tarball::write(tree, io::BufWriter::new(out.file())).with_context(name)?;
        out.finish().with_context(name)?;
        left_out
    };
    summary::left_out("socket left out", &left_out);
    Ok(())
}

/// GNU tar restores everything that a tree may hold.
fn into_directory(tree: &mut Tree, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let is_empty = fs::read_dir(directory)?.next().is_none();
    ensure!(is_empty, "{} is not empty", directory.display());
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--preserve-permissions",
        "--numeric-owner",
        "--xattrs",
    ]);
    tar.args([
        "--xattrs-include=*",
        "--delay-directory-restore",
        "--directory",
    ])
    .arg(directory);
    if !is_root()? {
        leave_devices_out(tree);
        tar.arg("--no-same-owner");
    }
    let child = Running::start(tar.stdin(Stdio::piped())).context("tar cannot be run")?;
    let input = child.take_input().context("tar takes no input")?;
    let left_out = tarball::write(tree, io::BufWriter::new(input));
    ensure!(
        child.wait()?.success(),
        "tar could not restore all files: see above"
    );
    summary::left_out("socket left out", &left_out?);
    Ok(())
}

/// Returns whether this process may make devices and give files away.
fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

fn leave_devices_out(tree: &mut Tree) {
    let is_device = |kind: &Kind| matches!(kind, Kind::Character(..) | Kind::Block(..));
    let devices: Vec<Vec<u8>> = tree
        .iter()
        .filter(|(_, id)| is_device(&tree.inode(*id).kind))
        .map(|(path, _)| path.to_vec())
        .collect();
    for path in &devices {
        tree.remove(path);
    }
    summary::left_out("device left out, which root alone can make", &devices);
}
