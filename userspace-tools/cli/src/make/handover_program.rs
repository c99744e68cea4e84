// SPDX-License-Identifier: GPL-2.0-only

//! The hand-over programs for converted images: where they are found.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use initoverlayfs_image::handover::{self, Done, Found, Outcome};
use initoverlayfs_image::tree::Tree;

use crate::terminal::summary::shown;

/// The path from the installed command to the hand-over programs, as `make install` places them.
const INSTALLED: &str = "../libexec/initoverlayfs";

/// The beginning of their names; the machine's name follows.
const PREFIX: &str = "handover-";

/// The programs for tools that cannot hand over, and what became of the tools.
#[derive(Debug)]
pub struct Replacement {
    programs: Vec<Vec<u8>>,
    what: Done,
}

impl Replacement {
    /// Puts the programs of [`handover_programs`] in the place of the tools `found`.
    pub fn make(tree: &mut Tree, found: &BTreeMap<Vec<u8>, Found>) -> Result<Self> {
        let programs = handover_programs()?;
        let what = handover::replace(tree, found, &programs);
        Ok(Self { programs, what })
    }
}

/// Returns the programs that take the place of tools which cannot hand over, one for each machine: those that are
/// installed, or the program or directory that `INITOVERLAYFS_HANDOVER` names in the environment.
fn handover_programs() -> Result<Vec<Vec<u8>>> {
    let named = env::var_os("INITOVERLAYFS_HANDOVER").filter(|name| !name.is_empty());
    let place = match named {
        Some(place) => PathBuf::from(place),
        None => {
            let command = env::current_exe().context("this program does not know where it is")?;
            let directory = command.parent().unwrap_or(Path::new(""));
            directory.join(INSTALLED)
        }
    };
    let found = if place.is_dir() {
        programs_in(&place)
    } else {
        fs::read(&place).map(|program| vec![program])
    };
    let reason = match found {
        Ok(programs) if !programs.is_empty() => return Ok(programs),
        Ok(_) => "no file there is called handover-MACHINE".to_owned(),
        Err(error) => error.to_string(),
    };
    bail!(
        "the image needs a hand-over program, and there is none at {} ({reason}): name one in \
         INITOVERLAYFS_HANDOVER, or pass --no-handover-shim",
        place.display()
    )
}

/// Returns the programs in a directory.
fn programs_in(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.iter().map(fs::read).collect()
}

/// Says what became of tools that cannot hand over. Without `done`, the user wants them left alone.
pub fn report(found: &BTreeMap<Vec<u8>, Found>, done: Option<&Replacement>) {
    for (path, one) in found {
        let obstacle = one.obstacle(done.map_or(&[], |done| &done.programs));
        let outcome = done.and_then(|done| done.what.outcomes.get(path));
        let fate = match (outcome, obstacle) {
            (Some(Outcome::Replaced), _) => "replaced".to_owned(),
            (Some(Outcome::Renamed), _) => "renamed in it".to_owned(),
            (Some(Outcome::NoPlace), _) => {
                "not replaced: something else is called run-init or switch_root beside it"
                    .to_owned()
            }
            (None, Some(obstacle)) if done.is_some() || !one.has_replacement() => {
                format!("not replaced: {obstacle}")
            }
            (None, _) => "left alone".to_owned(),
        };
        eprintln!("  /{}: {}; {fate}", shown(path), one.tool.trouble());
    }
    for path in done.into_iter().flat_map(|done| &done.what.appraised) {
        eprintln!(
            "  /{}: had security.ima, for other bytes: extract, sign, and create again",
            shown(path)
        );
    }
}
