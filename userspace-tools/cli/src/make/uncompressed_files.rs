// SPDX-License-Identifier: GPL-2.0-only

//! Files that are left uncompressed, so that they are quick to read.

use indicatif::HumanBytes;
use initoverlayfs_image::mkfs::{erofs, Format};
use initoverlayfs_image::profile::{Profile, Selection};
use initoverlayfs_image::startup::Startup;
use initoverlayfs_image::tree::Tree;

use crate::terminal::summary::{count, left_out};

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
        let choice = Choice {
            profile: self.profile.as_ref().map(|profile| profile.select(tree)),
            startup: self.startup.then(|| Startup::of(tree)),
            is_compressed: options.compression != erofs::Compression::None,
        };
        let profile = choice.profile.iter().flat_map(|found| &found.files);
        let startup = choice.startup.iter().flat_map(|found| &found.files);
        options.uncompressed = profile.chain(startup).cloned().collect();
        choice
    }
}

/// The files that were found.
#[derive(Default)]
pub struct Choice {
    profile: Option<Selection>,
    startup: Option<Startup>,
    /// Set if the image compresses anything at all.
    is_compressed: bool,
}

impl Choice {
    /// Tells the user.
    pub fn report(&self) {
        if let Some(selection) = &self.profile {
            report_profile(selection, self.is_compressed);
        }
        if let Some(startup) = self.startup.as_ref().filter(|_| self.is_compressed) {
            report_startup(startup);
        }
    }
}

/// Says what a profile came to.
fn report_profile(selection: &Selection, is_compressed: bool) {
    if !is_compressed {
        eprintln!("  profile: no effect, as nothing is compressed");
        return;
    }
    let files = count(selection.files.len(), "file");
    eprintln!("  profile: {files} uncompressed");
    left_out("profile: no file of this image", &selection.missing);
}

/// Says how much is uncompressed because it starts init.
fn report_startup(startup: &Startup) {
    if startup.files.is_empty() {
        return;
    }
    let files = count(startup.files.len(), "file");
    let bytes = HumanBytes(startup.bytes);
    eprintln!("  uncompressed: {files} to start /init, {bytes}");
}
