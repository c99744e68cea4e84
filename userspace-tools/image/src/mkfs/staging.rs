// SPDX-License-Identifier: GPL-2.0-only

//! A tree as a directory, for a program that reads nothing else.
//!
//! Owners, devices and attributes that only root could give to files are made up by `fakeroot` for as
//! long as the program runs; root does without, where there is none.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::MkfsError;
use crate::programs::{Program, FAKEROOT, SETFATTR};
use crate::tree::{Id, Kind, Tree};
use crate::{tarball, temporary};

/// Unpacks a tarball if there is one, sets the modes that are left to be set, gives the files their
/// attributes if they have any, and starts a program. (fakeroot loses the type of files to which tar itself
/// gives attributes, and with modes that keep their owner out it takes tar at its word.)
const SCRIPT: &str = r#"
set -e
stage=$1 modes=$2 setfattr=$3 attributes=$4
shift 4
if [ -n "$modes" ]; then
	tar --extract --absolute-names --preserve-permissions --same-owner --numeric-owner \
		--delay-directory-restore --directory "$stage"
	(cd "$stage" && xargs --null --no-run-if-empty --max-args=2 chmod) < "$modes"
fi
[ -z "$attributes" ] || (cd "$stage" && "$setfattr" --no-dereference --restore="$attributes")
exec "$@" < /dev/null
"#;

/// The part of a tree that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// All of it.
    All,
    /// Names, contents, links and extended attributes. Devices and the like are empty files.
    Plain,
}

/// Returns a shell to whose children files have whichever owners and attributes they were given.
pub(crate) fn faked_shell() -> Result<Command, MkfsError> {
    match FAKEROOT.version_text("--version") {
        Ok(_) => {
            let mut fakeroot = FAKEROOT.command();
            fakeroot.args(["--", "sh"]);
            Ok(fakeroot)
        }
        Err(_) if is_root() => Ok(Command::new("sh")),
        Err(error) => Err(error),
    }
}

/// Returns whether this process may make devices and give files away.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Returns an error unless a directory can be made to look as a tree says.
pub(super) fn check_tools() -> Result<(), MkfsError> {
    faked_shell().map(drop)
}

/// Runs a program on a directory with the files of a tree; `arguments` gets the directory. Returns what is
/// left out: sockets.
pub(super) fn run(
    program: &'static Program,
    tree: &Tree,
    show: Show,
    arguments: impl FnOnce(&Path) -> Vec<OsString>,
) -> Result<Vec<Vec<u8>>, MkfsError> {
    let place = temporary::directory().map_err(MkfsError::Temporary)?;
    let stage = place.path().join("tree");
    let mut attributes = OsString::new();
    let has_xattrs = |(_, id)| !tree.inode(id).xattrs.is_empty();
    if tree.iter().any(has_xattrs) {
        SETFATTR.version_text("--version")?;
        let file = place.path().join("attributes");
        fs::write(&file, attributes_of(tree)).map_err(MkfsError::Temporary)?;
        attributes = file.into();
    }
    let is_plain = show == Show::Plain;
    let mut modes = OsString::new();
    let mut open = None;
    if !is_plain {
        let (tree, list) = opened(tree);
        let file = place.path().join("modes");
        fs::write(&file, list).map_err(MkfsError::Temporary)?;
        (modes, open) = (file.into(), Some(tree));
    }
    let mut command = if is_plain && attributes.is_empty() {
        program.command()
    } else {
        let mut command = faked_shell()?;
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(&stage)
            .arg(&modes)
            .arg(SETFATTR.place())
            .arg(attributes)
            .arg(program.place());
        command
    };
    command
        .args(arguments(&stage))
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let Some(open) = open else {
        let left_out = unpack(tree, &stage).map_err(MkfsError::Temporary)?;
        program.wait(program.start_in(&mut command)?)?;
        return Ok(left_out);
    };
    fs::create_dir(&stage).map_err(MkfsError::Temporary)?;
    let child = program.start_in(&mut command)?;
    let written = match child.take_input() {
        Some(input) => tarball::write_plain(&open, io::BufWriter::with_capacity(1 << 20, input)),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    // Its own words say more than that it closed the pipe.
    program.wait(child)?;
    written.map_err(|cause| MkfsError::Pipe(program, cause))
}

/// Returns the same tree with modes that let the owner in, and a list of those that it should have for `chmod`.
fn opened(tree: &Tree) -> (Tree, Vec<u8>) {
    let mut open = tree.clone();
    let mut list = Vec::new();
    for (path, id) in tree.iter() {
        let inode = tree.inode(id);
        let least = match inode.kind {
            Kind::Directory => 0o700,
            Kind::Regular(_) => 0o600,
            _ => continue,
        };
        if inode.mode & least != least {
            open.inode_mut(id).mode |= least;
            // Of a directory, fewer digits would not clear all bits.
            list.extend(format!("0{:04o}\0./", inode.mode).bytes());
            list.extend(path.iter().chain(&[0]));
        }
    }
    (open, list)
}

/// Puts the files down.
fn unpack(tree: &Tree, stage: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut left_out = Vec::new();
    let mut first_names: HashMap<Id, &[u8]> = HashMap::new();
    let place = |path: &[u8]| stage.join(OsStr::from_bytes(path));
    for (path, id) in tree.iter() {
        let here = place(path);
        if let Some(first) = first_names.get(&id) {
            fs::hard_link(place(first), here)?;
            continue;
        }
        match &tree.inode(id).kind {
            Kind::Directory => fs::create_dir(here)?,
            Kind::Regular(content) => content.write_to(&File::create(here)?)?,
            Kind::Symlink(target) => symlink(OsStr::from_bytes(target), here)?,
            Kind::Character(..) | Kind::Block(..) | Kind::Fifo => fs::write(here, [])?,
            Kind::Socket => {
                left_out.push(path.to_vec());
                continue;
            }
        }
        first_names.insert(id, path);
    }
    Ok(left_out)
}

/// Returns all extended attributes, as `setfattr --restore` reads them.
fn attributes_of(tree: &Tree) -> String {
    let mut text = String::new();
    let mut done = HashSet::new();
    for (path, id) in tree.iter() {
        let inode = tree.inode(id);
        if inode.xattrs.is_empty() || !done.insert(id) {
            continue;
        }
        let name = if path.is_empty() { b"." } else { path };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# file: {}", quoted(name));
        for (name, value) in &inode.xattrs {
            let value: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(text, "{}=0x{value}", quoted(name));
        }
        text.push('\n');
    }
    text
}

/// With all but plain characters in octal.
fn quoted(name: &[u8]) -> String {
    let mut text = String::new();
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' => {
                text.push(char::from(*byte));
            }
            _ => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text
}
