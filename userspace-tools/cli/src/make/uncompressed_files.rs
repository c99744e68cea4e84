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

/// The files that start `/init` are uncompressed if they have at most the 25th part of all contents.
const STARTUP_PART: u64 = 25;

/// Of the files of a list, the smallest are uncompressed that have at most the 15th part together.
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
        let startup = Startup::of(tree);
        let fits = self.startup && startup.bytes <= room(STARTUP_PART);
        let profile = self.profile.as_ref().map(|profile| profile.select(tree));
        let mut uncompressed = if fits {
            startup.files.clone()
        } else {
            BTreeSet::new()
        };
        options.quick = Startup::with_usual_programs(tree).files;
        if let Some(found) = &profile {
            let others = found.files.difference(&uncompressed).cloned().collect();
            uncompressed.extend(smallest(&others, tree, room(PROFILE_PART)));
            options.quick.extend(found.files.iter().cloned());
        }
        options.uncompressed.clone_from(&uncompressed);
        Choice {
            profile,
            startup: self.startup.then_some((startup, fits)),
            uncompressed,
            is_compressed: options.compression != erofs::Compression::None,
        }
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
    profile: Option<Selection>,
    /// Those that start `/init`, and whether they are uncompressed.
    startup: Option<(Startup, bool)>,
    uncompressed: BTreeSet<Vec<u8>>,
    /// Set if the image compresses anything at all.
    is_compressed: bool,
}

impl Choice {
    /// Returns how many bytes of the files that start `/init` are uncompressed although the others are not.
    pub fn uncompressed_startup(&self) -> u64 {
        match &self.startup {
            Some((startup, true)) if self.is_compressed => startup.bytes,
            _ => 0,
        }
    }

    /// Tells the user.
    pub fn report(&self) {
        if let Some(found) = &self.profile {
            let uncompressed = found.files.intersection(&self.uncompressed).count();
            report_profile(found, uncompressed, self.is_compressed);
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
