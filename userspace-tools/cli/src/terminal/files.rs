// SPDX-License-Identifier: GPL-2.0-only

//! Files that are read and made, with their names in the errors.

use std::path::Path;

use anyhow::{Context, Result};
use initoverlayfs_image::output::Output;

/// Starts a file that appears whole, and takes the place of another with `force` only.
pub fn create(path: &Path, force: bool) -> Result<Output> {
    Output::create(path, force).map_err(|error| {
        let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let remedy = if is_there {
            ": --force replaces it"
        } else {
            ""
        };
        anyhow::Error::new(error).context(format!("{}{remedy}", path.display()))
    })
}

/// Reads a file, naming it in the error.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
