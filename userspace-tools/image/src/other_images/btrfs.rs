// SPDX-License-Identifier: GPL-2.0-only

//! Reads a btrfs image: names and attributes from its trees, contents by `btrfs restore`, which knows neither owners nor
//! devices.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::paths::{paths, time, tree_of};
use super::ReadError;
use crate::btrfs_trees::{
    inode_field, items, read_names, u16_at, u32_at, u64_at, Image, Names, Number, EXTENT_DATA,
    INODE_ITEM, NAME, NAME_DATA_LEN, NAME_LEN, ROOT_DIRECTORY, XATTR_ITEM,
};
use crate::content::Store;
use crate::cpio;
use crate::programs::BTRFS;
use crate::tree::{Inode, Kind, Tree, Xattrs};

/// The offset of the data in the item of an extent that lies in the tree.
const INLINE_DATA: usize = 21;

/// A file as the trees state it.
#[derive(Default)]
struct Stated {
    item: Vec<u8>,
    xattrs: Xattrs,
    /// The data in the tree: a symbolic link's target.
    inline: Vec<u8>,
}

/// Reads all of the image in `image`, as it is mounted by default; `place` is an empty directory.
pub(super) fn read(image: &Path, place: &Path) -> Result<Tree, ReadError> {
    let trees = Image::open(image)?;
    let top = trees.default_tree()?;
    let mut names = Names::new();
    let mut stated = HashMap::new();
    let mut ids = vec![top];
    let mut done = 0;
    while let Some(id) = ids.get(done).copied() {
        done += 1;
        read_names(&trees, id, &mut names, &mut ids)?;
        read_files(&trees, id, &mut stated)?;
    }
    // `btrfs restore` believes the names: they are looked at before.
    let paths = paths((top, ROOT_DIRECTORY), &names)?;
    let top_id = top.to_string();
    let arguments = ["restore", "--snapshots", "--root", &top_id].map(OsStr::new);
    let places = [image.as_os_str(), place.as_os_str()];
    BTRFS.run(arguments.into_iter().chain(places), &[])?;
    let mut store = Store::default();
    tree_of(paths, |path, number| {
        let file = stated.get(&number);
        let file = file.ok_or(ReadError::Senseless("a name is that of no file"))?;
        inode(file, &place.join(OsStr::from_bytes(path)), &mut store)
    })
}

/// Reads what a tree says of files.
fn read_files(
    trees: &Image,
    id: u64,
    stated: &mut HashMap<Number, Stated>,
) -> Result<(), ReadError> {
    trees.each_leaf(trees.root_of(id)?, &mut |leaf| {
        for item in items(leaf) {
            let data = &leaf[item.data];
            let file: &mut Stated = match item.kind {
                INODE_ITEM | XATTR_ITEM | EXTENT_DATA => stated.entry((id, item.id)).or_default(),
                _ => continue,
            };
            match item.kind {
                INODE_ITEM => file.item = data.to_vec(),
                XATTR_ITEM => read_xattrs(data, &mut file.xattrs),
                _ => file.inline = data.get(INLINE_DATA..).unwrap_or_default().to_vec(),
            }
        }
        Ok(false)
    })?;
    Ok(())
}

/// Reads the attributes in an item; several may share one.
fn read_xattrs(data: &[u8], xattrs: &mut Xattrs) {
    let mut rest = data;
    while rest.len() > NAME {
        let value = NAME + usize::from(u16_at(rest, NAME_LEN));
        let end = value + usize::from(u16_at(rest, NAME_DATA_LEN));
        let (Some(name), Some(bytes)) = (rest.get(NAME..value), rest.get(value..end)) else {
            return;
        };
        xattrs.insert(name.to_vec(), bytes.to_vec());
        rest = &rest[end..];
    }
}

/// Returns a file, whose content, if it has any, was put at `restored`.
fn inode(file: &Stated, restored: &Path, store: &mut Store) -> Result<Inode, ReadError> {
    let mode = u32_at(&file.item, inode_field::MODE);
    let device = u64_at(&file.item, inode_field::DEVICE);
    let major = u32::try_from(device >> 20).map_err(|_| ReadError::Senseless("a device"))?;
    let minor = (device & 0xf_ffff) as u32;
    let kind = match mode & cpio::TYPE_MASK {
        cpio::DIRECTORY => Kind::Directory,
        cpio::REGULAR => Kind::Regular(store.take(open(restored)?)?),
        cpio::SYMLINK => {
            let size = usize::try_from(u64_at(&file.item, inode_field::SIZE)).ok();
            let target = size.and_then(|size| file.inline.get(..size));
            Kind::Symlink(
                target
                    .ok_or(ReadError::Senseless("a link without a target"))?
                    .to_vec(),
            )
        }
        cpio::CHARACTER => Kind::Character(major, minor),
        cpio::BLOCK => Kind::Block(major, minor),
        cpio::FIFO => Kind::Fifo,
        cpio::SOCKET => Kind::Socket,
        _ => return Err(ReadError::Senseless("a file of no kind")),
    };
    Ok(Inode {
        kind,
        mode: mode & 0o7777,
        uid: u32_at(&file.item, inode_field::OWNER),
        gid: u32_at(&file.item, inode_field::GROUP),
        mtime: time(
            u64_at(&file.item, inode_field::MTIME) as i64,
            u32_at(&file.item, inode_field::MTIME + 8),
        )?,
        xattrs: file.xattrs.clone(),
    })
}

/// Opens a file that `btrfs restore` has put there.
fn open(restored: &Path) -> Result<File, ReadError> {
    File::open(restored).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ReadError::Senseless("btrfs restore has left a file out"),
        _ => ReadError::Temporary(error),
    })
}
