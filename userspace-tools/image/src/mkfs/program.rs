// SPDX-License-Identifier: GPL-2.0-only

//! Running the programs that make or read images, and understanding their errors.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::str::FromStr;

use super::MkfsError;
use crate::child_processes::Running;
use crate::programs::Program;

impl Program {
    /// Returns what it prints of its version, whichever way it ends.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`].
    pub fn version_text(&'static self, argument: &str) -> Result<String, MkfsError> {
        let output = self.command().arg(argument).stdin(Stdio::null()).output();
        let output = output.map_err(|cause| MkfsError::Missing(self, cause))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns the version that it printed; an error unless that is new enough.
    ///
    /// # Errors
    ///
    /// [`MkfsError::TooOld`].
    pub fn check_version(
        &'static self,
        text: &str,
        oldest: (u32, u32),
    ) -> Result<(u32, u32), MkfsError> {
        let first = text.lines().next().unwrap_or("unknown");
        match version_in(first).filter(|version| *version >= oldest) {
            Some(version) => Ok(version),
            None => Err(MkfsError::TooOld(self, first.to_owned())),
        }
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`].
    pub fn start(&'static self, command: &mut Command) -> Result<Running, MkfsError> {
        Running::start(command).map_err(|cause| MkfsError::Missing(self, cause))
    }

    /// Starts a shell that starts it, and other programs.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`].
    pub fn start_in(&'static self, shell: &mut Command) -> Result<Running, MkfsError> {
        Running::start_group(shell).map_err(|cause| MkfsError::Missing(self, cause))
    }

    /// Waits for it to end well; returns what it wrote.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Failed`], with its own words.
    pub fn wait(&'static self, child: Running) -> Result<Output, MkfsError> {
        let output = child.output();
        let output = output.map_err(|cause| MkfsError::Missing(self, cause))?;
        if output.status.success() {
            return Ok(output);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim();
        Err(MkfsError::Failed(
            self,
            if words.is_empty() {
                output.status.to_string()
            } else {
                words.into()
            },
        ))
    }

    /// Runs it without input.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`], [`MkfsError::Failed`].
    pub fn run<S: AsRef<OsStr>>(
        &'static self,
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&str, &str)],
    ) -> Result<Output, MkfsError> {
        let mut command = self.command();
        command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.wait(self.start(&mut command)?)
    }
}

/// Returns the first two numbers of a version: `mkfs.erofs (erofs-utils) 1.8.10`, `btrfs-progs v6.14`.
fn version_in(line: &str) -> Option<(u32, u32)> {
    let mut words = line
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    let word = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).map(u32::from_str);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
