// SPDX-License-Identifier: GPL-2.0-only

//! Processes that still use the initial root after the switch to another one, and so keep its image in memory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::makedev;
use serde::Serialize;

/// A process, and what it holds.
#[derive(Debug, Serialize)]
pub struct Holder {
    /// The number.
    pub pid: u32,
    /// The name.
    pub name: String,
    /// `root`, `working directory`, `program`, `file N` for its open file N, `mapping`, or `mount PLACE` for
    /// a mount in its namespace.
    pub holds: Vec<String>,
}

/// Returns the processes that use files on `device` (major and minor number), from the numbers in `proc`, as far
/// as the caller may look into them. There are none to name as long as the caller's own root is on it.
pub fn find(proc: &Path, device: (u32, u32)) -> Vec<Holder> {
    let number = makedev(device.0, device.1);
    if fs::metadata("/").is_ok_and(|root| root.dev() == number) {
        return Vec::new();
    }
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let mut holders: Vec<Holder> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let holds = holds(&entry.path(), device);
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            (!holds.is_empty()).then(|| Holder {
                pid,
                name: name.trim().to_owned(),
                holds,
            })
        })
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    holders
}

/// Returns what a process has on the device.
fn holds(process: &Path, device: (u32, u32)) -> Vec<String> {
    let number = makedev(device.0, device.1);
    let is_there = |path: &Path| fs::metadata(path).is_ok_and(|file| file.dev() == number);
    let mut found = Vec::new();
    for (name, what) in [
        ("root", "root"),
        ("cwd", "working directory"),
        ("exe", "program"),
    ] {
        if is_there(&process.join(name)) {
            found.push(what.to_owned());
        }
    }
    let files = fs::read_dir(process.join("fd")).into_iter().flatten();
    let mut files: Vec<_> = files
        .flatten()
        .filter(|file| is_there(&file.path()))
        .map(|file| format!("file {}", file.file_name().to_string_lossy()))
        .collect();
    files.sort();
    found.extend(files);
    let text = |name: &str| fs::read(process.join(name)).unwrap_or_default();
    // Address, access, offset, device in hexadecimal digits.
    let mapped = format!("{:02x}:{:02x}", device.0, device.1);
    let maps = String::from_utf8_lossy(&text("maps")).into_owned();
    let is_mapped = |line: &str| line.split_whitespace().nth(3) == Some(&mapped);
    if !found.iter().any(|what| what == "program") && maps.lines().any(is_mapped) {
        found.push("mapping".to_owned());
    }
    // Number, parent, device, root, place.
    let mounted = format!("{}:{}", device.0, device.1);
    let mounts = String::from_utf8_lossy(&text("mountinfo")).into_owned();
    for line in mounts.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if words.get(2) == Some(&mounted.as_str()) {
            found.push(format!("mount {}", words.get(4).copied().unwrap_or("?")));
        }
    }
    found
}
