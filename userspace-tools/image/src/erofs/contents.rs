// SPDX-License-Identifier: GPL-2.0-only

//! The contents of an image's files, taken out by `fsck.erofs` into a temporary directory.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::child_processes::Running;
use crate::programs::FSCK_EROFS;
use crate::{disk_space, temporary};

use super::ErofsError;

/// The files, until it is dropped.
pub(super) struct Contents(TempDir);

impl Contents {
    /// Takes them out.
    pub(super) fn extract(image: &[u8]) -> Result<Self, ErofsError> {
        let mut file = temporary::file()?;
        file.write_all(image)?;
        let place = temporary::directory()?;
        let mut extract = OsString::from("--extract=");
        extract.push(place.path().join("tree"));
        let mut command = FSCK_EROFS.command();
        command
            .args([
                &extract,
                OsStr::new("--no-preserve"),
                file.path().as_os_str(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = Running::start(&mut command)
            .map_err(|error| ErofsError::Missing(&FSCK_EROFS, error))?;
        let output = child
            .output()
            .map_err(|error| ErofsError::Fsck(error.to_string()))?;
        if !output.status.success() {
            if disk_space::is_full(place.path()) {
                return Err(ErofsError::full());
            }
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(ErofsError::Fsck(words.trim().replace('\n', "; ")));
        }
        open_up(&place.path().join("tree"))?;
        Ok(Self(place))
    }

    /// Returns the bytes of a file, of which there have to be as many as its inode states.
    pub(super) fn of(&self, path: &[u8], size: u64) -> Result<Vec<u8>, ErofsError> {
        let path = self.0.path().join("tree").join(OsStr::from_bytes(path));
        // A link would lead out of the tree; an image whose walks differ is none to go on with.
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Err(ErofsError::Fsck(format!(
                "{} is no file there",
                path.display()
            )));
        }
        let bytes = fs::read(&path)?;
        if u64::try_from(bytes.len()) == Ok(size) {
            return Ok(bytes);
        }
        // fsck.erofs 1.8 says nothing of a disk that became full in the middle of a file.
        if disk_space::is_full(self.0.path()) {
            return Err(ErofsError::full());
        }
        Err(ErofsError::Fsck(format!(
            "{} has {} bytes there, not {size}",
            path.display(),
            bytes.len()
        )))
    }
}

/// Lets the owner read everything: another user than root meets modes like 0000 and 0555, which
/// `fsck.erofs` restores.
fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_type = entry.file_type()?;
        if file_type.is_dir() {
            open_up(&entry.path())?;
        } else if file_type.is_file() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}
