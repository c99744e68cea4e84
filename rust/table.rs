// SPDX-License-Identifier: GPL-2.0-only

//! Static C structures whose address C code is given.

use kernel::types::Opaque;

/// A static C table, which the kernel only reads, or writes to under its own locks.
#[repr(transparent)]
pub(crate) struct Table<T>(Opaque<T>);

// SAFETY: Rust code never looks into a `Table`; the kernel does its own locking.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    /// The table with these contents.
    pub(crate) const fn new(contents: T) -> Self {
        Self(Opaque::new(contents))
    }

    /// Its address, for C code.
    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}
