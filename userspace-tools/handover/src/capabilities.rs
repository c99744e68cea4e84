// SPDX-License-Identifier: GPL-2.0-only

//! Capabilities that nothing is to have from now on, not even what the kernel itself starts.

use core::ffi::CStr;
use core::fmt::Write;

use rustix::fs::{open, seek, Mode, OFlags, SeekFrom};
use rustix::io::{read, write, Errno};
use rustix::thread::{
    capabilities, remove_capability_from_bounding_set, set_capabilities, CapabilitySet,
};

use crate::failure::{say, Failure, Line};

/// The files that say which capabilities programs have that the kernel starts (`kernel/umh.c`): two words each.
const HELPERS: [&CStr; 2] = [
    c"/proc/sys/kernel/usermodehelper/bset",
    c"/proc/sys/kernel/usermodehelper/inheritable",
];

/// Bytes of the longest name.
const LONGEST_NAME: usize = 32;

/// Returns the capabilities of a list like `cap_sys_module,cap_sys_rawio`.
pub fn named(list: &[u8]) -> Result<CapabilitySet, Failure<'_>> {
    let mut set = CapabilitySet::empty();
    for name in list
        .split(|byte| *byte == b',')
        .filter(|name| !name.is_empty())
    {
        set |= capability(name).ok_or(Failure::because(name, "there is no such capability"))?;
    }
    Ok(set)
}

fn capability(name: &[u8]) -> Option<CapabilitySet> {
    let mut upper = [0; LONGEST_NAME];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    CapabilitySet::from_name(core::str::from_utf8(upper).ok()?.strip_prefix("CAP_")?)
}

/// Takes these away.
pub fn drop_all(set: CapabilitySet) -> Result<(), Failure<'static>> {
    if set.is_empty() {
        return Ok(());
    }
    for path in HELPERS {
        forbid_helpers(path, set).map_err(|errno| Failure::of(path, errno))?;
    }
    let drop = || -> Result<(), Errno> {
        for capability in set.iter() {
            remove_capability_from_bounding_set(capability)?;
        }
        let mut sets = capabilities(None)?;
        for one in [
            &mut sets.inheritable,
            &mut sets.effective,
            &mut sets.permitted,
        ] {
            one.remove(set);
        }
        set_capabilities(None, sets)
    };
    drop().map_err(|errno| Failure::at("cannot drop capabilities", errno))
}

fn forbid_helpers(path: &CStr, set: CapabilitySet) -> Result<(), Errno> {
    let file = match open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        // A kernel that starts no programs; or there is no /proc.
        Err(Errno::NOENT) => {
            say(b"what the kernel itself starts keeps its capabilities:");
            Failure::of(path, Errno::NOENT).say();
            return Ok(());
        }
        Err(errno) => return Err(errno),
    };
    let mut text = [0; 64];
    let length = read(&file, &mut text)?;
    let words = text
        .get(..length)
        .and_then(|text| core::str::from_utf8(text).ok());
    let mut words = words
        .unwrap_or_default()
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0_u32));
    let (low, high) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
    let bits = (u64::from(high) << 32 | u64::from(low)) & !set.bits();
    let mut line = Line::default();
    write!(line, "{} {}", bits & 0xffff_ffff, bits >> 32).map_err(|_| Errno::OVERFLOW)?;
    // At the beginning: the kernel takes nothing that is written behind it.
    seek(&file, SeekFrom::Start(0))?;
    write(&file, line.text()).map(drop)
}
