// SPDX-License-Identifier: GPL-2.0-only

//! The time that the phases took.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::sys::clock;

/// A phase of the boot, which takes time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Finding out what the initrd holds, and taking it.
    Claim,
    /// Waiting for the built-in initramfs to be unpacked.
    Wait,
    /// Dividing the memory, and finding out whether the images are authentic.
    Admit,
    /// Mounting the tmpfs.
    Tmpfs,
    /// Showing the images as files.
    Segments,
    /// Mounting the image that is this layer.
    Image(usize),
    /// Unpacking the archives that are this layer.
    Archives(usize),
    /// Mounting the overlay, and looking into it.
    Overlay,
    /// Making it the root, and detaching the old one.
    Pivot,
    /// Mounting devtmpfs on `/dev`.
    Devtmpfs,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim => "claim",
            Self::Wait => "wait",
            Self::Admit => "admit",
            Self::Tmpfs => "tmpfs",
            Self::Segments => "segments",
            Self::Image(layer) => return write!(f, "image{layer}"),
            Self::Archives(layer) => return write!(f, "archives{layer}"),
            Self::Overlay => "overlay",
            Self::Pivot => "pivot",
            Self::Devtmpfs => "devtmpfs",
        })
    }
}

/// The phases so far, in their order, and the time that each took.
pub(crate) struct Timeline {
    /// With nanoseconds.
    phases: KVec<(Phase, u64)>,
    /// The end of the last phase, or the moment when the time was taken up again.
    since: u64,
}

impl Timeline {
    /// Starts the first phase.
    pub(crate) fn start() -> Self {
        Self {
            phases: KVec::new(),
            since: clock::now(),
        }
    }

    /// Starts the next phase now: what happened since the last one is nobody's.
    pub(crate) fn resume(&mut self) {
        self.since = clock::now();
    }

    /// Ends a phase, and starts the next one. It is not remembered if there is no memory for that.
    pub(crate) fn end(&mut self, phase: Phase) {
        let now = clock::now();
        let took = now.saturating_sub(self.since);
        let _ = self.phases.push((phase, took), GFP_KERNEL);
        self.since = now;
    }

    /// Returns the time that these phases took together, in microseconds.
    pub(crate) fn micros(&self, is_meant: impl Fn(Phase) -> bool) -> u64 {
        let nanos = self.phases.iter().filter(|(phase, _)| is_meant(*phase));
        nanos.map(|(_, took)| took).sum::<u64>() / 1000
    }
}

/// A line for each phase: its name, and nanoseconds.
impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (phase, took) in &self.phases {
            f.write_fmt(fmt!("{phase} {took}\n"))?;
        }
        Ok(())
    }
}
