// SPDX-License-Identifier: GPL-2.0-only

//! The mounts on the way to the new root, which are undone if it is not reached.

use kernel::prelude::*;

use crate::memory::segment_file::Segments;
use crate::sys::vfs::{
    mount::{
        AccessTimes,
        Mount, //
    },
    path::Path, //
};

/// The mounts that lead to the new root, each on the root of the one before.
///
/// Dropping it undoes them, and the working directory is the old root again.
pub(crate) struct Stack {
    /// The root that was there before: the built-in initramfs.
    old_root: Path,
    /// The first of our mounts, with all the others on it.
    base: Option<Path>,
    /// The last of them, the new root in the end.
    top: Option<Path>,
    /// The images' memory, as far as it is mounted.
    segments: KVec<Segments>,
    #[cfg(out_of_tree)]
    /// The tmpfs that archives are unpacked into, once it is mounted.
    tmpfs: Option<Path>,
}

impl Stack {
    /// Returns a stack with nothing mounted yet.
    ///
    /// # Errors
    ///
    /// Those of [`Path::of`].
    pub(crate) fn on_root() -> Result<Self> {
        Ok(Self {
            old_root: Path::of(c"/")?,
            base: None,
            top: None,
            segments: KVec::new(),
            #[cfg(out_of_tree)]
            tmpfs: None,
        })
    }

    /// Puts a mount on top of the others; returns its root.
    ///
    /// # Errors
    ///
    /// Those of [`Mount::attach`].
    pub(crate) fn attach(&mut self, mount: Mount) -> Result<Path> {
        self.attach_with(mount, AccessTimes::Relative)
    }

    fn attach_with(&mut self, mount: Mount, times: AccessTimes) -> Result<Path> {
        let root = mount.attach(self.top.as_ref().unwrap_or(&self.old_root), times)?;
        self.base.get_or_insert_with(|| root.clone());
        self.top = Some(root.clone());
        Ok(root)
    }

    /// Puts the tmpfs on top, and enters it.
    ///
    /// # Errors
    ///
    /// Those of [`Mount::attach`].
    pub(crate) fn attach_tmpfs(&mut self, tmpfs: Mount) -> Result {
        let root = self.attach(tmpfs)?;
        root.enter();
        #[cfg(out_of_tree)]
        self.tmpfs.replace(root);
        Ok(())
    }

    /// Puts the new root on top, and enters it.
    ///
    /// # Errors
    ///
    /// Those of [`Mount::attach`].
    pub(crate) fn attach_root(&mut self, root: Mount, times: AccessTimes) -> Result {
        self.attach_with(root, times)?.enter();
        Ok(())
    }

    /// Has the memory of some images taken back with the mounts.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn keep(&mut self, segments: Segments) -> Result {
        Ok(self.segments.push(segments, GFP_KERNEL)?)
    }

    /// Returns the new root.
    ///
    /// # Errors
    ///
    /// `EINVAL` if nothing is mounted yet.
    pub(crate) fn root(&self) -> Result<&Path> {
        self.top.as_ref().ok_or(EINVAL)
    }

    /// Returns the root that was there before.
    pub(crate) fn old_root(&self) -> &Path {
        &self.old_root
    }

    /// Keeps the mounts; returns the old root, with which they can be detached.
    pub(crate) fn into_old_root(mut self) -> Path {
        self.base = None;
        self.segments.clear();
        #[cfg(out_of_tree)]
        self.tmpfs.take();
        self.old_root.clone()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        #[cfg(out_of_tree)]
        // The kernel's unpacker leaves a file open when it fails within one, and with it the tmpfs
        // and the images below: what they hold goes back all the same.
        if let Some(tmpfs) = self.tmpfs.take() {
            crate::sys::leftovers::empty(&tmpfs);
        }
        if let Some(base) = self.base.take() {
            self.old_root.enter();
            if let Err(error) = base.detach() {
                pr_err!(
                    "unmounting the layers failed: error {}, the image stays in memory\n",
                    error.to_errno()
                );
            }
        }
        for segments in core::mem::take(&mut self.segments) {
            segments.withdraw();
        }
    }
}
