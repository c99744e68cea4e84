// SPDX-License-Identifier: GPL-2.0-only

//! An image in memory as something to read: checked if need be, and counted. Perhaps to be written
//! to.
//!
//! Unsafe, because it calls C to pad a read with zeroes.

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
use kernel::iov::IovIterSource;
use kernel::{
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*,
    revocable::Revocable,
    sync::Arc, //
};

use crate::{
    memory::{
        guard::Guard,
        region::{
            Memory,
            Scratch, //
        },
        usage::Usage, //
    },
    sys::bindings, //
};

/// The number of bytes that are checked before other threads may run.
const CHECKED_AT_ONCE: usize = 1 << 20;

/// The content of a file.
pub(crate) struct File {
    /// The image, and behind it what seals it.
    memory: Store,
    /// The size of the image, in bytes.
    len: usize,
    /// The guard that checks the image as it is read, if it has to be authentic.
    guard: Option<Guard>,
    /// The counters of its reads, which also note when the memory is gone.
    lease: Lease,
}

/// Whoever counts the reads of a layer also says how much memory it holds.
struct Lease {
    usage: Usage,
    /// Set if the memory goes back with the file.
    is_given_back: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_given_back {
            self.usage.release();
        }
    }
}

/// The bytes, read-only or to be written to.
enum Store {
    /// Never written to.
    Fixed(Memory),
    /// Written to in place.
    Scratch(Scratch),
}

impl File {
    /// Returns a file of the first `len` bytes of `memory`.
    pub(crate) fn new(memory: Memory, len: usize, guard: Option<Guard>, usage: Usage) -> Self {
        Self {
            len: len.min(memory.bytes().len()),
            lease: Lease {
                usage,
                is_given_back: memory.is_given_back(),
            },
            memory: Store::Fixed(memory),
            guard,
        }
    }

    /// Makes a file that may be written to. An image that has to be authentic is checked now, all
    /// of it: later, nobody could tell what was written from what was forged.
    ///
    /// # Errors
    ///
    /// `EIO` if it is not authentic.
    pub(crate) fn into_writable(self) -> Result<Self> {
        let Store::Fixed(memory) = self.memory else {
            return Ok(self);
        };
        if let Some(guard) = &self.guard {
            for start in (0..self.len).step_by(CHECKED_AT_ONCE) {
                guard.check(memory.bytes(), start..start.saturating_add(CHECKED_AT_ONCE))?;
                // SAFETY: This is PID 1, without locks.
                unsafe { bindings::initoverlayfs_give_way() };
            }
        }
        Ok(Self {
            memory: Store::Scratch(memory.into_scratch()),
            guard: None,
            ..self
        })
    }

    /// Returns its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether it can be written to.
    #[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.memory, Store::Scratch(_))
    }

    /// Copies what is at `position`, then zeroes up to the end of the last page. Does not sleep.
    ///
    /// EROFS reads its metadata by pages and its blocks as a whole, and takes a short read for an
    /// I/O error, while an image need not end with a page.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a negative position, `EIO` if what is there is not authentic.
    pub(crate) fn read(&self, position: &mut i64, iter: &mut IovIterDest<'_>) -> Result<usize> {
        let start = usize::try_from(*position)?;
        self.lease.usage.count(start, iter.len());
        let copied = match &self.memory {
            Store::Fixed(memory) => {
                let bytes = memory.bytes();
                if let Some(guard) = &self.guard {
                    guard.check(bytes, start..start.saturating_add(iter.len()))?;
                }
                iter.simple_read_from_buffer(position, bytes.get(..self.len).unwrap_or(bytes))?
            }
            Store::Scratch(memory) => {
                let copied = memory.read(start..self.len, iter);
                *position = position.saturating_add(i64::try_from(copied)?);
                copied
            }
        };
        let readable = self.len.next_multiple_of(PAGE_SIZE);
        let rest = readable.saturating_sub(usize::try_from(*position)?);
        let wanted = rest.min(iter.len());
        if wanted == 0 || usize::try_from(*position)? < self.len {
            return Ok(copied);
        }
        // SAFETY: The iterator is valid, and `wanted` is not more than it takes.
        let zeroed = unsafe { bindings::iov_iter_zero(wanted, iter.as_raw()) };
        *position = position.saturating_add(i64::try_from(zeroed)?);
        Ok(copied.saturating_add(zeroed))
    }

    /// Overwrites what is at `position`, as far as the file reaches; `iter` tells what is left.
    /// Does not sleep.
    ///
    /// # Errors
    ///
    /// `EROFS` if it cannot be written to, `EINVAL` for a negative position.
    #[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
    pub(crate) fn write(&self, position: i64, iter: &mut IovIterSource<'_>) -> Result {
        let Store::Scratch(memory) = &self.memory else {
            return Err(EROFS);
        };
        memory.write(usize::try_from(position)?..self.len, iter);
        Ok(())
    }
}

/// Files whose memory can be taken back while they are in use.
pub(crate) type Files = Revocable<KVec<File>>;

/// A share in some files. Their memory is kept as long as there is one, or until it is withdrawn.
pub(crate) struct Segments(Arc<Files>);

impl Segments {
    /// Some files that nobody else has a share in.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the memory of the files has been freed then.
    pub(crate) fn new(files: KVec<File>) -> Result<Self> {
        Ok(Self(Arc::pin_init(Files::new(files), GFP_KERNEL)?))
    }

    /// Returns another share, for C code to own.
    pub(crate) fn share(&self) -> Arc<Files> {
        self.0.clone()
    }

    /// Does something with file `number`, which must not sleep.
    ///
    /// # Errors
    ///
    /// `EIO` if the memory was withdrawn or there is no such file, and errors of `work`.
    #[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
    pub(crate) fn with<R>(
        &self,
        number: usize,
        work: impl FnOnce(&File) -> Result<R>,
    ) -> Result<R> {
        let files = self.0.try_access().ok_or(EIO)?;
        work(files.get(number).ok_or(EIO)?)
    }

    /// Gives the memory back. Whoever still reads gets `EIO` from now on.
    pub(crate) fn withdraw(self) {
        // It waits for those who are reading.
        self.0.revoke();
    }
}
