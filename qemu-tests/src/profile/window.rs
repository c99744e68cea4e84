// SPDX-License-Identifier: GPL-2.0-only
//! A part of the boot, summed up by function and by call.

use std::collections::{BTreeMap, BTreeSet};

/// A part of the boot.
#[derive(Debug, Default)]
pub struct Window {
    /// The instructions.
    pub total: u64,
    functions: BTreeMap<String, Function>,
    calls: BTreeMap<String, Call>,
}

/// What a function took, wherever it was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Instructions of its own.
    pub own: u64,
    /// The same with those of all that it called.
    pub inclusive: u64,
}

/// What a function took that was called in one way.
#[derive(Debug, Default)]
struct Call {
    inclusive: u64,
    calls: BTreeMap<String, Call>,
}

/// A line of the call tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// How many callers of it are lines above.
    pub depth: usize,
    /// The function's name.
    pub name: &'a str,
    /// The instructions, with those of all that it called.
    pub inclusive: u64,
}

impl Window {
    /// Sums up stacks: the functions, outermost first, and the instructions of the innermost.
    pub fn new<'a>(stacks: impl Iterator<Item = (&'a [String], u64)>) -> Self {
        let mut window = Self::default();
        for (functions, count) in stacks {
            window.total += count;
            let Some(innermost) = functions.last() else { continue };
            window.functions.entry(innermost.clone()).or_default().own += count;
            // Recursion counts once.
            for function in functions.iter().collect::<BTreeSet<_>>() {
                window.functions.entry(function.clone()).or_default().inclusive += count;
            }
            let mut calls = &mut window.calls;
            for function in functions {
                let call = calls.entry(function.clone()).or_default();
                call.inclusive += count;
                calls = &mut call.calls;
            }
        }
        window
    }

    /// Returns the functions by their own instructions, most first.
    pub fn functions(&self) -> Vec<(&str, Function)> {
        let mut all: Vec<_> = self.functions.iter().map(|(name, f)| (name.as_str(), *f)).collect();
        all.sort_by_key(|(_, function)| std::cmp::Reverse(function.own));
        all
    }

    /// Returns the call tree as far as its branches have `least` instructions.
    pub fn tree(&self, least: u64) -> Vec<Line<'_>> {
        let mut lines = Vec::new();
        list(&self.calls, 0, least, &mut lines);
        lines
    }
}

/// Lists calls, each with what it called, most instructions first.
fn list<'a>(
    calls: &'a BTreeMap<String, Call>,
    depth: usize,
    least: u64,
    lines: &mut Vec<Line<'a>>,
) {
    let mut calls: Vec<_> = calls.iter().filter(|(_, call)| call.inclusive >= least).collect();
    calls.sort_by_key(|(_, call)| std::cmp::Reverse(call.inclusive));
    for (name, call) in calls {
        lines.push(Line { depth, name, inclusive: call.inclusive });
        list(&call.calls, depth + 1, least, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stacks::Stacks;
    use super::*;

    const TEXT: &str = "\
        mount;kernel_init;__initoverlayfs_initcall_mount 1\n\
        mount;kernel_init;__initoverlayfs_initcall_mount;walk 20\n\
        mount;kernel_init;__initoverlayfs_initcall_mount;walk;walk 300\n\
        mount;[interrupt];walk 4000\n\
        start;kernel_init;run_init_process;walk 50000\n";

    #[test]
    fn sums() {
        let stacks = Stacks::parse(TEXT).expect("it is well-formed");
        let window = Window::new(stacks.of("mount"));
        assert_eq!(window.total, 4321);
        let expected = [
            ("walk", Function { own: 4320, inclusive: 4320 }),
            ("__initoverlayfs_initcall_mount", Function { own: 1, inclusive: 321 }),
            ("[interrupt]", Function { own: 0, inclusive: 4000 }),
        ];
        assert_eq!(window.functions(), expected);
        let line = |depth, name, inclusive| Line { depth, name, inclusive };
        let expected = [
            line(0, "[interrupt]", 4000),
            line(1, "walk", 4000),
            line(0, "__initoverlayfs_initcall_mount", 321),
            line(1, "walk", 320),
        ];
        assert_eq!(window.tree(301), expected);
        assert_eq!(Window::new(stacks.all()).total, 54321);
        assert_eq!(stacks.to_string(), TEXT);
    }
}
