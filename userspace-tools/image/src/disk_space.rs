// SPDX-License-Identifier: GPL-2.0-only

//! Full disks: the programs of erofs-utils complain of other things when they meet one.

use std::io::{self, Write};
use std::path::Path;

/// The most that those programs write at once, in bytes.
const ENOUGH: usize = 1 << 20;

/// Returns whether an error says that there is no room, on the disk or in a quota.
pub fn is_lack_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Returns whether a directory has no room for another mebibyte. To be asked while what has filled it is there.
pub fn is_full(directory: &Path) -> bool {
    let probe = || {
        let mut file = tempfile::tempfile_in(directory)?;
        file.write_all(&vec![0; ENOUGH])?;
        file.sync_data()
    };
    probe().is_err_and(|error| is_lack_of_room(&error))
}
