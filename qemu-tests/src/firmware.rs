// SPDX-License-Identifier: GPL-2.0-only
//! The firmware of a UEFI machine.

use std::path::PathBuf;

/// The firmware, and the directory that it finds as its system partition; without one, it takes the kernel, the initrd and
/// the command line from the emulator.
pub(crate) struct Firmware {
    /// The firmware's image.
    pub(crate) image: PathBuf,
    /// The directory.
    pub(crate) partition: Option<PathBuf>,
}

impl Firmware {
    /// Returns the emulator's options for its drives.
    pub(crate) fn drives(&self) -> impl Iterator<Item = String> {
        let image = format!("file={},if=pflash,unit=0", self.image.display());
        let partition = self.partition.as_ref();
        let partition = partition.map(|place| format!("file=fat:{},if=virtio", place.display()));
        let drives = [Some(image), partition].into_iter().flatten();
        drives.map(|drive| format!("{drive},format=raw,snapshot=on"))
    }
}
