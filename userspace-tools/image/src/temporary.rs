// SPDX-License-Identifier: GPL-2.0-only

//! Temporary files that are to go even if a signal ends the program, when nothing is dropped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static PLACES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Notes a temporary file or directory. Its name is never used again, so it stays noted.
pub(crate) fn note(path: &Path) {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places.insert(path.to_owned());
}

/// Removes what is left of them all. For a program that is about to end.
pub fn remove_all() {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    for path in places.iter() {
        // Most are gone, or have become what they were to be.
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    }
}

/// A file in the system's directory for temporary files.
///
/// # Errors
///
/// What the directory says.
pub fn file() -> std::io::Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    note(file.path());
    Ok(file)
}

/// A directory there.
///
/// # Errors
///
/// What the directory says.
pub fn directory() -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::TempDir::with_prefix("initoverlayfs-")?;
    note(directory.path());
    Ok(directory)
}
