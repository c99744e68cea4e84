// SPDX-License-Identifier: GPL-2.0-only

//! Temporary files that are to go even if a signal ends the program, when nothing is dropped.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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

/// Returns a file in the system's directory for temporary files.
///
/// # Errors
///
/// What the directory says.
pub fn file() -> std::io::Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    note(file.path());
    Ok(file)
}

/// Returns a directory there, which nobody else can look into: an initramfs may hold keys.
///
/// # Errors
///
/// What the directory says.
pub fn directory() -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new()
        .prefix("initoverlayfs-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()?;
    note(directory.path());
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_look_into_them() {
        let (file, directory) = (file().expect("a file"), directory().expect("a directory"));
        for place in [file.path(), directory.path()] {
            let mode = fs::metadata(place)
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "{}", place.display());
        }
    }
}
