// SPDX-License-Identifier: GPL-2.0-only

//! The arguments of the programs that this one stands in for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use crate::Result;

/// Which program it is called as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// klibc's.
    RunInit,
    /// busybox's, toybox's and util-linux's.
    SwitchRoot,
}

/// The arguments of the program.
#[derive(Debug)]
pub struct Arguments {
    /// Which program it is called as.
    pub personality: Personality,
    /// The place where the real root is mounted.
    pub new_root: PathBuf,
    /// The program to execute there.
    pub init: PathBuf,
    /// With these arguments, without its name.
    pub init_arguments: Vec<OsString>,
    /// A device for its standard streams, in the new root.
    pub console: Option<PathBuf>,
    /// Capabilities to take from all that runs from then on.
    pub dropped: Vec<String>,
    /// Only say whether it would work.
    pub is_dry_run: bool,
}

impl Arguments {
    /// Reads them; the first is the program's own name.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self> {
        Self::read(words).map_err(|error| error.to_string())
    }

    fn read(words: impl IntoIterator<Item = OsString>) -> std::result::Result<Self, lexopt::Error> {
        let mut words = words.into_iter();
        let name = words.next().unwrap_or_default();
        let is_run_init = Path::new(&name)
            .file_name()
            .is_some_and(|name| name == "run-init");
        let personality = if is_run_init {
            Personality::RunInit
        } else {
            Personality::SwitchRoot
        };
        let mut parser = lexopt::Parser::from_args(words);
        let (mut console, mut dropped, mut is_dry_run) = (None, Vec::new(), false);
        let mut places = Vec::new();
        while places.len() < 2 {
            match parser.next()? {
                Some(Short('c')) => console = Some(parser.value()?.into()),
                Some(Short('d')) if is_run_init => {
                    let list = parser.value()?.string()?;
                    dropped.extend(list.split(',').filter(|n| !n.is_empty()).map(str::to_owned));
                }
                Some(Short('n')) if is_run_init => is_dry_run = true,
                // Keep the initial root, which is kept as long as somebody uses it.
                Some(Short('p')) if is_run_init => {}
                Some(Value(place)) => places.push(PathBuf::from(place)),
                Some(other) => return Err(other.unexpected()),
                None => {
                    return Err(
                        "usage: run-init|switch_root [OPTIONS] NEWROOT INIT [ARGUMENT...]".into(),
                    )
                }
            }
        }
        // Options from here on are init's.
        let init_arguments = parser.raw_args()?.collect();
        let mut places = places.into_iter();
        Ok(Self {
            personality,
            new_root: places.next().unwrap_or_default(),
            init: places.next().unwrap_or_default(),
            init_arguments,
            console,
            dropped,
            is_dry_run,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn arguments_of_init_are_left_alone() -> Result<()> {
        let found = parse("/sbin/switch_root -c /dev/console /sysroot /sbin/init -c -- -n x")?;
        assert_eq!(found.personality, Personality::SwitchRoot);
        assert_eq!(found.new_root, Path::new("/sysroot"));
        assert_eq!(found.console.as_deref(), Some(Path::new("/dev/console")));
        assert_eq!(found.init, Path::new("/sbin/init"));
        assert_eq!(found.init_arguments, ["-c", "--", "-n", "x"]);
        Ok(())
    }

    #[test]
    fn run_init_has_options_of_its_own() -> Result<()> {
        let found = parse("run-init -n -p -d cap_sys_module,cap_sys_rawio /root /sbin/init")?;
        assert_eq!(found.personality, Personality::RunInit);
        assert!(found.is_dry_run);
        assert_eq!(found.dropped, ["cap_sys_module", "cap_sys_rawio"]);
        assert!(parse("switch_root -n /root /sbin/init").is_err());
        Ok(())
    }

    #[test]
    fn a_root_and_an_init_are_needed() {
        assert!(parse("run-init /root").is_err());
        assert!(parse("switch_root").is_err());
    }
}
