// SPDX-License-Identifier: GPL-2.0-only

//! The initrd's memory, as owned Rust values: giving it back is their [`Drop`].
//!
//! Unsafe, because memory that Rust did not allocate becomes slices here, and is freed.
//!
//! C sources: [`init/initramfs.c`](srctree/init/initramfs.c) for the protocol around `initrd_start`
//! and `initrd_end`, `free_reserved_pages()` in [`mm/page_alloc.c`](srctree/mm/page_alloc.c) for
//! the release.

use core::{
    ops::Range,
    ptr::{
        addr_of,
        addr_of_mut, //
    },
    slice, //
};

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
use kernel::iov::IovIterSource;
use kernel::{
    iov::IovIterDest,
    page::{
        PAGE_MASK,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::Arc, //
};

use crate::sys::bindings;
use crate::sys::initcall::Early;

/// The initrd where the bootloader left it, not yet ours.
///
/// # Invariants
///
/// The range is that of `initrd_start` and `initrd_end`, is not empty, and is mapped and reserved
/// until `populate_rootfs` runs, which is after the early initcalls, or [`Initrd::claim`] takes it.
pub(crate) struct Initrd<'early> {
    range: Range<usize>,
    /// Keeps it from being used after the early initcall.
    _early: &'early Early,
}

impl<'early> Initrd<'early> {
    /// Returns the initrd, if the bootloader passed one.
    pub(crate) fn peek(early: &'early Early) -> Option<Self> {
        // SAFETY: This is an early initcall. Until `populate_rootfs` nobody else reads or writes
        // the two globals: what the architecture sets up, it has set up before the initcalls.
        let (start, end) = unsafe {
            (
                addr_of!(bindings::initrd_start).read(),
                addr_of!(bindings::initrd_end).read(),
            )
        };
        // INVARIANT: Both are addresses in the direct map; the range is reserved until it is freed
        // by `do_populate_rootfs()`.
        (start != 0 && start < end).then_some(Self {
            range: start..end,
            _early: early,
        })
    }

    /// Returns its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: By the type invariant the range is mapped, and nobody writes to it. It ends
        // below the end of the direct map, so its length fits `isize`.
        unsafe { slice::from_raw_parts(self.range.start as *const u8, self.range.len()) }
    }

    /// Takes it away from `populate_rootfs`, which will find nothing to unpack and nothing to free.
    ///
    /// If some of it is reserved for the crash kernel, none of it is ever freed.
    pub(crate) fn claim(self) -> Region {
        // SAFETY: By `_early`, this is an early initcall: see `peek`.
        unsafe {
            addr_of_mut!(bindings::initrd_start).write(0);
            addr_of_mut!(bindings::initrd_end).write(0);
        }
        let (start, end) = (self.range.start, self.range.end);
        // INVARIANT: The pages were the initrd's, and now nobody else knows of them.
        let mut region = Region::of(self.range);
        // SAFETY: The addresses are only compared.
        if unsafe {
            bindings::initoverlayfs_in_crash_kernel(start as *const c_void, end as *const c_void)
        } {
            pr_info!("the initrd lies in the crash kernel's memory, and stays there\n");
            region.retain();
        }
        region
    }
}

/// Whole pages of reserved memory, which go back to the page allocator when dropped.
///
/// # Invariants
///
/// Both ends are multiples of the page size. The pages are reserved memory in the direct map, and
/// nobody else frees them.
struct Pages {
    range: Range<usize>,
    /// Set if the kernel's count of the memory that it manages has them.
    is_counted: bool,
}

impl Pages {
    /// Counts them, as memory that the kernel manages.
    ///
    /// It must not be called before the device initcalls.
    fn count(&mut self) {
        if self.range.is_empty() || self.is_counted {
            return;
        }
        // SAFETY: By the type invariant the pages are in the direct map, so they have a `struct
        // page`. `is_counted` is false, so they are in no count yet. `divide` calls this, from the
        // device initcalls on.
        unsafe { bindings::initoverlayfs_count_pages(self.range.start, self.range.end) };
        self.is_counted = true;
    }

    /// Splits off the pages in front of `address`, which is a multiple of the page size.
    fn take_until(&mut self, address: usize) -> Self {
        let middle = address.clamp(self.range.start, self.range.end);
        // INVARIANT: Each page is in one of the two.
        let front = Self {
            range: self.range.start..middle,
            is_counted: self.is_counted,
        };
        self.range.start = middle;
        front
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.range.is_empty() {
            return;
        }
        // SAFETY: By the type invariant the pages are reserved and ours; being dropped, they are
        // not used any more.
        unsafe {
            bindings::initoverlayfs_free_pages(self.range.start, self.range.end, self.is_counted)
        };
    }
}

/// The claimed initrd as a whole.
///
/// It must not be dropped or divided before the device initcalls: pages are given back, and on a
/// machine with `DEFERRED_STRUCT_PAGE_INIT` the allocator cannot take them sooner.
///
/// # Invariants
///
/// `bytes` is what the bootloader passed, and is mapped as long as the pages are not freed.
pub(crate) struct Region {
    pages: Pages,
    bytes: Range<usize>,
}

impl Region {
    /// Returns the region of an initrd at `bytes`, which the caller owns.
    fn of(bytes: Range<usize>) -> Self {
        // A page that is only partly the initrd's may hold something else as well. x86 reserves the
        // last one as a whole. `free_initrd_mem()` rounds in the same way, on x86 and elsewhere.
        let first = bytes.start.next_multiple_of(PAGE_SIZE);
        let end = if cfg!(CONFIG_X86) {
            bytes.end.next_multiple_of(PAGE_SIZE)
        } else {
            bytes.end & PAGE_MASK
        };
        Self::new(first.min(end)..end, bytes)
    }

    fn new(pages: Range<usize>, bytes: Range<usize>) -> Self {
        Self {
            pages: Pages {
                range: pages,
                is_counted: false,
            },
            bytes,
        }
    }

    /// Divides it among its segments, whose ranges are given in order, in bytes from the start of
    /// the initrd. Padding between them is freed at once. A page that two segments share is freed
    /// with the second one to be dropped. From now on, all pages count as memory that the kernel
    /// manages.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; everything is freed.
    pub(crate) fn divide(
        self,
        ranges: impl Iterator<Item = Range<usize>> + Clone,
    ) -> Result<KVec<Memory>> {
        let Self { mut pages, bytes } = self;
        pages.count();
        let start = bytes.start;
        let mut divided = KVec::new();
        let mut shared: Option<Arc<Pages>> = None;
        let mut following = ranges.clone().skip(1);

        for range in ranges {
            let bytes = start.saturating_add(range.start)..start.saturating_add(range.end);
            let first_page = bytes.start & PAGE_MASK;
            let pages_end = bytes.end.next_multiple_of(PAGE_SIZE);

            drop(pages.take_until(first_page));
            let left = shared.take_if(|left| first_page < left.range.end);
            let right = match following.next() {
                Some(next) if (start.saturating_add(next.start) & PAGE_MASK) < pages_end => {
                    let own = pages.take_until(pages_end - PAGE_SIZE);
                    let last = pages.take_until(pages_end);
                    // Within a single page that is shared already, nothing is left to share.
                    let right = if last.range.is_empty() {
                        left.clone()
                    } else {
                        Some(Arc::new(last, GFP_KERNEL)?)
                    };
                    shared = right.clone();
                    divided.push(Memory::new(bytes, own, left, right), GFP_KERNEL)?;
                    continue;
                }
                _ => None,
            };
            let own = pages.take_until(pages_end);
            divided.push(Memory::new(bytes, own, left, right), GFP_KERNEL)?;
        }
        Ok(divided)
    }

    /// Returns another region of the same bytes, which owns no pages. [`None`] if they are not
    /// retained.
    #[cfg(CONFIG_INITOVERLAYFS_FAULT_INJECTION)]
    pub(crate) fn again(&self) -> Option<Self> {
        // INVARIANT: Without pages to own, the bytes were mapped for good by `retain`.
        self.pages
            .range
            .is_empty()
            .then(|| Self::new(0..0, self.bytes.clone()))
    }

    /// Returns an initrd that lies at `bytes`.
    ///
    /// # Safety
    ///
    /// The pages are reserved memory in the direct map that nobody else uses or frees.
    #[cfg(CONFIG_INITOVERLAYFS_KUNIT_TEST)]
    pub(crate) unsafe fn for_test(bytes: Range<usize>) -> Self {
        // INVARIANT: By this function's contract.
        Self::of(bytes)
    }

    /// Returns its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Keeps the pages for good, so that what is divided afterwards frees nothing.
    ///
    /// Returns the bytes, for somebody to show.
    pub(crate) fn retain(&mut self) -> &'static [u8] {
        core::mem::forget(self.pages.take_until(self.pages.range.end));
        // SAFETY: By the type invariant the bytes are mapped until their pages are freed, which
        // never happens: the only owner was just forgotten. Nobody writes to them.
        unsafe { slice::from_raw_parts(self.bytes.start as *const u8, self.bytes.len()) }
    }
}

/// The memory of one segment.
///
/// # Invariants
///
/// Every page of `bytes` is owned by `own`, `left` or `right`, or is never freed at all, and
/// nobody writes to `bytes`.
pub(crate) struct Memory {
    bytes: Range<usize>,
    // They are here to be dropped.
    own: Pages,
    left: Option<Arc<Pages>>,
    right: Option<Arc<Pages>>,
}

impl Memory {
    fn new(
        bytes: Range<usize>,
        own: Pages,
        left: Option<Arc<Pages>>,
        right: Option<Arc<Pages>>,
    ) -> Self {
        // INVARIANT: `divide` hands over all pages that `bytes` touches, unless `retain` has
        // forgotten them: then they are never freed.
        Self {
            bytes,
            own,
            left,
            right,
        }
    }

    /// Returns whether it goes back to the page allocator in the end, or stays for good.
    pub(crate) fn is_given_back(&self) -> bool {
        !self.own.range.is_empty() || self.left.is_some() || self.right.is_some()
    }

    /// Returns the segment's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: By the type invariant the bytes are mapped as long as `self` lives, and nobody
        // writes to them.
        unsafe { slice::from_raw_parts(self.bytes.start as *const u8, self.bytes.len()) }
    }

    /// Converts the segment into memory that may be written.
    pub(crate) fn into_scratch(self) -> Scratch {
        // INVARIANT: Nobody has a slice of the bytes, which would borrow `self`.
        Scratch(self)
    }
}

/// The memory of one segment that is written to in place. Readers may see a write half done, as
/// with any block device.
///
/// # Invariants
///
/// There is no reference to the bytes, and none is made: they are only copied, by C.
pub(crate) struct Scratch(Memory);

impl Scratch {
    /// Returns the address and the length of `range`, which is in bytes from the start, cut to the
    /// segment and to `len` bytes.
    fn part(&self, range: Range<usize>, len: usize) -> (usize, usize) {
        let end = range.end.min(self.0.bytes.len());
        let start = range.start.min(end);
        // OVERFLOW: It lies in the segment.
        (self.0.bytes.start + start, len.min(end - start))
    }

    /// Copies from `range` to `iter`; returns the number of bytes copied.
    pub(crate) fn read(&self, range: Range<usize>, iter: &mut IovIterDest<'_>) -> usize {
        let (address, len) = self.part(range, iter.len());
        // SAFETY: By the invariants of `Memory` the bytes are mapped. `part` returns a range within
        // the segment, and `iter` is valid.
        unsafe { bindings::_copy_to_iter(address as *const c_void, len, iter.as_raw()) }
    }

    /// Copies from `iter` to `range`; returns the number of bytes copied.
    #[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
    pub(crate) fn write(&self, range: Range<usize>, iter: &mut IovIterSource<'_>) -> usize {
        let (address, len) = self.part(range, iter.len());
        // SAFETY: By the invariants of `Memory` the bytes are mapped. By ours no reference to them
        // exists, so a concurrent write cannot invalidate one.
        unsafe { bindings::_copy_from_iter(address as *mut c_void, len, iter.as_raw()) }
    }
}
