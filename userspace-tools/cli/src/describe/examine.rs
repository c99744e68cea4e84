// SPDX-License-Identifier: GPL-2.0-only

//! Examining a file as a whole, the files of its images included.

use anyhow::Result;
use initoverlayfs_image::bootconfig;
use initoverlayfs_image::handover;
use initoverlayfs_image::initrd::{self, InitrdError};
use initoverlayfs_image::kernel_decompressors::Demand;
use initoverlayfs_image::tree::{Kind, Tree};

use crate::describe::description::{Boot, Bootconfig, Content, Segment, View};
use crate::describe::{segments, unsuited_programs};
use crate::terminal::summary::{plain, shown};

/// More segments than this are an error to the kernel: `MAX_SEGMENTS` in `rust/scan.rs`.
pub const MOST_SEGMENTS: usize = 64;

/// A file, taken apart.
pub struct Opened {
    /// The description to show.
    pub view: View,
    /// The tree of all layers; nothing if they cannot be read.
    pub tree: Option<Tree>,
    /// The fault of this machine (a tool is missing, no room) that kept the files from being read.
    pub obstacle: Option<InitrdError>,
}

/// Looks at a file as a whole, its files included.
pub fn open(file: &[u8]) -> Result<Opened> {
    let found = bootconfig::find(file);
    let bytes = &file[..found.as_ref().map_or(file.len(), |range| range.start)];
    let bootconfig = found.map(|range| Bootconfig {
        offset: range.start,
        size: range.len(),
    });
    let layers = match initrd::read(bytes) {
        Ok(layers) => layers,
        Err(error) => {
            let mut problems = vec![with_cure(&error)];
            let boot = if !initrd::has_image(bytes) {
                Boot::Stock
            } else if error.is_told_by_the_unpacker() {
                problems.push(
                    "the kernel unpacks what comes before it; with initoverlayfs=require it panics"
                        .to_owned(),
                );
                Boot::InPlace
            } else {
                Boot::Refused
            };
            let view = View {
                size: file.len(),
                segments: Vec::new(),
                boot,
                bootconfig,
                problems,
                warnings: Vec::new(),
            };
            return Ok(Opened {
                view,
                tree: None,
                obstacle: None,
            });
        }
    };
    let segments = layers
        .iter()
        .map(|layer| segments::describe(bytes, layer))
        .collect::<Result<Vec<_>>>()?;
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let has_image = segments.iter().any(|segment| segment.content.is_image());
    let mut boot = if has_image {
        Boot::InPlace
    } else {
        Boot::Stock
    };
    if has_image && segments.len() > MOST_SEGMENTS {
        problems.push(format!(
            "{} segments, and the kernel takes {MOST_SEGMENTS}: join some",
            segments.len()
        ));
        boot = Boot::Refused;
    }
    for segment in segments
        .iter()
        .filter(|s| matches!(s.content, Content::Unknown))
    {
        let (offset, size) = (segment.offset, segment.size);
        let text = format!("offset {offset:#x}: {size} bytes that are no image and no archive");
        if has_image {
            warnings.push(format!("{text}: the kernel leaves them out"));
        } else {
            problems.push(format!("{text}: the kernel stops there, remove them"));
        }
    }
    for segment in &segments {
        if let Content::Cpio { archives } = &segment.content {
            for archive in archives {
                for demand in &archive.demands {
                    if let Demand::Never(what) = demand {
                        let offset = archive.offset;
                        problems.push(format!("the archive at {offset:#x}: {what}"));
                    }
                }
            }
        }
        let seal = segment.content.seal();
        if let Some(problem) = seal.and_then(|seal| seal.problem.as_ref()) {
            let offset = segment.offset;
            problems.push(format!(
                "the trailer of the image at {offset:#x} {problem}: seal the image again"
            ));
        }
    }
    let (tree, error) = match initrd::merge_layers(bytes, &layers) {
        Ok(tree) => (Some(tree), None),
        Err(error) => {
            problems.push(with_cure(&error));
            (None, Some(error))
        }
    };
    let is_obstacle = |error: &InitrdError| match error {
        InitrdError::Erofs(_, cause) => cause.is_of_this_machine(),
        InitrdError::Other(_, _, cause) => cause.is_of_this_machine(),
        _ => false,
    };
    let obstacle = error.filter(is_obstacle);
    if let Some(tree) = &tree {
        if let Some(problem) = init_problem(tree) {
            match subvolume_with_init(&segments, tree) {
                Some(warning) => warnings.push(warning),
                None => problems.push(problem),
            }
        }
        if boot == Boot::InPlace {
            warnings.extend(unsuited_programs::of(tree));
        }
        if boot == Boot::InPlace {
            let found = handover::find(tree);
            problems.extend(found.iter().map(|(p, one)| {
                format!("/{}: {}: {}", shown(p), one.tool.trouble(), one.tool.cure())
            }));
        }
    }
    let view = View {
        size: file.len(),
        segments,
        boot,
        bootconfig,
        problems,
        warnings,
    };
    Ok(Opened {
        view,
        tree,
        obstacle,
    })
}

/// Returns an error as a line, with what to do.
fn with_cure(error: &InitrdError) -> String {
    let cure = error.cure().map(|cure| format!(": {cure}"));
    plain(&error.to_string()) + &cure.unwrap_or_default()
}

/// Returns how to boot a btrfs image that has its `/init` in a subvolume, if it has.
fn subvolume_with_init(segments: &[Segment], tree: &Tree) -> Option<String> {
    let is_btrfs = |segment: &Segment| matches!(segment.content, Content::Btrfs(_));
    segments.iter().find(|segment| is_btrfs(segment))?;
    let mut directories = tree.iter().filter(|(path, id)| {
        let has_init = || tree.get(&[path, &b"/init"[..]].concat()).is_some();
        !path.is_empty() && !path.contains(&b'/') && tree.inode(*id).is_directory() && has_init()
    });
    let (name, _) = directories.next()?;
    let name = shown(name);
    Some(format!(
        "/{name} has an init: boot with initoverlayfs=subvol={name}"
    ))
}

/// Returns why `/init` cannot be run, if so.
pub fn init_problem(tree: &Tree) -> Option<String> {
    let problem = match tree.resolve(b"init") {
        None if tree.get(b"init").is_some() => "/init leads nowhere",
        None => "there is no /init",
        Some(init) if !matches!(init.kind, Kind::Regular(_)) => "/init is no regular file",
        Some(init) if init.mode & 0o111 == 0 => "/init is not executable",
        Some(_) => return None,
    };
    Some(format!(
        "{problem}, and the boot goes on to root=: put one into the image, or name another program with rdinit="
    ))
}
