// SPDX-License-Identifier: GPL-2.0-only

//! The layers so far, and overlays of them.

use kernel::prelude::*;

use crate::sys::vfs::{
    mount::{
        Access,
        Context,
        Handle,
        Mount, //
    },
    path::Path, //
};

/// The source of the tmpfs and of the overlays, as `/proc/mounts` shows it.
pub(crate) const SOURCE: &CStr = c"initoverlayfs";

/// The layers that the next one covers.
pub(crate) struct Lower {
    /// The lowest one.
    lowest: Path,
    /// The layers on it, in order.
    layers: KVec<Path>,
}

impl Lower {
    /// Starts with the built-in initramfs alone.
    pub(crate) fn new(lowest: &Path) -> Self {
        Self {
            lowest: lowest.clone(),
            layers: KVec::new(),
        }
    }

    /// Puts the directory `layer` on top.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn cover_with(&mut self, layer: Path) -> Result {
        Ok(self.layers.push(layer, GFP_KERNEL)?)
    }

    /// Returns the directory on top.
    pub(crate) fn uppermost(&self) -> &Path {
        self.layers.last().unwrap_or(&self.lowest)
    }

    /// Makes an overlay of these layers below the directory `upper`, with `work` as its scratch
    /// directory in the same filesystem, and with more options.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and errors of overlayfs.
    pub(crate) fn below(
        &self,
        upper: &Path,
        work: &Path,
        others: &[(&CStr, Option<&CStr>)],
    ) -> Result<Mount> {
        let mut overlay = Context::new(c"overlay", Some(SOURCE), Access::ReadWrite)?;
        for (key, value) in others {
            overlay.set(key, *value)?;
        }
        for layer in self.layers.iter().rev() {
            overlay.set_path(c"lowerdir+", layer, Handle::Place)?;
        }
        overlay.set_path(c"lowerdir+", &self.lowest, Handle::Place)?;
        overlay.set_path(c"upperdir", upper, Handle::Place)?;
        overlay.set_path(c"workdir", work, Handle::Place)?;
        overlay.mount()
    }
}
