// SPDX-License-Identifier: GPL-2.0-only
//! From blocks of code that run to lines of output.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::phases::{Beginnings, Phase};
use crate::stacks::Stacks;
use crate::symbols::{Place, Symbols, UNKNOWN};
use crate::tree::{Node, ROOT};

/// Counts one boot.
#[derive(Debug)]
pub struct Profiler {
    symbols: Symbols,
    beginnings: Beginnings,
    output: PathBuf,
    /// Nothing before that.
    course: Option<Course>,
}

/// A boot between the component's first instruction and `/init`'s.
#[derive(Debug)]
struct Course {
    stacks: Stacks,
    phase: Phase,
    /// The phase ends when PID 1's stack pointer is above this.
    end: u64,
    /// Where the guest is.
    node: Node,
    /// The instructions until then.
    count: u64,
}

impl Profiler {
    /// Prepares to count; an error says what is wrong with the arguments, `key=value` each.
    pub fn new<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let (mut symbols, mut output) = (None, None);
        for argument in arguments {
            match argument.split_once('=') {
                Some(("symbols", path)) => symbols = Some(path),
                Some(("output", path)) => output = Some(PathBuf::from(path)),
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        let path = symbols.ok_or("the argument symbols= is missing")?;
        let output = output.ok_or("the argument output= is missing")?;
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let symbols = Symbols::parse(&text).ok_or_else(|| format!("{path} is malformed"))?;
        let beginnings =
            Beginnings::find(&symbols).ok_or("the kernel lacks a function that begins a phase")?;
        Ok(Self { symbols, beginnings, output, course: None })
    }

    /// Returns what is at an address.
    pub fn place(&self, address: u64) -> Place {
        self.symbols.place(address)
    }

    /// Notes that the guest is about to run code at `place`, with this stack pointer, after `count` instructions. When
    /// that is `/init`'s first, the output is written, and the answer is yes.
    pub fn step(
        &mut self,
        place: Place,
        mut pointer: impl FnMut() -> u64,
        count: u64,
    ) -> io::Result<bool> {
        let begins = || place.is_entry.then(|| self.beginnings.of(place.function)).flatten();
        let course = match &mut self.course {
            Some(course) => course,
            None if begins() == Some(Phase::Claim) => {
                self.course.insert(Course::new(pointer(), count))
            }
            None => return Ok(false),
        };
        course.step(&self.symbols, place, begins(), pointer(), count);
        let is_over = course.phase == Phase::Start && place.function == UNKNOWN;
        if is_over {
            fs::write(&self.output, course.text(&self.symbols))?;
        }
        Ok(is_over)
    }
}

impl Course {
    fn new(pointer: u64, count: u64) -> Self {
        Self {
            stacks: Stacks::new(pointer),
            phase: Phase::Between,
            end: u64::MAX,
            node: ROOT,
            count,
        }
    }

    fn step(
        &mut self,
        symbols: &Symbols,
        place: Place,
        begins: Option<Phase>,
        pointer: u64,
        count: u64,
    ) {
        self.stacks.tree.add(self.node, self.phase, count - self.count);
        self.count = count;
        self.node = self.stacks.step(symbols, place, pointer);
        if place.function == UNKNOWN || !self.stacks.is_first(pointer) {
            return;
        }
        if pointer > self.end {
            self.phase = Phase::Between;
            self.end = u64::MAX;
        }
        if let Some(phase) = begins {
            self.phase = phase;
            // The kernel returns to `/init` by a way of its own.
            self.end = if phase == Phase::Start { u64::MAX } else { pointer };
        }
    }

    /// Returns the output.
    fn text(&self, symbols: &Symbols) -> String {
        let mut text = String::new();
        for (phase, stack, count) in self.stacks.tree.stacks() {
            text += phase.name();
            for function in stack {
                text.push(';');
                text += symbols.name(function);
            }
            text += &format!(" {count}\n");
        }
        text
    }
}
