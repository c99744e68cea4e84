// SPDX-License-Identifier: GPL-2.0-only

//! The largest parts of an EROFS image: directories of one purpose, then files. `--explain` lists them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use initoverlayfs_image::erofs::{FileSize, Sizes};

use crate::describe::sizes::{amounts, row};
use crate::terminal::summary::{count, shown};

/// The most lines of each list.
const DIRECTORIES: usize = 20;
const FILES: usize = 10;

/// The bytes that some files take together.
#[derive(Clone, Copy, Default)]
struct Group {
    stored: u64,
    contents: u64,
    files: u64,
}

impl Group {
    fn of(file: &FileSize) -> Self {
        Self {
            stored: file.stored.total(),
            contents: file.contents.total(),
            files: 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.stored = self.stored.saturating_add(other.stored);
        self.contents = self.contents.saturating_add(other.contents);
        self.files += other.files;
    }
}

/// Returns the lists as lines, the largest parts first.
pub fn lines(sizes: &Sizes) -> Vec<String> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for file in &sizes.files {
        let group = groups.entry(purpose(&file.path)).or_default();
        group.add(&Group::of(file));
    }
    if groups.is_empty() {
        return Vec::new();
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| Reverse((group.stored, group.contents)));
    let mut lines =
        vec!["largest directories (bytes of the image for bytes of the files):".to_owned()];
    let (shown_groups, others) = groups.split_at(groups.len().min(DIRECTORIES));
    for (name, group) in shown_groups {
        lines.push(line(group, name));
    }
    if !others.is_empty() {
        let mut rest = Group::default();
        for (_, group) in others {
            rest.add(group);
        }
        lines.push(line(&rest, &format!("({})", count(others.len(), "other"))));
    }
    let mut files: Vec<_> = sizes.files.iter().collect();
    files.sort_by_key(|file| (Reverse(file.stored.total()), &file.path));
    lines.push("largest files:".to_owned());
    for file in files.iter().take(FILES) {
        let row = amounts(file.stored.total(), file.contents.total());
        lines.push(format!("  {row}  /{}", shown(&file.path)));
    }
    lines
}

fn line(group: &Group, name: &str) -> String {
    let row = row(group.stored, group.contents, group.files);
    format!("  {row:<38}  {name}")
}

/// Returns the directory that says what a file is for: `/usr/lib/firmware/amdgpu`,
/// `/usr/lib/modules/6.12/kernel/drivers/gpu`, and of other files the first two, or those in `/usr` three.
fn purpose(path: &[u8]) -> String {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let (_, directories) = parts.split_last().unwrap_or((&parts[0], &[]));
    let usr = usize::from(directories.first() == Some(&&b"usr"[..]));
    let kind: Vec<&[u8]> = directories.iter().skip(usr).copied().collect();
    let depth = match kind.as_slice() {
        [b"lib", b"modules", _, b"kernel", b"drivers", ..] => 6,
        [b"lib", b"modules", ..] => 5,
        [b"lib", b"firmware", ..] => 3,
        _ => 2,
    };
    let kept = directories.iter().take(usr + depth);
    let names = kept.map(|name| format!("/{}", shown(name)));
    let name: String = names.collect();
    if name.is_empty() {
        "/".into()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_one_purpose_are_one() {
        for (path, expected) in [
            ("init", "/"),
            ("etc/a/b/c/d", "/etc/a"),
            (
                "usr/lib/x86_64-linux-gnu/a/b.so",
                "/usr/lib/x86_64-linux-gnu",
            ),
            (
                "usr/lib/firmware/amdgpu/a/b.bin",
                "/usr/lib/firmware/amdgpu",
            ),
            ("lib/firmware/b.bin", "/lib/firmware"),
            (
                "usr/lib/modules/6.12/kernel/drivers/gpu/drm/a.ko",
                "/usr/lib/modules/6.12/kernel/drivers/gpu",
            ),
            (
                "lib/modules/6.12/kernel/fs/ext4/a.ko",
                "/lib/modules/6.12/kernel/fs",
            ),
            ("lib/modules/6.12/modules.dep", "/lib/modules/6.12"),
            ("usr", "/"),
            ("usr/a", "/usr"),
        ] {
            assert_eq!(purpose(path.as_bytes()), expected, "{path}");
        }
    }
}
