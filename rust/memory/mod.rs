// SPDX-License-Identifier: GPL-2.0-only

//! The initrd's bytes: who owns them, who reads them, who checks and counts what is read.
//!
//! Nothing here knows of filesystems or mounts. May use: initrd, sys.

pub(crate) mod guard;
pub(crate) mod region;
pub(crate) mod retained_initrd;
pub(crate) mod segment_file;
pub(crate) mod usage;
