// SPDX-License-Identifier: GPL-2.0-only
//! An init that loads a policy of SELinux's, as systemd does, and what the policy makes of the initial root then.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};

use crate::channel::Channel;
use crate::mount;

/// The kernel's own filesystem for policies.
const PLACE: &str = "/sys/fs/selinux";
/// The policy, and this program.
const POLICY: &str = "/etc/policy";
const INIT: &str = "/init";
/// A daemon that policies confine: this program under another name.
pub const DAEMON: &str = "/usr/sbin/chronyd";
/// A file that it may not read, and one that it may.
const SECRET: &str = "/etc/shadow";
const SETTINGS: &str = "/etc/chrony.conf";
/// Files whose labels are sent, and where files are made.
const FILES: [&str; 6] = ["/", INIT, DAEMON, SECRET, SETTINGS, "/var/log"];
const MADE: [&str; 3] = ["/etc/made", "/var/log/made", "/run/made"];

/// Loads the policy and becomes init once more, now in the domain that it has for init. From there, sends the labels of files.
pub fn report(channel: &mut Channel) -> Result<()> {
    if !Path::new(PLACE).join("load").exists() {
        mount("sysfs", "/sys")?;
        mount("selinuxfs", PLACE)?;
        let policy = fs::read(POLICY).context(POLICY)?;
        let mut load = OpenOptions::new().write(true).open(Path::new(PLACE).join("load"))?;
        ensure!(load.write(&policy).context("no policy is loaded")? == policy.len());
        return Err(Command::new(INIT).exec()).context("cannot become init once more");
    }
    channel.say("domain.init", domain()?)?;
    for path in FILES {
        channel.say("label", format!("{path} {}", label(path)?))?;
    }
    for path in MADE {
        let made = File::create(path).map_err(anyhow::Error::from).and_then(|_| label(path));
        channel
            .say("made", format!("{path} {}", made.unwrap_or_else(|error| error.to_string())))?;
    }
    // Otherwise the standard library opens /dev/null, which is not there.
    let daemon = Command::new(DAEMON).stdin(Stdio::inherit()).output();
    let output = daemon.context("the daemon does not start")?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        channel.say("daemon", line)?;
    }
    Ok(())
}

/// What the daemon is and may, for init to read.
pub fn daemon() {
    let is_open = |path: &str| {
        File::open(path).map_or_else(|error| error.kind().to_string(), |_| "open".to_owned())
    };
    println!("domain {}", domain().unwrap_or_else(|error| error.to_string()));
    for path in [SETTINGS, SECRET] {
        println!("{path} {}", is_open(path));
    }
}

/// Returns the domain of this process.
fn domain() -> Result<String> {
    Ok(fs::read_to_string("/proc/self/attr/current")?.trim_end_matches('\0').to_owned())
}

/// Returns the label of a file.
fn label(path: &str) -> Result<String> {
    let mut value = [0; 256];
    let length = rustix::fs::lgetxattr(path, "security.selinux", &mut value[..])?;
    let value = value.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned())
}
