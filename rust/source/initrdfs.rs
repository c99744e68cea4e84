// SPDX-License-Identifier: GPL-2.0-only

//! A read-only pseudo filesystem that shows segments of the initrd as regular files.
//!
//! Unsafe, because the VFS calls functions here with its own structures.
//!
//! The files are named `0`, `1` and so on. A read copies straight from the initrd's memory: there
//! is no page-cache copy of the image and no block device. EROFS mounts such a file as it is, see
//! `erofs_fc_get_tree()` in [`fs/erofs/super.c`](srctree/fs/erofs/super.c). The memory belongs to
//! the superblock: when the last file is closed and the mount is gone, it goes back to the page
//! allocator. It goes back earlier if [`Segments::withdraw`] takes it away.
//!
//! The filesystem is not registered, so nobody else can mount it.

use kernel::{
    error::from_result,
    iov::IovIterDest,
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        CString, //
    },
    sync::Arc, //
};

use crate::{
    memory::segment_file::{
        File,
        Files,
        Segments, //
    },
    sys::{
        bindings,
        table::{
            ConstTable,
            Table, //
        }, //
    }, //
};

use crate::sys::vfs::mount::{
    Access,
    Context,
    Mount, //
};

/// The files that the superblock owns, in the order of their names.
type Shared = Arc<Files>;

/// The number of the root directory.
const ROOT_INO: u64 = 1;

/// The number of file 0; the others follow.
const FIRST_INO: u64 = ROOT_INO + 1;

static TYPE: Table<bindings::file_system_type> = Table::new(bindings::file_system_type {
    name: as_char_ptr_in_const_context(c"initrdfs"),
    init_fs_context: Some(init_fs_context),
    kill_sb: Some(kill_sb),
    ..pin_init::zeroed()
});

static CONTEXT_OPS: ConstTable<bindings::fs_context_operations> =
    ConstTable::new(bindings::fs_context_operations {
        free: Some(free_context),
        parse_param: None,
        get_tree: Some(get_tree),
        // SAFETY: All members are nullable function pointers.
        ..unsafe { core::mem::zeroed() }
    });

static FILE_OPS: ConstTable<bindings::file_operations> =
    ConstTable::new(bindings::file_operations {
        llseek: Some(bindings::generic_file_llseek),
        read_iter: Some(read_iter),
        ..pin_init::zeroed()
    });

static MAPPING_OPS: ConstTable<bindings::address_space_operations> =
    ConstTable::new(bindings::address_space_operations {
        read_folio: Some(read_folio),
        ..pin_init::zeroed()
    });

/// Makes an instance whose files are `files`, in that order.
///
/// # Errors
///
/// `ENOMEM`, and errors of `fs_context_for_mount()` and `fc_mount()`.
pub(crate) fn mount(files: &Segments) -> Result<Mount> {
    // SAFETY: `TYPE` is a complete file system type that lives forever.
    let context = unsafe { Context::of_type(TYPE.get(), Access::ReadOnly) }?;

    let shared = files.share().into_raw();
    // SAFETY: The context is new and ours. `free_context` or the superblock takes the reference.
    unsafe { (*context.as_raw()).s_fs_info = shared.cast_mut().cast() };
    context.mount()
}

/// Sets up a new context.
///
/// # Safety
///
/// `context` is a new `struct fs_context`, which the kernel crate knows by name only.
unsafe extern "C" fn init_fs_context(context: *mut kernel::bindings::fs_context) -> c_int {
    let context: *mut bindings::fs_context = context.cast();
    // SAFETY: `alloc_fs_context()` passes a new context.
    unsafe { (*context).ops = CONTEXT_OPS.get() };
    0
}

/// Drops the files of a context that has not become a superblock.
///
/// # Safety
///
/// `context` is one of ours, and about to be freed.
unsafe extern "C" fn free_context(context: *mut bindings::fs_context) {
    // SAFETY: The context is valid; `s_fs_info` is what `mount` put there, unless `sget_fc()` has
    // moved it to a superblock and cleared it.
    unsafe { drop_files((*context).s_fs_info) };
}

/// Makes a superblock of a context.
///
/// # Safety
///
/// `context` is one of ours, with its files.
unsafe extern "C" fn get_tree(context: *mut bindings::fs_context) -> c_int {
    // SAFETY: The context is valid. `fill_super` has the type that `get_tree_nodev()` calls, and
    // takes each new superblock of this filesystem.
    unsafe { bindings::get_tree_nodev(context, Some(fill_super)) }
}

/// Tears a superblock down and gives the memory of its files back.
///
/// # Safety
///
/// `sb` was made by [`get_tree`], and nobody uses it any more.
unsafe extern "C" fn kill_sb(sb: *mut bindings::super_block) {
    // SAFETY: The superblock is valid; its `s_fs_info` came from the context.
    let files = unsafe { (*sb).s_fs_info };
    // SAFETY: The superblock was set up by `get_tree_nodev()`.
    unsafe { bindings::kill_anon_super(sb) };
    // SAFETY: The inodes, which pointed into it, are gone.
    unsafe { drop_files(files) };
}

/// Drops what a superblock or a context owns.
///
/// # Safety
///
/// `files` is null or comes from [`Arc::into_raw`], and nobody uses it any more.
unsafe fn drop_files(files: *mut c_void) {
    if !files.is_null() {
        // SAFETY: By this function's contract.
        drop(unsafe { Shared::from_raw(files.cast()) });
    }
}

/// Gives a new superblock its contents.
///
/// # Safety
///
/// `sb` is new, and its `s_fs_info` came from a context of ours.
unsafe extern "C" fn fill_super(
    sb: *mut bindings::super_block,
    _context: *mut bindings::fs_context,
) -> c_int {
    // SAFETY: `get_tree_nodev()` passes a new superblock that carries the files.
    from_result(|| unsafe { fill(sb) }.map(|()| 0))
}

/// Makes the root directory and the files.
///
/// # Errors
///
/// `ENOMEM`, and `EIO` if the memory was withdrawn.
///
/// # Safety
///
/// `sb` is a new superblock, locked for its set-up, whose `s_fs_info` is a [`Shared`].
unsafe fn fill(sb: *mut bindings::super_block) -> Result {
    // SAFETY: By this function's contract; the superblock's reference lives until `kill_sb`.
    let files = unsafe { &*(*sb).s_fs_info.cast::<Files>() };
    let sizes = files.try_access_with(sizes).ok_or(EIO)??;

    // SAFETY: The superblock is ours to set up, the inode is new, and the operations live forever.
    // `d_make_root()` consumes the inode, also if it fails.
    unsafe {
        (*sb).s_maxbytes = i64::MAX;
        (*sb).s_time_gran = 1;
        let root = new_inode(sb, ROOT_INO, bindings::S_IFDIR | 0o500)?;
        (*root).i_op = addr_of_static(&bindings::simple_dir_inode_operations);
        bindings::initoverlayfs_set_fops(root, addr_of_static(&bindings::simple_dir_operations));
        (*sb).s_root = bindings::d_make_root(root);
        if (*sb).s_root.is_null() {
            return Err(ENOMEM);
        }
    }

    for (index, size) in sizes.into_iter().enumerate() {
        // SAFETY: The root directory has just been made.
        unsafe { add_file(sb, index, size)? };
    }
    Ok(())
}

/// Returns the sizes of the files, in bytes. Called where nobody may sleep.
fn sizes(files: &KVec<File>) -> Result<KVec<i64>> {
    let mut sizes = KVec::with_capacity(files.len(), GFP_ATOMIC)?;
    for file in files {
        sizes.push(i64::try_from(file.len())?, GFP_ATOMIC)?;
    }
    Ok(sizes)
}

/// Returns the address of a C static, which is only read.
fn addr_of_static<T>(object: &'static T) -> *const T {
    object
}

/// Makes an inode with a number and a mode.
///
/// # Errors
///
/// `ENOMEM`.
///
/// # Safety
///
/// `sb` is valid.
unsafe fn new_inode(
    sb: *mut bindings::super_block,
    number: u64,
    mode: u32,
) -> Result<*mut bindings::inode> {
    // SAFETY: By this function's contract.
    let inode = unsafe { bindings::new_inode(sb) };
    if inode.is_null() {
        return Err(ENOMEM);
    }
    // SAFETY: The inode is new, nobody else sees it yet.
    unsafe {
        (*inode).i_ino = number;
        (*inode).i_mode = u16::try_from(mode)?;
        bindings::simple_inode_init_ts(inode);
    }
    Ok(inode)
}

/// Adds file `index`, of `size` bytes, to the root directory.
///
/// # Errors
///
/// `ENOMEM`.
///
/// # Safety
///
/// `sb` has a root directory.
unsafe fn add_file(sb: *mut bindings::super_block, index: usize, size: i64) -> Result {
    let name = CString::try_from_fmt(fmt!("{index}"))?;
    let number = u64::try_from(index)?.saturating_add(FIRST_INO);

    // SAFETY: The root directory is there and only known to us; the name is copied.
    let dentry = unsafe { bindings::d_alloc_name((*sb).s_root, name.as_char_ptr()) };
    if dentry.is_null() {
        return Err(ENOMEM);
    }
    // SAFETY: The superblock is valid.
    let inode = unsafe { new_inode(sb, number, bindings::S_IFREG | 0o400) };
    if let Ok(inode) = inode {
        // SAFETY: The inode is new, and the operations are static. `d_make_persistent()` takes the
        // inode over.
        unsafe {
            bindings::initoverlayfs_set_fops(inode, FILE_OPS.get());
            bindings::initoverlayfs_set_size(inode, size);
            (*(*inode).i_mapping).a_ops = MAPPING_OPS.get();
            bindings::d_make_persistent(dentry, inode);
        }
    }
    // SAFETY: `d_alloc_name()` gave us this reference; the tree has its own by now.
    unsafe { bindings::dput(dentry) };
    inode.map(|_| ())
}

/// Calls `work` with a file of ours. `work` must not sleep.
///
/// # Errors
///
/// `EIO` if its memory was withdrawn, and errors of `work`.
///
/// # Safety
///
/// `inode` was made by [`add_file`], and is valid.
unsafe fn with_file<R>(
    inode: *const bindings::inode,
    work: impl FnOnce(&File) -> Result<R>,
) -> Result<R> {
    // SAFETY: The inode is valid, and its superblock with it. The superblock's reference to the
    // files lives until `kill_sb`.
    let (files, number) = unsafe { (&*(*(*inode).i_sb).s_fs_info.cast::<Files>(), (*inode).i_ino) };
    let files = files.try_access().ok_or(EIO)?;
    let index = usize::try_from(number.saturating_sub(FIRST_INO))?;
    work(files.get(index).ok_or(EIO)?)
}

/// Reads from memory. Past the end of the file it yields zeroes, up to the end of the page.
///
/// # Safety
///
/// `iocb` is a read of a file of ours, into `iter`.
unsafe extern "C" fn read_iter(iocb: *mut bindings::kiocb, iter: *mut bindings::iov_iter) -> isize {
    // SAFETY: The VFS passes a valid iocb of a file of ours, whose inode it keeps alive.
    let inode = unsafe { (*(*iocb).ki_filp).f_inode };
    // SAFETY: The iocb is valid and only used by this read.
    let position = unsafe { &mut (*iocb).ki_pos };
    // SAFETY: The VFS passes a valid iterator, and for a read its direction is towards memory.
    let iter = unsafe { IovIterDest::from_raw(iter) };
    // The readers are filesystems, whose buffers are the kernel's own: nothing to sleep for.
    //
    // SAFETY: The inode is one of our files'.
    match unsafe { with_file(inode, |file| file.read(position, iter)) } {
        // CAST: Never more than the iterator's length, which fits.
        Ok(copied) => copied as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// Fails every read into the page cache. EROFS accepts only files that have this operation, and
/// never calls it: it reads its source into pages of its own.
///
/// # Safety
///
/// `folio` is locked and not up to date.
unsafe extern "C" fn read_folio(_file: *mut bindings::file, folio: *mut bindings::folio) -> c_int {
    // SAFETY: The page cache passes a locked folio that is not up to date.
    unsafe { bindings::initoverlayfs_fail_folio(folio) };
    EIO.to_errno()
}
