// SPDX-License-Identifier: GPL-2.0-only
//! From blocks of code that run to lines of output.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::machine::Machine;
use crate::phases::{Beginnings, Phase};
use crate::stacks::{Registers, Stacks};
use crate::symbols::{Function, Place, Symbols, FIRMWARE, UNKNOWN};
use crate::tree::{Node, ROOT};

/// Called once in each exec, behind what can fail.
const EXEC: &str = "begin_new_exec";

/// A step of the guest, as far as it matters to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The component's first instruction is next: from here on, instructions are counted.
    First,
    /// The end is next, `/init`'s first instruction or an exec of it: the output is written.
    Last,
    /// Any other.
    Other,
}

/// Counts one boot.
#[derive(Debug)]
pub struct Profiler {
    machine: &'static Machine,
    symbols: Symbols,
    beginnings: Beginnings,
    output: PathBuf,
    /// The size of the guest's stacks.
    stack_bits: u32,
    /// The function in which a process becomes another program.
    exec: Function,
    /// The execs of PID 1 that are still to come; none if the first instruction of `/init` is the end.
    execs: u32,
    /// Nothing before that.
    course: Option<Course>,
}

/// A boot from the component's first instruction to the end.
#[derive(Debug)]
struct Course {
    stacks: Stacks,
    phase: Phase,
    /// The phase ends when PID 1 has returned from this function, which began with this stack pointer.
    within: Option<(Function, u64)>,
    /// Where the guest is, unless that is still to be seen.
    node: Option<Node>,
    /// The instructions until then.
    count: u64,
}

impl Profiler {
    /// Prepares to count; an error says what is wrong with the arguments, `key=value` each.
    pub fn new<'a>(
        machine: &'static Machine,
        arguments: impl Iterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let (mut symbols, mut output, mut stack_bits) = (None, None, None);
        let mut execs = 0;
        for argument in arguments {
            match argument.split_once('=') {
                Some(("symbols", path)) => symbols = Some(path),
                Some(("output", path)) => output = Some(PathBuf::from(path)),
                Some(("stack_bits", bits)) => stack_bits = bits.parse().ok(),
                Some(("execs", number)) => {
                    execs = number.parse().map_err(|error| format!("{argument}: {error}"))?;
                }
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        let path = symbols.ok_or("the argument symbols= is missing")?;
        let output = output.ok_or("the argument output= is missing")?;
        let stack_bits = stack_bits.filter(|bits| (12..u64::BITS).contains(bits));
        let stack_bits =
            stack_bits.ok_or("the argument stack_bits= is missing, or no number of bits")?;
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let symbols =
            Symbols::parse(&text, machine.kind).ok_or_else(|| format!("{path} is malformed"))?;
        let beginnings =
            Beginnings::find(&symbols).ok_or("the kernel lacks a function that begins a phase")?;
        let exec = symbols.find(EXEC).ok_or_else(|| format!("the kernel lacks {EXEC}"))?;
        Ok(Self { machine, symbols, beginnings, output, stack_bits, exec, execs, course: None })
    }

    /// Returns what is at an address.
    pub fn place(&self, address: u64) -> Place {
        if self.machine.firmware.contains(&address) {
            return Place { function: FIRMWARE, offset: u32::MAX };
        }
        self.symbols.place(address)
    }

    /// Notes that the guest is about to run code at `place`, with these registers, after `count` instructions.
    pub fn step(
        &mut self,
        place: Place,
        mut registers: impl FnMut() -> Registers,
        count: u64,
    ) -> io::Result<Step> {
        let begins = || place.is_entry().then(|| self.beginnings.of(place.function)).flatten();
        let has_begun = self.course.is_some();
        let course = match &mut self.course {
            Some(course) => course,
            None if begins() == Some(Phase::Claim) => {
                self.course.insert(Course::new(registers().pointer, self.stack_bits, count))
            }
            None => return Ok(Step::Other),
        };
        course.step(&self.symbols, place, begins(), registers(), count);
        let is_end = match course.phase {
            Phase::Start if place.function == UNKNOWN => {
                course.phase = Phase::Init;
                self.execs == 0
            }
            Phase::Init if place.is_entry() && place.function == self.exec => {
                self.execs -= u32::from(course.stacks.is_first(registers().pointer));
                self.execs == 0
            }
            _ => false,
        };
        if is_end {
            fs::write(&self.output, course.text(&self.symbols))?;
            return Ok(Step::Last);
        }
        Ok(if has_begun { Step::Other } else { Step::First })
    }
}

impl Course {
    fn new(pointer: u64, stack_bits: u32, count: u64) -> Self {
        Self {
            stacks: Stacks::new(pointer, stack_bits),
            phase: Phase::Between,
            within: None,
            node: Some(ROOT),
            count,
        }
    }

    fn step(
        &mut self,
        symbols: &Symbols,
        place: Place,
        begins: Option<Phase>,
        registers: Registers,
        count: u64,
    ) {
        let node = self.stacks.step(symbols, place, registers);
        // The way to what is not known yet counts as part of that.
        if let Some(node) = self.node.or(node) {
            self.stacks.tree.add(node, self.phase, count - self.count);
            self.count = count;
        }
        self.node = node;
        let is_first = node.is_some() && self.stacks.is_first(registers.pointer);
        if matches!(place.function, UNKNOWN | FIRMWARE) || !is_first {
            return;
        }
        if self.within.is_some_and(|(begun, at)| !self.stacks.is_within(begun, at)) {
            self.phase = Phase::Between;
            self.within = None;
        }
        if let Some(phase) = begins {
            self.phase = phase;
            // The kernel returns to `/init` by a way of its own.
            let ends = phase != Phase::Start;
            self.within = ends.then_some((place.function, registers.pointer));
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
