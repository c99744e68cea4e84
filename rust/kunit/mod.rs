// SPDX-License-Identifier: GPL-2.0-only

//! KUnit suites: what the parts do inside a kernel, with memory that can be counted.
//!
//! `kunit.enable=1 kunit.filter_glob=initoverlayfs*` runs them at boot.

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
mod disk;
mod guard;
mod initrdfs;
mod options;
mod region;
mod segments;
#[cfg(CONFIG_DEBUG_FS)]
mod usage;

use core::ops::Range;

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

use crate::{
    memory::region::Region,
    sys::bindings, //
};

/// The most pages that a test may ask for: a power of two.
const PAGES: usize = 16;

/// Pages that look to the kernel like an initrd that the bootloader left.
struct Fake {
    start: usize,
}

impl Fake {
    /// Takes [`PAGES`] pages out of the page allocator, filled with a pattern.
    fn new() -> Result<Self> {
        // SAFETY: There are no preconditions.
        let start = unsafe { bindings::initoverlayfs_test_reserve_pages(PAGES.ilog2()) };
        if start.is_null() {
            return Err(ENOMEM);
        }
        for at in 0..PAGES * PAGE_SIZE {
            // SAFETY: The pages are ours, and `at` lies in them.
            unsafe { start.cast::<u8>().add(at).write(pattern(at)) };
        }
        Ok(Self {
            start: start as usize,
        })
    }

    /// Returns whether the pages still have their pattern but for these bytes.
    #[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
    fn is_unchanged_outside(&self, bytes: &Range<usize>) -> bool {
        (0..PAGES * PAGE_SIZE)
            .filter(|at| !bytes.contains(at))
            // SAFETY: `at` lies in the pages, which the test has not given back yet.
            .all(|at| unsafe { ((self.start + at) as *const u8).read() } == pattern(at))
    }

    /// Returns an initrd at these bytes of the pages. It may be taken once.
    fn region(&self, bytes: Range<usize>) -> Region {
        // SAFETY: The pages are reserved and nobody else's.
        unsafe { Region::for_test(self.start + bytes.start..self.start + bytes.end) }
    }

    /// Returns the bytes of the pages whose bits are set, which are next to each other.
    fn pages(&self, bits: u32) -> Range<usize> {
        let page = |number: u32| self.start + number as usize * PAGE_SIZE;
        page(bits.trailing_zeros())..page(u32::BITS - bits.leading_zeros())
    }

    /// Returns which pages are still reserved, a bit for each.
    fn reserved(&self) -> u32 {
        (0..PAGES)
            .filter(|page| {
                let address = self.start + page * PAGE_SIZE;
                // SAFETY: The address is in the direct map.
                unsafe { bindings::initoverlayfs_test_is_reserved(address as *const c_void) }
            })
            .fold(0, |bits, page| bits | 1 << page)
    }
}

/// Returns the byte at `at` in [`Fake`] pages.
fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

/// Bits for the pages that these bytes touch.
fn touched(bytes: &Range<usize>) -> u32 {
    (bytes.start / PAGE_SIZE..bytes.end.div_ceil(PAGE_SIZE)).fold(0, |bits, page| bits | 1 << page)
}

/// Memory that the kernel manages, in pages.
fn managed() -> usize {
    // SAFETY: There are no preconditions.
    unsafe { bindings::initoverlayfs_test_managed_pages() }
}

/// A sequence of numbers that look random, and are the same on every run.
struct Numbers(u32);

impl Numbers {
    /// Returns the next number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}
