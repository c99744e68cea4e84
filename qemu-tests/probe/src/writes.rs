// SPDX-License-Identifier: GPL-2.0-only
//! Tries what an init may do to its root.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use rustix::fs::XattrFlags;

use crate::channel::Channel;

/// A new file, and the name it is moved to.
const NEW: [&str; 2] = ["/probe-new", "/tmp/probe-renamed"];
/// A file of the standard fixture tree that is changed in place.
const CHANGED: &str = "/data/size-4097";
/// A file of the standard fixture tree that is removed.
const REMOVED: &str = "/data/size-4095";
/// What is written.
const TEXT: &[u8] = b"written by the probe\n";

/// A step that can fail.
type Step = fn() -> io::Result<()>;

/// The steps, in order; later ones use what earlier ones left.
const STEPS: [(&str, Step); 9] = [
    ("create", || File::create_new(NEW[0])?.write_all(TEXT)),
    ("fsync", || OpenOptions::new().write(true).open(NEW[0])?.sync_all()),
    ("read-back", || same(&fs::read(NEW[0])?, TEXT)),
    ("chmod", || fs::set_permissions(NEW[0], Permissions::from_mode(0o751))),
    ("xattr", || Ok(rustix::fs::setxattr(NEW[0], "user.probe", b"1", XattrFlags::CREATE)?)),
    ("rename", || fs::rename(NEW[0], NEW[1])),
    ("unlink", || fs::remove_file(NEW[1])),
    ("change-image-file", change_image_file),
    ("remove-image-file", remove_image_file),
];

/// Sends `write STEP ok` or `write STEP ERROR` for every step.
pub fn report(channel: &mut Channel) -> Result<()> {
    for (name, step) in STEPS {
        match step() {
            Ok(()) => channel.say("write", format!("{name} ok"))?,
            Err(error) => channel.say("write", format!("{name} {error}"))?,
        }
    }
    Ok(())
}

/// Fills the root until it takes no more; sends the bytes it took and why it stopped.
pub fn fill(channel: &mut Channel) -> Result<()> {
    let mut file = File::create("/probe-fill")?;
    let block = vec![0xa5; 64 << 10];
    let mut taken = 0_usize;
    let reason = loop {
        match file.write(&block) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
    };
    channel.say("fill.bytes", taken)?;
    channel.say("fill.end", format!("{:?}", reason.kind()))?;
    Ok(())
}

/// Appends to a file of the image: the rest of it must survive the copy up.
fn change_image_file() -> io::Result<()> {
    let mut expected = fs::read(CHANGED)?;
    OpenOptions::new().append(true).open(CHANGED)?.write_all(TEXT)?;
    expected.extend_from_slice(TEXT);
    let mut found = Vec::new();
    File::open(CHANGED)?.read_to_end(&mut found)?;
    same(&found, &expected)
}

/// Removes a file of the image: it must be gone.
fn remove_image_file() -> io::Result<()> {
    fs::remove_file(REMOVED)?;
    match fs::exists(REMOVED)? {
        false => Ok(()),
        true => Err(io::Error::other("still there")),
    }
}

/// Returns an error unless both are equal.
fn same(found: &[u8], expected: &[u8]) -> io::Result<()> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (found.len(), expected.len());
    Err(io::Error::other(format!("{found} bytes read differ from {expected} bytes expected")))
}
