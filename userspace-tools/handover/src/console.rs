// SPDX-License-Identifier: GPL-2.0-only

//! The standard streams of the real root's init.

use std::fs::OpenOptions;
use std::path::Path;

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::Result;

/// Opens a device for all three.
pub fn open(path: &Path) -> Result<()> {
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(fail)?;
    dup2_stdin(&device)
        .and_then(|()| dup2_stdout(&device))
        .and_then(|()| dup2_stderr(&device))
        .map_err(|error| fail(error.into()))
}
