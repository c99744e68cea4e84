// SPDX-License-Identifier: GPL-2.0-only
//! Who init is, what is mounted and open, and what is in the root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

use anyhow::Result;

use super::Seen;

/// Lines of `/proc/1/status` that two boots of the same kernel have in common.
const STATUS: [&str; 21] = [
    "Name",
    "Umask",
    "State",
    "Tgid",
    "Pid",
    "PPid",
    "TracerPid",
    "Uid",
    "Gid",
    "Groups",
    "Kthread",
    "Threads",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "NoNewPrivs",
    "Seccomp",
];
/// Notes everything that can be seen without changing anything.
pub fn look(seen: &mut Seen) -> Result<()> {
    for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
        // Numbers of mounts and devices depend on what came before.
        let mut words = line.split(' ').skip(3);
        let root = words.next().unwrap_or_default();
        let place = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        seen.note(format!("mount.{place}"), format!("{root} {}", rest.join(" ")));
    }
    for name in ["environ", "cmdline", "cgroup", "oom_score_adj", "loginuid", "attr/current"] {
        let text = fs::read(format!("/proc/self/{name}"));
        seen.result(format!("process.{name}"), text.map(|text| text.escape_ascii().to_string()));
    }
    for line in fs::read_to_string("/proc/self/status")?.lines() {
        if let Some((key, value)) = line.split_once(':').filter(|(key, _)| STATUS.contains(key)) {
            seen.note(format!("status.{key}"), value.trim());
        }
    }
    for line in fs::read_to_string("/proc/self/limits")?.lines() {
        let (name, values) = line.split_at_checked(25).unwrap_or((line, ""));
        seen.note(format!("limit.{}", name.trim()), values.trim());
    }
    for name in ["cwd", "root", "exe"] {
        let target = fs::read_link(format!("/proc/self/{name}"));
        seen.result(format!("process.{name}"), target.map(|path| path.display().to_string()));
    }
    for fd in 0..8 {
        let target = fs::read_link(format!("/proc/self/fd/{fd}"));
        let Ok(target) = target else { continue };
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
        let flags = info.lines().find(|line| line.starts_with("flags:")).unwrap_or_default();
        seen.note(format!("fd.{fd}"), format!("{} {flags}", target.display()));
    }
    let figures = rustix::fs::statvfs("/")?;
    seen.note("statfs.flags", format!("{:?}", figures.f_flag));
    seen.note("statfs.namemax", figures.f_namemax);
    seen.note("statfs.bsize", figures.f_bsize);
    seen.note("statfs.magic", format!("{:x}", rustix::fs::statfs("/")?.f_type));
    tree(seen)
}

/// Every object of the root.
fn tree(seen: &mut Seen) -> Result<()> {
    let mut devices = BTreeMap::new();
    let mut inodes = BTreeSet::new();
    let (mut doubles, mut other_numbers) = (0, 0);
    let mut pending = vec!["/".into()];
    while let Some(path) = pending.pop() {
        let path: std::path::PathBuf = path;
        let metadata = fs::symlink_metadata(&path)?;
        // Any bytes may be in a name.
        let shown = path.as_os_str().as_encoded_bytes().escape_ascii();
        // Numbers of devices in the order in which they are met.
        let next = devices.len();
        let device = *devices.entry(metadata.dev()).or_insert(next);
        let is_new = inodes.insert((metadata.dev(), metadata.ino()));
        if !is_new && (metadata.is_dir() || metadata.nlink() < 2) {
            doubles += 1;
        }
        let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
        let size = if metadata.is_dir() { 0 } else { metadata.size() };
        let links = if metadata.is_dir() { 0 } else { metadata.nlink() };
        // Nothing else is mounted.
        let mtime = match path.to_str() {
            Some("/") => {
                seen.note("root-time", metadata.mtime());
                0
            }
            Some("/proc") => 0,
            _ => metadata.mtime(),
        };
        seen.note(
            format!("tree.{shown}"),
            format!(
                "{mode:o} {uid}:{gid} links={links} size={size} rdev={:x} mtime={} device={device}",
                metadata.rdev(),
                mtime
            ),
        );
        if metadata.is_symlink() {
            let target = fs::read_link(&path)?;
            let target = target.as_os_str().as_encoded_bytes().escape_ascii();
            seen.note(format!("target.{shown}"), target);
        }
        if metadata.is_file() {
            let mut content = Vec::new();
            // Files of nobody's can be read by root.
            fs::File::open(&path)?.take(100).read_to_end(&mut content)?;
            seen.note(format!("content.{shown}"), content.escape_ascii());
            seen.note(format!("blocks.{shown}"), metadata.blocks());
        }
        if !metadata.is_dir() || path == Path::new("/proc") {
            continue;
        }
        seen.note(format!("links.{shown}"), metadata.nlink());
        seen.note(format!("directory-size.{shown}"), metadata.size());
        let mut members = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let found = fs::symlink_metadata(entry.path())?;
            let kind = entry.file_type()?;
            let is_same_kind = (kind.is_dir(), kind.is_file()) == (found.is_dir(), found.is_file());
            if entry.ino() != found.ino() || !is_same_kind {
                other_numbers += 1;
            }
            members.push(entry.path());
        }
        members.sort();
        pending.extend(members);
    }
    seen.note("tree.devices", devices.len());
    seen.note("tree.same-number", doubles);
    seen.note("tree.readdir-has-other-numbers", other_numbers);
    Ok(())
}
