// SPDX-License-Identifier: GPL-2.0-only

//! Proof of an initcall's level, a place for what one initcall leaves for another, and the entries
//! of boot parameters.
//!
//! Unsafe, because the slot is a static that is written to, and C reads the entries.
//!
//! C header: [`include/linux/init.h`](srctree/include/linux/init.h).

use core::cell::UnsafeCell;

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    }, //
};

/// Proves that an early initcall runs: the kernel has not looked at the initrd, and only one thread
/// runs initcalls.
///
/// [`initcall!`](initoverlayfs_macros::initcall) lends one to a function of the level `early`.
pub(crate) struct Early(());

impl Early {
    /// Makes one.
    ///
    /// # Safety
    ///
    /// The token is dropped before the early initcall that makes it returns.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

/// A boot parameter as C finds it in `.init.setup`: `struct obs_kernel_param`, which `bindgen` does
/// not see in the headers of a module.
///
/// [`boot_param!`](initoverlayfs_macros::boot_param) makes one.
#[repr(C)]
pub(crate) struct BootParam {
    name: *const c_char,
    function: unsafe extern "C" fn(*mut c_char) -> c_int,
    is_early: c_int,
}

// SAFETY: It is never written.
unsafe impl Sync for BootParam {}

impl BootParam {
    /// Makes one, whose function gets what stands behind the name.
    ///
    /// # Safety
    ///
    /// `name` is NUL-terminated, and is there during the boot.
    pub(crate) const unsafe fn new(
        name: *const c_char,
        function: unsafe extern "C" fn(*mut c_char) -> c_int,
    ) -> Self {
        Self {
            name,
            function,
            is_early: 0,
        }
    }
}

/// A place for a value that one initcall leaves for another.
///
/// # Invariants
///
/// Only the thread that has set `is_in_use` from false to true accesses `value`, until it sets
/// `is_in_use` back.
pub(crate) struct Slot<T> {
    is_in_use: Atomic<bool>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: By the type invariant one thread at a time accesses the value, which may be sent.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// Makes an empty one.
    pub(crate) const fn new() -> Self {
        Self {
            is_in_use: Atomic::new(false),
            value: UnsafeCell::new(None),
        }
    }

    /// Puts a value in. A value that is there already is dropped.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the slot is in use. Initcalls run one after the other, so it never is for them.
    pub(crate) fn put(&self, value: T) -> Result {
        self.with(|slot| drop(slot.replace(value))).ok_or(EBUSY)
    }

    /// Takes the value out, if there is one and it is `wanted`.
    pub(crate) fn take_if(&self, wanted: impl FnOnce(&mut T) -> bool) -> Option<T> {
        self.with(|slot| slot.take_if(wanted)).flatten()
    }

    /// Does something with the contents. Nothing if somebody else does.
    fn with<R>(&self, work: impl FnOnce(&mut Option<T>) -> R) -> Option<R> {
        if self.is_in_use.xchg(true, Acquire) {
            return None;
        }
        // SAFETY: By the type invariant nobody else accesses the value: `is_in_use` was false.
        let result = work(unsafe { &mut *self.value.get() });
        self.is_in_use.store(false, Release);
        Some(result)
    }
}
