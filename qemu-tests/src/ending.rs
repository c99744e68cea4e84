// SPDX-License-Identifier: GPL-2.0-only
//! How a boot ended.

use std::process::ExitStatus;
use std::time::Duration;

use crate::console::Console;

/// How a boot ended, before it is judged.
pub struct Ending {
    /// Set if firmware ran before the kernel.
    pub has_firmware: bool,
    /// The console log.
    pub console: Console,
    /// The bytes from the port for reports.
    pub result: Vec<u8>,
    /// The emulator's own errors.
    pub complaints: String,
    /// The emulator's exit status; nothing if it had to be stopped.
    pub status: Option<ExitStatus>,
    /// From the emulator's start to its end.
    pub elapsed: Duration,
    /// How many kB of the guest's memory were ever read or written, if they were counted.
    pub touched_kb: u64,
}

impl Ending {
    /// Returns what the guest sent; firmware writes to every serial port it finds before.
    pub fn report(&self) -> &[u8] {
        const START: &[u8] = b"stage ";
        let mut places = self.result.windows(START.len());
        // What the firmware writes need not end with a line.
        let start = places.position(|bytes| bytes == START).filter(|_| self.has_firmware);
        self.result.get(start.unwrap_or(0)..).unwrap_or_default()
    }

    /// Returns the log, for an error message.
    pub fn story(&self) -> String {
        format!("after {:.1} s\n{}\nboot failed", self.elapsed.as_secs_f64(), self.console)
    }
}
