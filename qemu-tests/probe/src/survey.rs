// SPDX-License-Identifier: GPL-2.0-only
//! Reading a tree that may be broken anywhere: every object is touched, errors are counted.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;

use crate::channel::Channel;

/// Where a walk through a broken tree ends: levels, objects, bytes of one file.
const MOST_LEVELS: usize = 64;
const MOST_OBJECTS: u32 = 20_000;
const MOST_BYTES: u64 = 16 << 20;

/// What the walk met.
#[derive(Default)]
struct Survey {
    objects: u32,
    errors: u32,
    bytes: u64,
}

/// Walks the root, but for what the kernel mounted, and sends `survey OBJECTS ERRORS BYTES`.
pub fn report(channel: &mut Channel) -> Result<()> {
    channel.say("root.magic", format!("{:x}", rustix::fs::statfs("/")?.f_type))?;
    let mut survey = Survey::default();
    let mut pending = vec![(PathBuf::from("/"), 0)];
    while let Some((directory, level)) = pending.pop() {
        let Some(members) = survey.ok(fs::read_dir(&directory)) else { continue };
        for member in members {
            let Some(member) = survey.ok(member) else { break };
            let path = member.path();
            if survey.objects == MOST_OBJECTS {
                break;
            }
            if level == 0 && ["/dev", "/proc", "/sys"].iter().any(|skip| path.as_os_str() == *skip)
            {
                continue;
            }
            if survey.touch(&path) && level < MOST_LEVELS {
                pending.push((path, level + 1));
            }
        }
    }
    channel.say("survey", format!("{} {} {}", survey.objects, survey.errors, survey.bytes))?;
    Ok(())
}

impl Survey {
    /// Counts an error.
    fn ok<T, E>(&mut self, result: Result<T, E>) -> Option<T> {
        self.errors += u32::from(result.is_err());
        result.ok()
    }

    /// Looks at an object from all sides; returns whether it is a directory.
    fn touch(&mut self, path: &PathBuf) -> bool {
        self.objects += 1;
        let Some(metadata) = self.ok(fs::symlink_metadata(path)) else { return false };
        let mut names = [0_u8; 65_536];
        if let Some(length) = self.ok(rustix::fs::llistxattr(path, &mut names[..])) {
            for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
                let mut value = [0_u8; 4096];
                let name = std::ffi::OsStr::from_bytes(name);
                let _ = self.ok(rustix::fs::lgetxattr(path, name, &mut value[..]));
            }
        }
        if metadata.is_symlink() {
            let _ = self.ok(fs::read_link(path));
        } else if metadata.is_file() {
            if let Some(file) = self.ok(File::open(path)) {
                let copied = std::io::copy(&mut file.take(MOST_BYTES), &mut std::io::sink());
                self.bytes += self.ok(copied).unwrap_or(0);
            }
        }
        metadata.is_dir()
    }
}
