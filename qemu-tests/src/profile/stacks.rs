// SPDX-License-Identifier: GPL-2.0-only
//! What the plugin has counted.

use std::fmt;

use anyhow::{Context, Result};

/// The functions with which a part of the boot begins: what has called them is of no interest there.
const BEGINNINGS: [&str; 4] = [
    "__initoverlayfs_initcall_claim",
    "__initoverlayfs_initcall_mount",
    "__initoverlayfs_initcall_mount_late",
    "run_init_process",
];

/// Instructions of one function, called in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The part of the boot.
    pub phase: String,
    /// The functions, the outermost first.
    pub functions: Vec<String>,
    /// Instructions of the innermost.
    pub count: u64,
}

/// All stacks. Displayed, they are in the format of flame graphs' tools: `phase;caller;callee count`.
#[derive(Clone, Debug)]
pub struct Stacks(Vec<Stack>);

impl Stacks {
    /// Reads the plugin's output, which is in the same format.
    pub fn parse(text: &str) -> Result<Self> {
        let parse = |line: &str| {
            let (stack, count) = line.rsplit_once(' ')?;
            let mut names = stack.split(';').map(str::to_owned);
            let phase = names.next()?;
            Some(Stack { phase, functions: names.collect(), count: count.parse().ok()? })
        };
        let stack = |line| parse(line).with_context(|| format!("the plugin wrote `{line}`"));
        Ok(Self(text.lines().map(stack).collect::<Result<_>>()?))
    }

    /// Returns the instructions of a part of the boot.
    pub fn total(&self, phase: &str) -> u64 {
        self.of(phase).map(|(_, count)| count).sum()
    }

    /// Returns a part of the boot: the functions from its first on, if that is what called them, and the
    /// instructions of the innermost.
    pub fn of<'a>(&'a self, phase: &'a str) -> impl Iterator<Item = (&'a [String], u64)> + 'a {
        self.0.iter().filter(move |stack| stack.phase == phase).map(|stack| {
            let begins = |name: &String| BEGINNINGS.contains(&name.as_str());
            let first = stack.functions.iter().position(begins).unwrap_or(0);
            (stack.functions.get(first..).unwrap_or_default(), stack.count)
        })
    }

    /// All of the boot that was counted, whatever its part.
    pub fn all(&self) -> impl Iterator<Item = (&[String], u64)> + '_ {
        self.0.iter().map(|stack| (stack.functions.as_slice(), stack.count))
    }
}

impl fmt::Display for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Stack { phase, functions, count } in &self.0 {
            write!(f, "{phase}")?;
            functions.iter().try_for_each(|function| write!(f, ";{function}"))?;
            writeln!(f, " {count}")?;
        }
        Ok(())
    }
}
