// SPDX-License-Identifier: GPL-2.0-only

//! A limit on work: an image that states more than its bytes can hold is not read to the end.

use std::cell::Cell;

use super::ErofsError;

/// The steps that may still be taken. In a sound image, each entry of an index has at least two bytes.
pub(super) struct Steps(Cell<u64>);

impl Steps {
    /// Returns as many as an image has bytes.
    pub(super) fn of(image: &[u8]) -> Self {
        Self(Cell::new(u64::try_from(image.len()).unwrap_or(u64::MAX)))
    }

    /// Takes some.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Damaged`] if so many are not left. `offset` is that of the inode that takes them.
    pub(super) fn take(&self, count: u64, offset: u64) -> Result<(), ErofsError> {
        let left = self.0.get().checked_sub(count);
        let damaged = ErofsError::Damaged("the length of the index of the inode", offset);
        self.0.set(left.ok_or(damaged)?);
        Ok(())
    }
}
