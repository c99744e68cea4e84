// SPDX-License-Identifier: GPL-2.0-only

//! Standard input and output, which `-` stands for in the place of a file.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use initoverlayfs_image::content::Content;
use initoverlayfs_image::output::Output;
use initoverlayfs_image::{temporary, uki};
use serde::Serialize;
use tempfile::NamedTempFile;

/// The names of standard output. A new file must not take the place of these links.
const OUTPUTS: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Returns whether this is standard input.
pub fn is_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns whether this is standard output.
pub fn is_output(path: &Path) -> bool {
    OUTPUTS.iter().any(|output| path == Path::new(output))
}

/// Returns what errors call a source.
pub fn input_name(path: &Path) -> String {
    if is_input(path) {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

/// Returns where the system has a source, to be asked who may read it.
pub fn place_of(source: &Path) -> &Path {
    if is_input(source) {
        Path::new("/dev/stdin")
    } else {
        source
    }
}

/// Reads a source to its end, naming it in the error.
pub fn read(path: &Path) -> Result<Content> {
    let name = || input_name(path);
    if !is_input(path) {
        let source = File::open(path).and_then(Content::read);
        return source.with_context(name);
    }
    let input = io::stdin();
    ensure!(
        !input.is_terminal(),
        "standard input is a terminal: pipe a file into it, or name one"
    );
    let input = input.as_fd().try_clone_to_owned();
    let source = input.and_then(|input| Content::read(input.into()));
    source.with_context(name)
}

/// Reads an initrd; of a unified kernel image, what is in its section.
pub fn read_initrd(path: &Path) -> Result<Content> {
    let source = read(path)?;
    let range = uki::initrd(source.bytes()).with_context(|| input_name(path))?;
    part(&source, range, path)
}

/// Reads the initrds of a unified kernel image, each with its name, or the one that another file is.
pub fn read_initrds(path: &Path) -> Result<Vec<(String, Content)>> {
    let (source, name) = (read(path)?, input_name(path));
    let ranges = uki::initrds(source.bytes()).with_context(|| name.clone())?;
    let count = ranges.len();
    let named = ranges.into_iter().enumerate().map(|(number, range)| {
        let name = match count {
            1 => name.clone(),
            _ => format!("{name}, section .initrd {} of {count}", number + 1),
        };
        Ok((name, part(&source, range, path)?))
    });
    named.collect()
}

/// Returns a part of a file.
fn part(source: &Content, range: Range<usize>, path: &Path) -> Result<Content> {
    let part = source.part(range);
    part.with_context(|| format!("{}: its section is not in it", input_name(path)))
}

/// Prints a value for programs.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// A result that is being made.
pub enum Target {
    /// A file.
    File(Output),
    /// Standard output. `mkfs.erofs` makes the image in this file first.
    Standard(NamedTempFile),
}

impl Target {
    /// Starts what is to become standard output.
    pub fn standard() -> Result<Self> {
        ensure!(
            !io::stdout().is_terminal(),
            "standard output is a terminal: redirect it, or name a file"
        );
        temporary::file()
            .map(Self::Standard)
            .context("no temporary file")
    }

    /// Lets nobody read it who could not read `source`. A pipe says nothing about that, so then only the
    /// owner may; who reads standard output is not for this program to say.
    pub fn guard_like(&mut self, source: &Path) {
        if let Self::File(output) = self {
            output.guard_like(place_of(source));
        }
    }

    /// Returns where it is for now, for a program that writes it.
    pub fn temporary_path(&self) -> &Path {
        match self {
            Self::File(output) => output.temporary_path(),
            Self::Standard(file) => file.path(),
        }
    }

    /// Returns the file.
    pub fn file(&mut self) -> &mut File {
        match self {
            Self::File(output) => output.file(),
            Self::Standard(file) => file.as_file_mut(),
        }
    }

    /// Puts it in its place, all of it; returns its size in bytes.
    pub fn finish(self) -> io::Result<u64> {
        match self {
            Self::File(output) => output.finish(),
            Self::Standard(file) => {
                let mut out = io::stdout().lock();
                let size = io::copy(&mut fs::File::open(file.path())?, &mut out)?;
                out.flush()?;
                Ok(size)
            }
        }
    }
}
