// SPDX-License-Identifier: GPL-2.0-only

//! An image in memory as something to read: checked if need be, and counted.

use kernel::{
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*, //
};

use crate::{
    bindings,
    guard::Guard,
    region::Memory,
    usage::Usage, //
};

/// What a file holds.
pub(crate) struct File {
    /// The image, and behind it what seals it.
    memory: Memory,
    /// The size of the image, in bytes.
    len: usize,
    /// What checks the image as it is read, if it has to be authentic.
    guard: Option<Guard>,
    /// What counts the reads.
    usage: Usage,
}

impl File {
    /// A file of the first `len` bytes of `memory`.
    pub(crate) fn new(memory: Memory, len: usize, guard: Option<Guard>, usage: Usage) -> Self {
        Self {
            memory,
            len,
            guard,
            usage,
        }
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// All of it, checked or not.
    fn bytes(&self) -> &[u8] {
        let bytes = self.memory.bytes();
        bytes.get(..self.len).unwrap_or(bytes)
    }

    /// Copies what is at `position`, then zeroes up to the end of the last page. Does not sleep.
    ///
    /// EROFS reads its metadata by pages and its blocks as a whole, and takes a short read for an I/O
    /// error, while an image need not end with a page.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a negative position, `EIO` if what is there is not authentic.
    pub(crate) fn read(&self, position: &mut i64, iter: &mut IovIterDest<'_>) -> Result<usize> {
        let start = usize::try_from(*position)?;
        if let Some(guard) = &self.guard {
            guard.check(self.memory.bytes(), start..start.saturating_add(iter.len()))?;
        }
        self.usage.count(start, iter.len());
        let contents = self.bytes();
        let copied = iter.simple_read_from_buffer(position, contents)?;
        let readable = contents.len().next_multiple_of(PAGE_SIZE);
        let rest = readable.saturating_sub(usize::try_from(*position)?);
        let wanted = rest.min(iter.len());
        if wanted == 0 || usize::try_from(*position)? < contents.len() {
            return Ok(copied);
        }
        // SAFETY: The iterator is valid, and `wanted` is not more than it takes.
        let zeroed = unsafe { bindings::iov_iter_zero(wanted, iter.as_raw()) };
        *position = position.saturating_add(i64::try_from(zeroed)?);
        Ok(copied.saturating_add(zeroed))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.memory.is_given_back() {
            self.usage.release();
        }
    }
}
