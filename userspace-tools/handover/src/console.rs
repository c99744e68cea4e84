// SPDX-License-Identifier: GPL-2.0-only

//! The standard streams of the real root's init.
//!
//! An init without them is better than none: what cannot be opened is said.

use core::ffi::CStr;

use rustix::fd::{AsRawFd, IntoRawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::failure::Failure;

/// The last of the standard streams.
const STDERR: i32 = 2;

/// Opens a device for all three.
pub fn open(path: &CStr) {
    let open = || -> Result<(), Errno> {
        let device = rustix::fs::open(path, OFlags::RDWR, Mode::empty())?;
        dup2_stdin(&device)?;
        dup2_stdout(&device)?;
        dup2_stderr(&device)?;
        if device.as_raw_fd() <= STDERR {
            // A stream that was closed: it is this one now.
            let _ = device.into_raw_fd();
        }
        Ok(())
    };
    if let Err(errno) = open() {
        Failure::of(path, errno).say();
    }
}
