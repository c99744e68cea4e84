// SPDX-License-Identifier: GPL-2.0-only

//! Files that are left uncompressed, so that they are quick to read.
//!
//! With mixed compression, no more is left uncompressed than makes the image a few per cent larger.

use std::collections::BTreeSet;

use indicatif::HumanBytes;
use initoverlayfs_image::mkfs::{erofs, Format};
use initoverlayfs_image::profile::{Profile, Selection};
use initoverlayfs_image::startup::Startup;
use initoverlayfs_image::tree::{Kind, Tree};

use crate::terminal::summary::{count, left_out};

/// Bytes that mixed compression leaves uncompressed of any tree.
const ALWAYS: u64 = 4 << 20;

/// A larger share of a tree: what starts `/init` is uncompressed if it is at most this part of the contents.
const STARTUP_PART: u64 = 25;

/// Of the files of a list it leaves the smallest uncompressed, up to this part of the contents.
const PROFILE_PART: u64 = 15;

/// The files that are stored uncompressed.
pub struct Quick {
    /// The files of a list.
    pub profile: Option<Profile>,
    /// Set if the files that start `/init` are.
    pub startup: bool,
}

impl Quick {
    /// Finds the files in a tree, and has the image leave them uncompressed, if it is one that can.
    pub fn choose(&self, tree: &Tree, format: &mut Format) -> Choice {
        let Format::Erofs(options) = format else {
            return Choice::default();
        };
        let is_mixed = options.compression == erofs::Compression::Mixed;
        let room = |part| {
            if is_mixed {
                ALWAYS.max(tree.content_len() / part)
            } else {
                u64::MAX
            }
        };
        let startup = self.startup.then(|| Startup::of(tree));
        let choice = Choice {
            startup: startup.map(|found| {
                let fits = found.bytes <= room(STARTUP_PART);
                (found, fits)
            }),
            profile: self.profile.as_ref().map(|profile| {
                let found = profile.select(tree);
                let smallest = smallest(&found.files, tree, room(PROFILE_PART));
                (found, smallest)
            }),
            is_compressed: options.compression != erofs::Compression::None,
        };
        let startup = choice.startup.iter().filter(|(_, fits)| *fits);
        let startup = startup.flat_map(|(found, _)| &found.files);
        let profile = choice.profile.iter().flat_map(|(_, smallest)| smallest);
        options.uncompressed = startup.chain(profile).cloned().collect();
        if let Some((found, _)) = &choice.profile {
            options.quick.clone_from(&found.files);
        }
        choice
    }
}

/// Returns the smallest of the files, as many as have no more bytes together than `room`.
fn smallest(files: &BTreeSet<Vec<u8>>, tree: &Tree, room: u64) -> BTreeSet<Vec<u8>> {
    let len = |path: &[u8]| match tree.get(path).map(|inode| &inode.kind) {
        Some(Kind::Regular(content)) => content.len() as u64,
        _ => 0,
    };
    let mut files: Vec<_> = files.iter().map(|path| (len(path), path)).collect();
    files.sort_unstable();
    let mut used: u64 = 0;
    let fitting = files.into_iter().take_while(|(len, _)| {
        used = used.saturating_add(*len);
        used <= room
    });
    fitting.map(|(_, path)| path.clone()).collect()
}

/// The files that were found.
#[derive(Default)]
pub struct Choice {
    /// Those of a list, and those of them that are uncompressed.
    profile: Option<(Selection, BTreeSet<Vec<u8>>)>,
    /// Those that start `/init`, and whether they are uncompressed.
    startup: Option<(Startup, bool)>,
    /// Set if the image compresses anything at all.
    is_compressed: bool,
}

impl Choice {
    /// Tells the user.
    pub fn report(&self) {
        if let Some((found, uncompressed)) = &self.profile {
            report_profile(found, uncompressed.len(), self.is_compressed);
        }
        if let Some((startup, fits)) = self.startup.as_ref().filter(|_| self.is_compressed) {
            report_startup(startup, *fits);
        }
    }
}

/// Says what a profile came to.
fn report_profile(selection: &Selection, uncompressed: usize, is_compressed: bool) {
    if !is_compressed {
        eprintln!("  profile: no effect, as nothing is compressed");
        return;
    }
    let files = count(uncompressed, "file");
    match selection.files.len() - uncompressed {
        0 => eprintln!("  profile: {files} uncompressed"),
        others => eprintln!("  profile: {files} uncompressed, {others} larger by lz4hc"),
    }
    left_out("profile: no file of this image", &selection.missing);
}

/// Says how much starts init, and whether it is uncompressed for that.
fn report_startup(startup: &Startup, is_uncompressed: bool) {
    if startup.files.is_empty() {
        return;
    }
    let files = count(startup.files.len(), "file");
    let bytes = HumanBytes(startup.bytes);
    let how = if is_uncompressed {
        "uncompressed"
    } else {
        "by lz4hc"
    };
    eprintln!("  {how}: {files} to start /init, {bytes}");
}
