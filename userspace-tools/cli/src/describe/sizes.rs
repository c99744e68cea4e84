// SPDX-License-Identifier: GPL-2.0-only

//! The parts that the size of an EROFS image is made of, for programs and as text.

use indicatif::HumanBytes;
use initoverlayfs_image::erofs::{ErofsError, Share, Sizes, Storage};
use serde::{Serialize, Serializer};

use crate::terminal::summary::count;

/// The bytes of an image as they were counted, or why they could not be.
#[derive(Debug)]
pub struct Counted(pub Result<Sizes, ErofsError>);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().ok().map(Parts::of).serialize(serializer)
    }
}

/// The parts of an image, which together have its size.
#[derive(Serialize)]
struct Parts {
    /// Bytes that are not the contents of files.
    metadata: u64,
    /// The contents, by the way in which they are stored.
    storage: Vec<Part>,
}

/// The pieces of files that are stored in one way.
#[derive(Serialize)]
struct Part {
    /// An algorithm, `uncompressed` or `incompressible`.
    method: &'static str,
    /// The number of files that have such pieces.
    files: u64,
    /// Bytes of these pieces in the files.
    contents: u64,
    /// Bytes of the image.
    stored: u64,
}

impl Parts {
    fn of(sizes: &Sizes) -> Self {
        let part = |(storage, share): (Storage, Share)| Part {
            method: storage.name(),
            files: share.files,
            contents: share.contents,
            stored: share.stored,
        };
        Self {
            metadata: sizes.metadata,
            storage: sizes.shares().map(part).collect(),
        }
    }
}

/// Returns a line for each part of an image, as a name and the rest.
pub fn lines(sizes: &Sizes) -> Vec<(&'static str, String)> {
    let has = |wanted: fn(Storage) -> bool| sizes.shares().any(|(storage, _)| wanted(storage));
    let is_mixed = has(|storage| storage == Storage::Lz4) && has(is_tight);
    let line = |(storage, share): (Storage, Share)| {
        let note = match storage {
            Storage::Lz4 if is_mixed => ", quick to read",
            Storage::Incompressible => ", pieces that did not get smaller",
            other if is_mixed && is_tight(other) => ", seldom read",
            _ => "",
        };
        let row = row(share.stored, share.contents, share.files);
        (storage.name(), row + note)
    };
    let metadata = HumanBytes(sizes.metadata).to_string();
    let metadata = (
        "metadata",
        format!("{metadata:>10}, names, inodes and indexes"),
    );
    sizes.shares().map(line).chain([metadata]).collect()
}

/// Returns the bytes of the image, those of the files and the number of these, as columns.
pub fn row(stored: u64, contents: u64, files: u64) -> String {
    format!("{} of {}", amounts(stored, contents), count(files, "file"))
}

/// Returns the bytes of the image, and those of the files, as columns.
pub fn amounts(stored: u64, contents: u64) -> String {
    let [stored, contents] = [stored, contents].map(|bytes| HumanBytes(bytes).to_string());
    format!("{stored:>10} for {contents:>10}")
}

/// Returns the parts in one line.
pub fn line(sizes: &Sizes) -> String {
    let shares = sizes.shares();
    let parts = shares.map(|(storage, share)| (storage.name(), share.stored));
    let parts = parts.chain([("metadata", sizes.metadata)]);
    let words: Vec<_> = parts
        .map(|(name, bytes)| format!("{} {name}", HumanBytes(bytes)))
        .collect();
    words.join(", ")
}

/// Returns whether an algorithm is one for files that a boot seldom reads, beside LZ4.
fn is_tight(storage: Storage) -> bool {
    matches!(storage, Storage::Zstd | Storage::Lzma | Storage::Deflate)
}
