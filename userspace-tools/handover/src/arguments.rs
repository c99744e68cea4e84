// SPDX-License-Identifier: GPL-2.0-only

//! The arguments of the programs that this one stands in for.

use core::ffi::CStr;

use rustix::thread::CapabilitySet;

use crate::capabilities;
use crate::failure::Failure;

/// The program that it is called as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// klibc's.
    RunInit,
    /// busybox's, toybox's and util-linux's.
    SwitchRoot,
}

/// The arguments of the program.
#[derive(Debug)]
pub struct Arguments<'a> {
    /// The program that it is called as.
    pub personality: Personality,
    /// The place where the real root is mounted.
    pub new_root: &'a CStr,
    /// The place of init among the words; what follows is for init.
    pub init_at: usize,
    /// A device for its standard streams, in the new root.
    pub console: Option<&'a CStr>,
    /// Capabilities to take from all that runs from then on.
    pub dropped: CapabilitySet,
    /// Only say whether it would work.
    pub is_dry_run: bool,
    /// Wait for ever instead of failing, as toybox's can.
    pub hangs: bool,
    words: &'a [&'a CStr],
}

const USAGE: Failure<'static> = Failure::because(
    b"usage",
    "run-init|switch_root [OPTIONS] NEWROOT INIT [ARGUMENT...]",
);

impl<'a> Arguments<'a> {
    /// Reads them; the first word is the program's own name.
    pub fn parse(words: &'a [&'a CStr]) -> Result<Self, Failure<'a>> {
        let name = words.first().map_or(&b""[..], |word| word.to_bytes());
        let is_run_init = name.rsplit(|byte| *byte == b'/').next() == Some(b"run-init");
        let mut found = Self {
            personality: if is_run_init {
                Personality::RunInit
            } else {
                Personality::SwitchRoot
            },
            new_root: c"",
            init_at: 0,
            // klibc's opens this one unless it is told another.
            console: is_run_init.then_some(c"/dev/console"),
            dropped: CapabilitySet::empty(),
            is_dry_run: false,
            hangs: false,
            words,
        };
        let mut at = 1;
        while let Some(word) = words.get(at).map(|word| word.to_bytes()) {
            match word {
                b"--" => {
                    at += 1;
                    break;
                }
                [b'-', _, ..] => at = found.options(at)?,
                _ => break,
            }
        }
        let [new_root, _, ..] = words.get(at..).unwrap_or_default() else {
            return Err(USAGE);
        };
        // Options from here on are init's.
        Ok(Self {
            new_root,
            init_at: at + 1,
            ..found
        })
    }

    /// Returns the path of init in the new root.
    pub fn init(&self) -> &'a CStr {
        self.words.get(self.init_at).copied().unwrap_or_default()
    }

    /// Reads the word `at`, one or more options, and returns where the next one is.
    fn options(&mut self, at: usize) -> Result<usize, Failure<'a>> {
        let is_run_init = self.personality == Personality::RunInit;
        let word = self.words.get(at).copied().unwrap_or_default();
        // The word is a C string: what is left of it is one, too.
        let mut rest = word.to_bytes_with_nul().get(1..).unwrap_or_default();
        loop {
            let [option, behind @ ..] = rest else {
                return Ok(at + 1);
            };
            rest = behind;
            match option {
                b'\0' => return Ok(at + 1),
                // Keep the initial root, which is kept as long as somebody uses it.
                b'p' if is_run_init => {}
                b'n' if is_run_init => self.is_dry_run = true,
                b'h' if !is_run_init => self.hangs = true,
                b'c' => {
                    let (value, next) = self.value(rest, at)?;
                    self.console = Some(value);
                    return Ok(next);
                }
                b'd' if is_run_init => {
                    let (value, next) = self.value(rest, at)?;
                    self.dropped |= capabilities::named(value.to_bytes())?;
                    return Ok(next);
                }
                _ => return Err(Failure::because(word.to_bytes(), "unknown option")),
            }
        }
    }

    /// Returns an option's value, which is the `rest` of its word or the next one, and where the next word is.
    fn value(&self, rest: &'a [u8], at: usize) -> Result<(&'a CStr, usize), Failure<'a>> {
        match CStr::from_bytes_with_nul(rest) {
            Ok(value) if !value.is_empty() => Ok((value, at + 1)),
            _ => self
                .words
                .get(at + 1)
                .map(|value| (*value, at + 2))
                .ok_or(USAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::ffi::CString;
    use std::vec::Vec;

    use super::*;

    /// Parses a line; `check` looks at the outcome.
    fn parse(line: &str, check: impl FnOnce(Option<Arguments<'_>>)) {
        let words: Vec<CString> = line
            .split(' ')
            .map(|word| CString::new(word).expect("no NUL"))
            .collect();
        let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
        check(Arguments::parse(&words).ok());
    }

    #[test]
    fn arguments_of_init_are_left_alone() {
        parse(
            "/sbin/switch_root -c /dev/console /sysroot /sbin/init -c -- -n x",
            |found| {
                let found = found.expect("they are right");
                assert_eq!(found.personality, Personality::SwitchRoot);
                assert_eq!(found.new_root, c"/sysroot");
                assert_eq!(found.console, Some(c"/dev/console"));
                assert_eq!((found.init(), found.init_at), (c"/sbin/init", 4));
            },
        );
        parse("switch_root -- /sysroot /sbin/init", |found| {
            assert_eq!(found.expect("they are right").init(), c"/sbin/init");
        });
    }

    #[test]
    fn run_init_has_options_of_its_own() {
        for line in [
            "run-init -n -p -d cap_sys_module,cap_sys_rawio /root /sbin/init",
            "run-init -npdcap_sys_module -d cap_sys_rawio /root /sbin/init",
        ] {
            parse(line, |found| {
                let found = found.expect("they are right");
                assert_eq!(found.personality, Personality::RunInit);
                assert!(found.is_dry_run);
                assert_eq!(
                    found.dropped,
                    CapabilitySet::SYS_MODULE | CapabilitySet::SYS_RAWIO
                );
                assert_eq!(found.new_root, c"/root");
                assert_eq!(found.console, Some(c"/dev/console"));
            });
        }
        parse("switch_root -n /root /sbin/init", |found| {
            assert!(found.is_none())
        });
        parse("run-init -d cap_of_mine /root /sbin/init", |found| {
            assert!(found.is_none())
        });
    }

    #[test]
    fn a_root_and_an_init_are_needed() {
        for line in [
            "run-init /root",
            "switch_root",
            "switch_root -c",
            "switch_root -c x",
        ] {
            parse(line, |found| assert!(found.is_none(), "{line}"));
        }
    }
}
