// SPDX-License-Identifier: GPL-2.0-only

//! Files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{self as unix, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::temporary;

/// A file being made beside the one that it will replace. Dropped, it leaves nothing behind.
pub struct Output {
    file: NamedTempFile,
    path: PathBuf,
    may_replace: bool,
    /// The mode that it will have, less the umask: that of the file it replaces, or 0644.
    mode: u32,
    /// Whose it will be, if this process may give it away: the user and group of the file it replaces.
    owner: Option<(u32, u32)>,
}

impl Output {
    /// Starts a file that will be at `path`, or where a link there leads to: `/initrd.img` is one to what
    /// the bootloader reads. Nobody else can read it before it is finished.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] if there is one and it may not be replaced,
    /// [`io::ErrorKind::InvalidInput`] if what is there is not a file (a device, say, which a new
    /// file must not take the place of, or a directory), or a link to such, and what the directory says.
    pub fn create(path: &Path, may_replace: bool) -> io::Result<Self> {
        // A link that leads nowhere has nothing to say.
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let words = "there is something that is not a file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        if path.symlink_metadata().is_ok() && !may_replace {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = Builder::new()
            .prefix(".initoverlayfs-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory)?;
        temporary::note(file.path());
        let replaced = path.symlink_metadata().ok().filter(fs::Metadata::is_file);
        let replaced = replaced.as_ref();
        Ok(Self {
            file,
            may_replace,
            mode: replaced.map_or(0o644, |replaced| replaced.permissions().mode()),
            owner: replaced.map(|replaced| (replaced.uid(), replaced.gid())),
            path,
        })
    }

    /// Lets nobody read it who could not read `source`, which it was made from.
    pub fn guard_like(&mut self, source: &Path) {
        if let Ok(metadata) = fs::metadata(source) {
            self.mode &= metadata.permissions().mode() | 0o600;
        }
    }

    /// Returns where it is for now, for a program that writes it.
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the file.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts it in its place; returns its size in bytes.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), and what the disk says.
    pub fn finish(mut self) -> io::Result<u64> {
        self.file.flush()?;
        if let Some((user, group)) = self.owner {
            // Root can, and others need not: theirs it is already, or becomes.
            let _ = unix::fchown(self.file.as_file(), Some(user), Some(group));
        }
        let mode = self.mode & 0o777 & !umask();
        self.file
            .as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        // Whatever happens to the machine now, there is the old file or the new one.
        self.file.as_file().sync_all()?;
        let size = fs::metadata(self.file.path())?.len();
        if self.may_replace {
            self.file.persist(&self.path)?;
        } else {
            self.file.persist_noclobber(&self.path)?;
        }
        Ok(size)
    }
}

/// Returns the mask of the process, as `/proc` shows it; nothing is masked if it does not.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
        .unwrap_or(0)
}
