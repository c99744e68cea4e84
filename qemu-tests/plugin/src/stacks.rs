// SPDX-License-Identifier: GPL-2.0-only
//! Who has called whom, followed by the stack pointer.
//!
//! When a function begins, the stack pointer shows where its return address lies. It runs, or waits for
//! what it called, as long as the stack pointer is not above that. A function that begins with the same
//! stack pointer as the one before has been jumped to, at the other's end.
//!
//! Some machines have the return address in a register. A function has then returned, with those that jumped to
//! it, when the guest is at that address and the stack pointer is what it was when the function began.
//!
//! Each task has a stack of its own, and so have interrupts: they are told apart by their addresses.

use std::collections::HashMap;
use std::mem;

use crate::symbols::{
    Function, Kind, Place, Symbols, FIRMWARE, INTERRUPT, OTHER_TASK, PROCESS, UNKNOWN,
};
use crate::tree::{Node, Tree, ROOT};

/// A stack, by its address in units of its size.
type Region = u64;

/// The registers by which calls are followed.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// The stack pointer.
    pub pointer: u64,
    /// The return address when a function begins, on machines that have it in a register.
    pub link: Option<u64>,
}

/// A function that has begun, and not returned.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: Node,
    function: Function,
    /// The stack pointer when it began, or when it was first seen.
    pointer: u64,
    /// Where it returns to, if a register has said so.
    back: Option<u64>,
}

/// One stack.
#[derive(Debug)]
struct Stack {
    /// What its outermost function hangs below.
    base: Node,
    /// The functions, the outermost first: no stack pointer is above the one before.
    frames: Vec<Frame>,
}

/// All stacks, and the tree of all that was ever on them.
#[derive(Debug)]
pub struct Stacks {
    /// The tree.
    pub tree: Tree,
    /// Stacks have this size, in bits of the address, and start at multiples of it.
    size_bits: u32,
    stacks: HashMap<Region, Stack>,
    /// The stack of PID 1.
    first: Region,
    /// The running task's stack, and those that its interrupts changed to, the current one last.
    nested: Vec<Region>,
    /// Set if the kernel was entered from a process, until it is known why.
    is_process: bool,
}

impl Stacks {
    /// Begins to follow PID 1, whose stack pointer this is. Stacks have this size, in bits of the address.
    pub fn new(pointer: u64, size_bits: u32) -> Self {
        let first = region(pointer, size_bits);
        let stacks = HashMap::from([(first, Stack::new(ROOT))]);
        let tree = Tree::default();
        Self { tree, size_bits, stacks, first, nested: vec![first], is_process: false }
    }

    /// Returns whether this is an address on the stack of PID 1.
    pub fn is_first(&self, pointer: u64) -> bool {
        region(pointer, self.size_bits) == self.first
    }

    /// Returns whether PID 1 runs, or waits for, a function that began with this stack pointer.
    pub fn is_within(&self, function: Function, pointer: u64) -> bool {
        let is_it = |frame: &Frame| frame.function == function && frame.pointer == pointer;
        self.stacks.get(&self.first).is_some_and(|stack| stack.frames.iter().any(is_it))
    }

    /// Takes note of where the guest is now, and returns the node for it, unless that is still to be seen.
    pub fn step(&mut self, symbols: &Symbols, place: Place, registers: Registers) -> Option<Node> {
        if matches!(place.function, UNKNOWN | FIRMWARE) {
            return Some(self.tree.child(ROOT, place.function));
        }
        let kind = symbols.kind(place.function);
        if kind == Kind::Vector {
            if place.is_entry() {
                // The kernel's half of the addresses is the upper one.
                self.is_process = registers.pointer >> (u64::BITS - 1) == 0;
            }
            return None;
        }
        let region = region(registers.pointer, self.size_bits);
        if place.is_entry() && self.has_interrupted_process(kind) {
            self.nested = vec![region];
            self.begin_anew(kind);
        } else if self.nested.last() != Some(&region) {
            self.change(symbols, place, region);
        }
        let node = match self.stacks.get_mut(&region) {
            Some(stack) => stack.step(symbols, &mut self.tree, place, registers),
            None => ROOT,
        };
        Some(node)
    }

    /// Returns whether this entry is that from a process.
    fn has_interrupted_process(&mut self, kind: Kind) -> bool {
        match kind {
            Kind::ProcessInterrupt | Kind::ProcessException => true,
            Kind::Interrupt | Kind::Exception => mem::take(&mut self.is_process),
            _ => false,
        }
    }

    /// The current stacks begin with an entry from a process, which leaves none of the kernel's functions waiting.
    fn begin_anew(&mut self, kind: Kind) {
        let is_interrupt = matches!(kind, Kind::Interrupt | Kind::ProcessInterrupt);
        let base = self.tree.child(ROOT, if is_interrupt { INTERRUPT } else { PROCESS });
        for region in &self.nested {
            self.stacks.insert(*region, Stack::new(base));
        }
    }

    /// The stack pointer has gone to another stack.
    fn change(&mut self, symbols: &Symbols, place: Place, region: Region) {
        let last = self.nested.last().and_then(|last| self.stacks.get(last));
        let last = last.and_then(|stack| stack.frames.last()).copied();
        let kind = symbols.kind(place.function);
        if last.is_some_and(|frame| symbols.kind(frame.function) == Kind::Switch) {
            self.nested = vec![region];
            let base = self.tree.child(ROOT, OTHER_TASK);
            self.stacks.entry(region).or_insert_with(|| Stack::new(base));
        } else if place.is_entry() && matches!(kind, Kind::Interrupt | Kind::Exception) {
            // From a process: the kernel changes to the task's stack soon. (Some exceptions have a stack
            // of their own in any case, but they are for debuggers and broken machines.)
            self.nested.truncate(1);
            self.nested.push(region);
            self.begin_anew(kind);
        } else if let Some(depth) = self.nested.iter().position(|nested| *nested == region) {
            self.nested.truncate(depth + 1);
        } else {
            // The task, or the interrupt in it, goes on elsewhere.
            self.nested.push(region);
            self.stacks.insert(region, Stack::new(last.map_or(ROOT, |frame| frame.node)));
        }
    }
}

/// Returns the stack of a stack pointer, which is at the stack's end if nothing is on it.
fn region(pointer: u64, size_bits: u32) -> Region {
    pointer.wrapping_sub(1) >> size_bits
}

impl Stack {
    fn new(base: Node) -> Self {
        Self { base, frames: Vec::new() }
    }

    /// Takes note of where the guest is now, on this stack, and returns the node for it.
    fn step(
        &mut self,
        symbols: &Symbols,
        tree: &mut Tree,
        place: Place,
        registers: Registers,
    ) -> Node {
        let Registers { pointer, link } = registers;
        while self.frames.last().is_some_and(|top| pointer > top.pointer) {
            self.frames.pop();
        }
        if !place.is_entry() {
            let here = Some(symbols.address(place));
            let returns = |frame: &Frame| frame.pointer == pointer && frame.back == here;
            if let Some(depth) = self.frames.iter().position(returns) {
                self.frames.truncate(depth);
            }
            // Usually the innermost; else what is within it has returned and left something behind.
            let goes_on = |frame: &Frame| frame.function == place.function;
            if let Some(depth) = self.frames.iter().rposition(goes_on) {
                self.frames.truncate(depth + 1);
                return self.frames.get(depth).map_or(self.base, |frame| frame.node);
            }
            // It was not seen beginning, so what is above it was called by it, and has returned.
            while link.is_some() && self.frames.last().is_some_and(|top| pointer == top.pointer) {
                self.frames.pop();
            }
            // The function that has changed to this stack is about to change back.
            if link.is_some()
                && self.frames.is_empty()
                && tree.function(self.base) == place.function
            {
                return self.base;
            }
        }
        let back = link.filter(|_| place.is_entry());
        self.begin(symbols, tree, place.function, pointer, back)
    }

    /// Notes that a function has begun, or goes on that was not seen beginning.
    fn begin(
        &mut self,
        symbols: &Symbols,
        tree: &mut Tree,
        function: Function,
        pointer: u64,
        back: Option<u64>,
    ) -> Node {
        // Functions that jump to each other in turn do not get deeper.
        let again = |frame: &Frame| frame.pointer == pointer && frame.function == function;
        if let Some(depth) = self.frames.iter().position(again) {
            self.frames.truncate(depth);
        }
        let is_no_caller = |frame: &Frame| match symbols.kind(frame.function) {
            Kind::Thunk => frame.pointer == pointer,
            // A new task, which begins by a return.
            Kind::Switch => frame.pointer == pointer && back.is_some(),
            _ => false,
        };
        if self.frames.last().is_some_and(is_no_caller) {
            self.frames.pop();
        }
        let parent = match symbols.kind(function) {
            Kind::Interrupt => tree.child(ROOT, INTERRUPT),
            _ => self.frames.last().map_or(self.base, |top| top.node),
        };
        let node = tree.child(parent, function);
        self.frames.push(Frame { node, function, pointer, back });
        node
    }
}

#[cfg(test)]
mod tests;
