// SPDX-License-Identifier: GPL-2.0-only

//! The place in an image where the data of each file lies.
//!
//! Data that is stored as it is has one place, which the inode names. That of other files
//! `dump.erofs` of erofs-utils looks up, one process for each.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use super::inode::Details;
use super::{walk, ErofsError, Superblock};
use crate::child_processes::Running;
use crate::programs::DUMP_EROFS;
use crate::temporary;

/// A regular file, and where its data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileExtents {
    /// The names.
    pub paths: Vec<Vec<u8>>,
    /// In bytes from the start of the image; of an empty file there is none.
    pub extents: Vec<Range<u64>>,
}

/// The features of images in which the ends of files are stored together.
const HAS_FRAGMENTS: u32 = 0x020;

/// Finds the data of all regular files of an image, in the order of their inodes.
///
/// # Errors
///
/// [`ErofsError`]; [`ErofsError::Unsupported`] for a file whose end is stored with those of others.
pub fn extents(image: &[u8]) -> Result<Vec<FileExtents>, ErofsError> {
    let superblock = Superblock::parse(image)?;
    let mut files: BTreeMap<u64, FileExtents> = BTreeMap::new();
    let mut others = Vec::new();
    walk::walk(image, &superblock, |path, nid, raw| {
        if raw.details != Details::Regular {
            return Ok(());
        }
        if let Some(file) = files.get_mut(&nid) {
            file.paths.push(path.to_vec());
            return Ok(());
        }
        let extents = match raw.places(&superblock)? {
            Some(places) => places.into(),
            None => {
                others.push((nid, raw.size));
                Vec::new()
            }
        };
        let paths = vec![path.to_vec()];
        files.insert(nid, FileExtents { paths, extents });
        Ok(())
    })?;
    for (nid, extents) in look_up(image, &superblock, &others)? {
        if let Some(file) = files.get_mut(&nid) {
            file.extents = extents;
        }
    }
    let mut files: Vec<FileExtents> = files.into_values().collect();
    for file in &mut files {
        file.extents.retain(|extent| !extent.is_empty());
    }
    Ok(files)
}

/// Has `dump.erofs` look up files, given by their number and size, with all processors.
fn look_up(
    image: &[u8],
    superblock: &Superblock,
    files: &[(u64, u64)],
) -> Result<BTreeMap<u64, Vec<Range<u64>>>, ErofsError> {
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut copy = temporary::file()?;
    copy.write_all(image)?;
    let copy = copy.path();
    let left = Mutex::new(files.iter());
    let work = || -> Result<Vec<_>, ErofsError> {
        let mut found = Vec::new();
        loop {
            // Nobody panics while holding it.
            let next = left.lock().ok().and_then(|mut left| left.next());
            let Some((nid, size)) = next else {
                return Ok(found);
            };
            found.push((*nid, dump(copy, superblock, *nid, *size)?));
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors.min(files.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = BTreeMap::new();
        for thread in threads {
            let found = thread.join();
            all.extend(found.map_err(|_| ErofsError::Dump("it was interrupted".into()))??);
        }
        Ok(all)
    })
}

/// Has `dump.erofs` look up one file.
fn dump(
    image: &Path,
    superblock: &Superblock,
    nid: u64,
    size: u64,
) -> Result<Vec<Range<u64>>, ErofsError> {
    let mut command = DUMP_EROFS.command();
    command
        .arg(format!("--nid={nid}"))
        .arg("-e")
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child =
        Running::start(&mut command).map_err(|error| ErofsError::Missing(&DUMP_EROFS, error))?;
    let output = child
        .output()
        .map_err(|error| ErofsError::Dump(error.to_string()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(ErofsError::Dump(words.trim().replace('\n', "; ")));
    }
    let rows = rows(&String::from_utf8_lossy(&output.stdout));
    // To leave out what another version prints in another way would be to leave out files.
    let mut end = 0;
    for row in &rows {
        if row.logical.start <= end {
            end = end.max(row.logical.end);
        }
    }
    if end < size {
        let words = format!("of the {size} bytes of inode {nid} it shows {end}");
        return Err(ErofsError::Dump(words));
    }
    let is_fragment = |row: &Row| row.physical.is_empty() && !row.logical.is_empty();
    if superblock.incompatible & HAS_FRAGMENTS != 0 && rows.iter().any(is_fragment) {
        let offset = superblock.inode_offset(nid).unwrap_or(u64::MAX);
        let what = "that files end in a common place (mkfs.erofs -Efragments), as does the one";
        return Err(ErofsError::Unsupported(what, offset));
    }
    Ok(rows.into_iter().map(|row| row.physical).collect())
}

/// A row of the table that `dump.erofs -e` prints, in bytes.
struct Row {
    logical: Range<u64>,
    physical: Range<u64>,
}

/// Returns the rows of the table: `0: 0.. 20756 | 20756 : 4096.. 20480 | 16384`.
fn rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut columns = line.splitn(3, ':');
    columns.next()?.trim().parse::<u64>().ok()?;
    let range = |column: &str| {
        let (range, _length) = column.split_once('|')?;
        let (start, end) = range.split_once("..")?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    Some(Row {
        logical: range(columns.next()?)?,
        physical: range(columns.next()?)?,
    })
}
