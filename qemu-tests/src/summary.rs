// SPDX-License-Identifier: GPL-2.0-only
//! What most scenarios look at, as one value that a test compares with the value it expects.

use std::collections::BTreeMap;

use anyhow::Result;
use probe::entry::Entry;

use crate::fixtures::tree::Tree;
use crate::report::Section;

/// Names in the root that are not the image's: the kernel's built-in initramfs brings them.
const BUILT_IN: [&str; 2] = ["dev", "root"];
/// Words by which the module's three information lines are known.
const MILESTONES: [&str; 3] = ["found", "mounted", "handed off"];

/// The state in which an init found its world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How the init was called.
    pub init: String,
    /// The process id and user.
    pub process: (String, String),
    /// All processes but kernel threads.
    pub processes: Vec<String>,
    /// File system type and place of each mount, but for the `/proc` that the probe mounted.
    pub mounts: Vec<String>,
    /// The first three file descriptors.
    pub descriptors: Vec<String>,
    /// Names in the root directory that the tree does not have.
    pub additions: Vec<String>,
    /// How the root differs from the tree; empty as well if the probe was not told to read the tree.
    pub differences: Vec<String>,
    /// Which milestones the module logged, in order.
    pub milestones: Vec<String>,
}

impl Summary {
    /// Sums up what an init sent, having been given `tree` as its root.
    pub fn new(found: &Section, tree: &Tree) -> Result<Self> {
        // The times of these trees are not kept on the way into an image.
        let timeless = |entry: Entry| Entry { mtime: None, ..entry };
        Self::of(found, &tree.entries()?.into_iter().map(timeless).collect::<Vec<_>>())
    }

    /// Sums up what an init sent, having been given a root with these entries.
    pub fn of(found: &Section, entries: &[Entry]) -> Result<Self> {
        let expected: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let times = found.all("mtime");
        let top: Vec<&str> =
            expected.iter().filter_map(|line| line.split(['/', ' ']).next()).collect();
        let names = found.all("root.name").into_iter().filter(|name| !top.contains(name));
        let short = |line: &&str| {
            let mut words = line.split(' ').skip(1);
            let (at, kind) = (words.next()?, words.next()?);
            (at != "/proc").then(|| format!("{kind} {at}"))
        };
        let said =
            |milestone: &&str| found.module_lines().iter().any(|line| line.contains(milestone));
        Ok(Self {
            init: found.get("argv0")?.to_owned(),
            process: (found.get("pid")?.to_owned(), found.get("uid")?.to_owned()),
            processes: owned(found.all("process")),
            mounts: found.all("mount").iter().filter_map(short).collect(),
            descriptors: owned(found.all("fd")),
            additions: names.map(str::to_owned).collect(),
            differences: [
                differences(&expected, &found.all("entry")),
                wrong_times(entries, &times),
            ]
            .concat(),
            milestones: MILESTONES.iter().filter(|m| said(m)).map(|m| (*m).to_owned()).collect(),
        })
    }

    /// Returns what the init of an image mounted in place must find.
    pub fn in_place() -> Self {
        Self { mounts: owned(["overlay /"]), milestones: owned(MILESTONES), ..Self::stock() }
    }

    /// Returns what the init of a cpio archive finds, with the module or without it.
    pub fn stock() -> Self {
        Self {
            init: "/init".to_owned(),
            process: ("1".to_owned(), "0".to_owned()),
            processes: owned(["1 (init"]),
            mounts: owned(["rootfs /"]),
            descriptors: owned(["0", "1", "2"].map(|fd| format!("{fd} 5:1 /dev/console"))),
            additions: owned(BUILT_IN),
            differences: Vec::new(),
            milestones: Vec::new(),
        }
    }

    /// Returns what the init of the disk finds if the disk was the kernel's own choice of root.
    pub fn disk() -> Self {
        Self {
            init: "/sbin/init".to_owned(),
            mounts: owned(["ext4 /", "devtmpfs /dev"]),
            additions: owned(["lost+found"]),
            ..Self::stock()
        }
    }
}

/// Lines that are in one list only, marked `-` if missing and `+` if not expected.
///
/// The objects of the built-in initramfs are no difference.
fn differences(expected: &[String], found: &[&str]) -> Vec<String> {
    if found.is_empty() {
        return Vec::new();
    }
    let built_in = |line: &str| {
        let name = line.split(['/', ' ']).next();
        BUILT_IN.iter().any(|own| Some(*own) == name)
    };
    let missing = expected.iter().filter(|line| !found.contains(&line.as_str()));
    let surplus = found.iter().filter(|line| !expected.iter().any(|e| e == *line));
    missing
        .map(|line| format!("-{line}"))
        .chain(surplus.filter(|line| !built_in(line)).map(|line| format!("+{line}")))
        .collect()
}

/// Lines `!PATH: changed at X, not Y`.
fn wrong_times(entries: &[Entry], times: &[&str]) -> Vec<String> {
    let times: BTreeMap<&str, &str> =
        times.iter().filter_map(|line| line.split_once(' ')).map(|(t, path)| (path, t)).collect();
    let wrong = entries.iter().filter_map(|entry| {
        let path = entry.path.to_str()?;
        let (found, expected) = (*times.get(path)?, entry.mtime?.to_string());
        (found != expected).then(|| format!("!{path}: changed at {found}, not {expected}"))
    });
    wrong.collect()
}

/// Strings of a list.
fn owned<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Vec<String> {
    words.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_both_sides() {
        let expected = owned(["a 1", "b 1"]);
        assert_eq!(differences(&expected, &["a 1", "b 2", "dev x"]), ["-b 1", "+b 2"]);
        assert_eq!(differences(&expected, &["b 1", "a 1", "root x"]), [""; 0]);
    }

    #[test]
    fn times_are_compared_where_they_are_known() {
        let entry = |path: &str, mtime| Entry {
            path: path.into(),
            mode: 0,
            owner: (0, 0),
            mtime,
            kind: probe::entry::Kind::Directory,
            xattrs: Vec::new(),
        };
        let expected = [entry("a", Some(1)), entry("b b", Some(2)), entry("c", None)];
        let found = ["1 a", "3 b b", "4 c"];
        assert_eq!(wrong_times(&expected, &found), ["!b b: changed at 3, not 2"]);
    }
}
