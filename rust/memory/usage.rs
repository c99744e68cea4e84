// SPDX-License-Identifier: GPL-2.0-only

//! Counters of a layer's reads and of the memory that it holds, for debugfs; nothing is counted
//! in a kernel without it.

use kernel::prelude::*;
#[cfg(CONFIG_DEBUG_FS)]
use kernel::{
    bitmap::BitmapVec,
    fmt,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::initrd::Kind;

/// The unit in which [`Usage`] remembers what was read, in bytes: a page, and a block of most
/// images.
#[cfg(CONFIG_DEBUG_FS)]
const BLOCK: usize = 4096;

/// The figures of one layer. Clones count together.
#[derive(Clone)]
pub(crate) struct Usage(#[cfg(CONFIG_DEBUG_FS)] Arc<Figures>);

#[cfg(CONFIG_DEBUG_FS)]
struct Figures {
    /// The kind of the segment: `cpio`, or a filesystem.
    kind: &'static str,
    /// The size of the segment, in bytes.
    len: usize,
    /// The part of the initrd's memory that it still holds, in bytes.
    held: Atomic<usize>,
    /// The number of reads.
    reads: Atomic<u64>,
    /// The number of bytes that were copied.
    served: Atomic<u64>,
    /// A bit for each block that was read.
    touched: BitmapVec,
}

impl Usage {
    /// Returns a layer of `len` bytes, of which nothing has been read.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[cfg_attr(not(CONFIG_DEBUG_FS), expect(unused_variables))]
    pub(crate) fn new(kind: &Kind, len: usize) -> Result<Self> {
        #[cfg(CONFIG_DEBUG_FS)]
        {
            let figures = Figures {
                kind: match kind {
                    Kind::Image(filesystem, _) => filesystem.name(),
                    Kind::Cpio | Kind::Unknown => "cpio",
                },
                len,
                held: Atomic::new(len),
                reads: Atomic::new(0),
                served: Atomic::new(0),
                // Without memory for that, only the first blocks are told apart.
                touched: BitmapVec::new(len.div_ceil(BLOCK), GFP_KERNEL)
                    .unwrap_or_else(|_| BitmapVec::new_inline()),
            };
            Ok(Self(Arc::new(figures, GFP_KERNEL)?))
        }
        #[cfg(not(CONFIG_DEBUG_FS))]
        Ok(Self())
    }

    /// `len` bytes at `start` are read. Does not sleep.
    #[cfg_attr(not(CONFIG_DEBUG_FS), expect(unused_variables))]
    pub(crate) fn count(&self, start: usize, len: usize) {
        #[cfg(CONFIG_DEBUG_FS)]
        {
            let end = start.saturating_add(len).min(self.0.len);
            self.0.reads.fetch_add(1, Relaxed);
            self.0
                .served
                .fetch_add(end.saturating_sub(start) as u64, Relaxed);
            let touched = &self.0.touched;
            for block in start / BLOCK..end.div_ceil(BLOCK).min(touched.len()) {
                touched.set_bit_atomic(block);
            }
        }
    }

    /// Notes that the memory is given back.
    pub(crate) fn release(&self) {
        #[cfg(CONFIG_DEBUG_FS)]
        self.0.held.store(0, Relaxed);
    }
}

#[cfg(CONFIG_DEBUG_FS)]
impl Usage {
    /// Returns the blocks that were read, from the first to the last of each run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let touched = &self.0.touched;
        let mut from = 0;
        core::iter::from_fn(move || {
            if from >= touched.len() {
                return None;
            }
            let first = touched.next_bit(from)?;
            let end = touched.next_zero_bit(first).unwrap_or(touched.len());
            from = end;
            Some((first, end - 1))
        })
    }
}

/// Kind, size in bytes, memory held in bytes, reads, bytes copied, distinct blocks read.
#[cfg(CONFIG_DEBUG_FS)]
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures {
            kind,
            len,
            held,
            reads,
            served,
            ..
        } = &*self.0;
        let (held, reads, served) = (
            held.load(Relaxed),
            reads.load(Relaxed),
            served.load(Relaxed),
        );
        let touched: usize = self.runs().map(|(first, last)| last - first + 1).sum();
        f.write_fmt(fmt!("{kind} {len} {held} {reads} {served} {touched}"))
    }
}
