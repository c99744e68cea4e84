// SPDX-License-Identifier: GPL-2.0-only

//! A block device over a segment: what it reads, refuses and leaves behind.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_disk)]
mod tests {
    use crate::{
        initrd::Kind,
        kunit::{
            managed,
            pattern,
            Fake,
            PAGES, //
        },
        memory::{
            segment_file::{
                File,
                Segments, //
            },
            usage::Usage, //
        },
        source::disk::Disk,
        sys::bindings, //
    };
    use core::ops::Range;
    use kernel::{
        error::to_result,
        page::PAGE_SIZE,
        prelude::*, //
    };

    /// Neither end is that of a page, and all pages are its own: others would be given back at
    /// once.
    const SEGMENT: Range<usize> = 3..PAGES * PAGE_SIZE - 100;

    /// Returns the file of [`SEGMENT`].
    fn file(fake: &Fake) -> Result<File> {
        let region = fake.region(0..PAGES * PAGE_SIZE);
        let memory = region.divide([SEGMENT].into_iter())?.pop().ok_or(EINVAL)?;
        let len = memory.bytes().len();
        Ok(File::new(memory, len, None, Usage::new(&Kind::Cpio, len)?))
    }

    /// Returns a device of `file`, and what withdraws its memory.
    fn device(file: File, block_size: usize) -> Result<(Disk, Segments)> {
        let mut files = KVec::new();
        files.push(file, GFP_KERNEL)?;
        let segments = Segments::new(files)?;
        let disk = Disk::new(&segments, block_size)?;
        Ok((disk, segments))
    }

    /// Reads what there is of `len` bytes at `position`, past the page cache of an earlier opening.
    fn read(dev: bindings::dev_t, position: usize, len: usize) -> Result<KVec<u8>> {
        let mut buffer = KVec::from_elem(0xeeu8, len, GFP_KERNEL)?;
        // SAFETY: The buffer has `len` bytes.
        let count = unsafe {
            bindings::initoverlayfs_test_disk_read(
                dev,
                buffer.as_mut_ptr().cast(),
                len,
                position as i64,
            )
        };
        to_result(count.min(0) as i32)?;
        buffer.truncate(count as usize);
        Ok(buffer)
    }

    /// Writes `len` times `byte` at `position`, down to the device.
    fn write(dev: bindings::dev_t, position: usize, len: usize, byte: u8) -> Result {
        let buffer = KVec::from_elem(byte, len, GFP_KERNEL)?;
        // SAFETY: The buffer has `len` bytes.
        let count = unsafe {
            bindings::initoverlayfs_test_disk_write(
                dev,
                buffer.as_ptr().cast(),
                len,
                position as i64,
            )
        };
        to_result(count.min(0) as i32)
    }

    /// Returns whether the pages have gone back, or do so within five seconds, by the worker that
    /// takes the device away.
    fn is_freed(fake: &Fake) -> bool {
        (0..500).any(|_| {
            // SAFETY: This is a thread of its own, without locks.
            unsafe { kernel::bindings::msleep(10) };
            fake.reserved() == 0
        })
    }

    /// Returns what the segment has at `at`, or the device behind its end.
    fn expected(at: usize) -> u8 {
        if at < SEGMENT.len() {
            pattern(SEGMENT.start + at)
        } else {
            0
        }
    }

    #[test]
    fn reads_are_exact_for_every_block_size() -> Result {
        for block_size in [512, 1024, 2048, 4096, 65536] {
            let fake = Fake::new()?;
            let (disk, _) = device(file(&fake)?, block_size)?;
            let end = SEGMENT.len().next_multiple_of(block_size.min(4096));
            for (position, len) in [
                (0, 1),
                (0, 4096),
                (511, 5000),
                (4095, 2),
                (PAGE_SIZE * 8, PAGE_SIZE),
                (0, PAGE_SIZE * PAGES),
                (end - 1, 100),
                (end, 1),
            ] {
                let found = read(disk.dev(), position, len)?;
                assert_eq!(found.len(), len.min(end - position));
                let is_right = (position..)
                    .zip(&found)
                    .all(|(at, byte)| *byte == expected(at));
                assert!(is_right);
            }
            drop(disk);
            assert!(is_freed(&fake));
        }
        Ok(())
    }

    #[test]
    fn no_device_has_blocks_of_256_bytes_or_none() -> Result {
        let fake = Fake::new()?;
        assert_eq!(device(file(&fake)?, 256).err(), Some(EINVAL));
        assert_eq!(fake.reserved(), 0);
        let fake = Fake::new()?;
        assert_eq!(device(file(&fake)?, 0).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn nobody_may_write() -> Result {
        let fake = Fake::new()?;
        let (disk, _) = device(file(&fake)?, 4096)?;
        assert!(write(disk.dev(), 0, 4096, 1).is_err());
        assert_eq!(read(disk.dev(), 0, 1)?[0], expected(0));
        drop(disk);
        assert!(is_freed(&fake));
        Ok(())
    }

    #[test]
    fn what_may_be_written_to_is_written_in_place() -> Result {
        let fake = Fake::new()?;
        let (disk, _) = device(file(&fake)?.into_writable()?, 4096)?;
        write(disk.dev(), 4096, 4096, 0x5a)?;
        // Not from a page cache: the device was closed in between.
        let found = read(disk.dev(), 0, 3 * 4096)?;
        let is_right = found.iter().enumerate().all(|(at, byte)| match at / 4096 {
            1 => *byte == 0x5a,
            _ => *byte == expected(at),
        });
        assert!(is_right);
        // Neither what is in front of the segment nor what is behind it has changed.
        let last = SEGMENT.len() / 4096 * 4096;
        assert_eq!(write(disk.dev(), last, 4096, 0x5a).err(), Some(EIO));
        assert!(fake.is_unchanged_outside(&SEGMENT));
        drop(disk);
        assert!(is_freed(&fake));
        Ok(())
    }

    #[test]
    fn the_memory_goes_back_when_the_last_user_is_gone() -> Result {
        let before = managed();
        let fake = Fake::new()?;
        let (disk, segments) = device(file(&fake)?, 4096)?;
        drop(segments);
        // SAFETY: The device is there.
        let other = unsafe { bindings::initoverlayfs_test_disk_hold(disk.dev()) };
        let dev = disk.dev();
        drop(disk);
        assert_eq!(read(dev, 0, 1)?.len(), 1);
        assert_ne!(fake.reserved(), 0);
        // SAFETY: It is the file from above, or an error.
        unsafe { bindings::initoverlayfs_test_disk_release(other) };
        assert!(is_freed(&fake));
        assert_eq!(managed(), before);
        assert!(read(dev, 0, 1).is_err());
        Ok(())
    }

    #[test]
    fn what_is_withdrawn_is_read_no_more() -> Result {
        let fake = Fake::new()?;
        let (disk, segments) = device(file(&fake)?, 4096)?;
        assert_eq!(read(disk.dev(), 0, 1)?.len(), 1);
        segments.withdraw();
        assert_eq!(fake.reserved(), 0);
        assert_eq!(read(disk.dev(), 4 * PAGE_SIZE, 1).err(), Some(EIO));
        Ok(())
    }
}
