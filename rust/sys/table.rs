// SPDX-License-Identifier: GPL-2.0-only

//! Static C structures whose address C code is given.
//!
//! Unsafe, because raw pointers are shared between threads.

use kernel::types::Opaque;

/// A static C structure that the kernel writes to, under its own locks.
#[repr(transparent)]
pub(crate) struct Table<T>(Opaque<T>);

// SAFETY: Rust code never looks into a `Table`; the kernel does its own locking.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    /// Makes one with these contents.
    pub(crate) const fn new(contents: T) -> Self {
        Self(Opaque::new(contents))
    }

    /// Returns its address, for C code.
    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// A static C structure that nobody writes to, such as a table of functions. The linker puts it
/// into memory that cannot be written.
#[repr(transparent)]
pub(crate) struct ConstTable<T>(T);

// SAFETY: Nobody writes to it, and its pointers are only followed by C code.
unsafe impl<T> Sync for ConstTable<T> {}

impl<T> ConstTable<T> {
    /// Makes one with these contents.
    pub(crate) const fn new(contents: T) -> Self {
        Self(contents)
    }

    /// Returns its address, for C code.
    pub(crate) const fn get(&self) -> *const T {
        &raw const self.0
    }
}
