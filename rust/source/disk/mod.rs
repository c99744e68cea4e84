// SPDX-License-Identifier: GPL-2.0-only

//! A block device over an image in memory, for the filesystems that insist on one.
//!
//! Unsafe, because the block layer calls functions here with its own structures.
//!
//! The kernel crate's `block::mq` brings the disk and its queue. What it leaves out, and this adds,
//! is the data of a request ([`serve`]) and word of the last user's leaving ([`release`]).
//!
//! ```text
//! Disk          our own opening of the device, while its filesystem is being mounted
//!  '- gendisk   as long as somebody has it open
//!      |- queue data: the image       until the last request is done
//!      '- private data: Retirement    what takes the device away when the last one has closed it
//! ```
//!
//! C sources: [`block/genhd.c`](srctree/block/genhd.c), [`block/bdev.c`](srctree/block/bdev.c),
//! [`block/blk-mq.c`](srctree/block/blk-mq.c).

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    block::{
        mq::{
            gen_disk::{
                GenDisk,
                GenDiskBuilder, //
            },
            Operations,
            Request,
            TagSet, //
        },
        SECTOR_SHIFT, //
    },
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable,
    workqueue::{
        self,
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
    ModuleMetadata, //
};

use crate::{
    memory::segment_file::{
        Files,
        Segments, //
    },
    sys::{
        bindings,
        table::ConstTable, //
    }, //
};

/// The most requests that may be under way. Each is served at once, by the thread that hands it in.
const DEPTH: u32 = 64;

/// The smallest and the largest logical block size, in bytes; the latter also fits every page size.
const BLOCK_SIZES: core::ops::RangeInclusive<usize> = 512..=4096;

/// The number of the next device. One that was taken away may keep its name for a while.
static NEXT: Atomic<u32> = Atomic::new(0);

/// A device that we have open. Dropping it closes it; if nobody else has it open then, it goes, and
/// the memory of its image with it.
///
/// # Invariants
///
/// `opened` is a file of a device of ours, and holds a reference to it.
pub(crate) struct Disk {
    opened: NonNull<bindings::file>,
    /// The number in device nodes.
    dev: bindings::dev_t,
    number: u32,
}

impl Disk {
    /// Makes a device of the one file of `image`, whose blocks have `block_size` bytes, a power of
    /// two. The first one is `initoverlayfs0`; no name is used twice.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a block size below 512 bytes, `ENOMEM`, `ENXIO`, and errors of
    /// `blk_mq_alloc_tag_set()`, `device_add_disk()` and `bdev_file_open_by_dev()`. The image is
    /// dropped then.
    pub(crate) fn new(image: &Segments, block_size: usize) -> Result<Self> {
        let (len, is_writable) = image.with(0, |file| Ok((file.len(), file.is_writable())))?;
        let block_size = block_size.min(*BLOCK_SIZES.end());
        // The file has whole pages, with zeroes behind the end of the image.
        let capacity = len.checked_next_multiple_of(block_size).ok_or(EINVAL)?;
        let capacity = u64::try_from(capacity)?;
        let number = NEXT.fetch_add(1, Relaxed);
        let tags = Arc::pin_init(TagSet::<Blocks>::new(1, DEPTH, 1), GFP_KERNEL)?;
        // Without sectors at first: an image has no partitions, whatever its first bytes say.
        let disk = GenDiskBuilder::new()
            .capacity_sectors(0)
            .logical_block_size(u32::try_from(block_size)?)?
            .physical_block_size(u32::try_from(block_size)?)?
            .build(fmt!("initoverlayfs{number}"), tags.clone(), image.share())?;

        // SAFETY: `TagSet` is a transparent wrapper of the C structure, in which the disk is
        // registered.
        let raw = unsafe { bindings::initoverlayfs_disk_of(Arc::as_ptr(&tags).cast()) };
        // Dropped here, should anything fail, it takes the disk away.
        let retirement = KBox::pin_init(Retirement::of(disk), GFP_KERNEL)?;
        // SAFETY: The disk is alive, being owned by `retirement`. The operations live forever, and
        // do nothing while there is no private data.
        let opened = from_err_ptr(unsafe {
            let sectors = capacity >> SECTOR_SHIFT;
            bindings::initoverlayfs_disk_fill(raw, OPERATIONS.get(), sectors, !is_writable);
            bindings::initoverlayfs_disk_open(raw)
        })?;
        let opened = NonNull::new(opened).ok_or(ENXIO)?;
        // SAFETY: The disk is alive, because we have it open. Only `release` reads the private
        // data, after the last user has closed the disk, which we have not.
        unsafe { (*raw).private_data = retirement.into_foreign() };
        Ok(Self {
            // INVARIANT: It was opened for us.
            opened,
            // SAFETY: We have it open.
            dev: unsafe { bindings::initoverlayfs_disk_number(raw) },
            number,
        })
    }

    /// Returns the number in its name.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Returns its device number.
    pub(crate) fn dev(&self) -> bindings::dev_t {
        self.dev
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours. PID 1 and the threads of tests hold
        // no locks.
        unsafe { bindings::__fput_sync(self.opened.as_ptr()) };
    }
}

static OPERATIONS: ConstTable<bindings::block_device_operations> =
    ConstTable::new(bindings::block_device_operations {
        release: Some(release),
        ..pin_init::zeroed()
    });

/// Takes a device away.
#[pin_data]
struct Retirement {
    disk: GenDisk<Blocks>,
    #[pin]
    work: Work<Retirement>,
}

// SAFETY: The queue data and the tag set, which are what keeps `GenDisk` from being `Send` by
// itself, belong to the block layer, which uses them from any thread.
unsafe impl Send for Retirement {}

impl_has_work! {
    impl HasWork<Self> for Retirement { self.work }
}

impl Retirement {
    fn of(disk: GenDisk<Blocks>) -> impl PinInit<Self> {
        pin_init!(Self {
            disk,
            work <- new_work!("initoverlayfs::disk"),
        })
    }
}

impl WorkItem for Retirement {
    type Pointer = Pin<KBox<Self>>;

    fn run(this: Pin<KBox<Self>>) {
        drop(this);
    }
}

/// Someone has closed the device. After the last one, it goes, by another thread: this one holds
/// locks that taking it away wants.
///
/// # Safety
///
/// `disk` is one of ours, and its `open_mutex` is held.
unsafe extern "C" fn release(disk: *mut bindings::gendisk) {
    // SAFETY: The disk is valid.
    if unsafe { bindings::initoverlayfs_disk_openers(disk) } != 0 {
        return;
    }
    // SAFETY: The disk is valid, and the mutex keeps others away.
    let retirement = unsafe { ptr::replace(&raw mut (*disk).private_data, ptr::null_mut()) };
    // Someone may open it once more, in vain, before it is gone.
    if !retirement.is_null() {
        // SAFETY: It is what `Disk::new` put there, and nobody finds it any more.
        let retirement = unsafe { Pin::<KBox<Retirement>>::from_foreign(retirement) };
        workqueue::system_long().enqueue(retirement);
    }
}

/// No module: this is built in.
struct BuiltIn;

impl ModuleMetadata for BuiltIn {
    const NAME: &'static CStr = c"initoverlayfs";

    // SAFETY: `THIS_MODULE` of what is built in is a null pointer.
    const THIS_MODULE: ThisModule = unsafe { ThisModule::from_ptr(ptr::null_mut()) };
}

/// Serves requests from memory, at once.
struct Blocks;

#[vtable]
impl Operations for Blocks {
    type OwnerModule = BuiltIn;
    type QueueData = Arc<Files>;

    fn queue_rq(
        image: ArcBorrow<'_, Files>,
        request: ARef<Request<Self>>,
        _is_last: bool,
    ) -> Result {
        serve(&image, &request)?;
        // There is no other reference: nobody looks requests up by tag.
        Request::end_ok(request).map_err(|_| EIO)
    }

    fn commit_rqs(_image: ArcBorrow<'_, Files>) {}

    /// Never called: what is served at once is not completed later.
    fn complete(request: ARef<Request<Self>>) {
        let _ = Request::end_ok(request);
    }
}

/// Copies what a request wants. Does not sleep.
///
/// # Errors
///
/// `EOPNOTSUPP` if it neither reads nor writes, `EROFS` for a write to what is not writable, `EIO`
/// if the memory was withdrawn, is not authentic, or ends too early.
fn serve(image: &Files, request: &Request<Blocks>) -> Result {
    let request: *const Request<Blocks> = request;
    // SAFETY: `Request` is a transparent wrapper of the C structure, which we own until it is
    // ended. `copy` gets what it expects.
    to_result(unsafe {
        bindings::initoverlayfs_request_copy(
            request.cast_mut().cast(),
            Some(copy),
            ptr::from_ref(image).cast_mut().cast(),
        )
    })
}

/// Copies between a part of the image and pages.
///
/// # Safety
///
/// `image` is a [`Files`], and `iter` is valid and made of pages in memory.
unsafe extern "C" fn copy(
    image: *mut c_void,
    position: bindings::loff_t,
    iter: *mut bindings::iov_iter,
) -> c_int {
    // SAFETY: By this function's contract.
    let image = unsafe { &*image.cast::<Files>() };
    // SAFETY: By this function's contract.
    let is_read = unsafe { (*iter).data_source } == (bindings::ITER_DEST != 0);
    from_result(|| {
        let files = image.try_access().ok_or(EIO)?;
        let file = files.first().ok_or(EIO)?;
        let rest = if is_read {
            // SAFETY: By this function's contract the iterator is valid; its direction is to
            // memory.
            let iter = unsafe { IovIterDest::from_raw(iter) };
            file.read(&mut { position }, iter)?;
            iter.len()
        } else {
            // SAFETY: By this function's contract the iterator is valid; its direction is from
            // memory.
            let iter = unsafe { IovIterSource::from_raw(iter) };
            file.write(position, iter)?;
            iter.len()
        };
        if rest > 0 {
            return Err(EIO);
        }
        Ok(0)
    })
}
