// SPDX-License-Identifier: GPL-2.0-only
//! Who has called whom, followed by the stack pointer.
//!
//! When a function begins, the stack pointer shows where its return address lies. It runs, or waits for
//! what it called, as long as the stack pointer is not above that. A function that begins with the same
//! stack pointer as the one before has been jumped to, at the other's end.
//!
//! Each task has a stack of its own, and so have interrupts: they are told apart by their addresses.

use std::collections::HashMap;

use crate::symbols::{Function, Kind, Place, Symbols, INTERRUPT, OTHER_TASK, PROCESS, UNKNOWN};
use crate::tree::{Node, Tree, ROOT};

/// Stacks have this size, in bits of the address, and start at multiples of it: x86_64's `THREAD_SIZE`
/// and `IRQ_STACK_SIZE` without KASAN.
const STACK_BITS: u32 = 14;

/// A stack, by its address in units of its size.
type Region = u64;

/// A function that has begun, and not returned.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: Node,
    function: Function,
    /// The stack pointer when it began, or when it was first seen.
    pointer: u64,
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
    stacks: HashMap<Region, Stack>,
    /// The stack of PID 1.
    first: Region,
    /// The running task's stack, and those that its interrupts changed to, the current one last.
    nested: Vec<Region>,
}

impl Stacks {
    /// Begins to follow PID 1, whose stack pointer this is.
    pub fn new(pointer: u64) -> Self {
        let first = pointer >> STACK_BITS;
        let stacks = HashMap::from([(first, Stack::new(ROOT))]);
        Self { tree: Tree::default(), stacks, first, nested: vec![first] }
    }

    /// Returns whether this is an address on the stack of PID 1.
    pub fn is_first(&self, pointer: u64) -> bool {
        pointer >> STACK_BITS == self.first
    }

    /// Takes note of where the guest is now, and returns the node for it.
    pub fn step(&mut self, symbols: &Symbols, place: Place, pointer: u64) -> Node {
        if place.function == UNKNOWN {
            return self.tree.child(ROOT, UNKNOWN);
        }
        let region = pointer >> STACK_BITS;
        if self.nested.last() != Some(&region) {
            self.change(symbols, place, region);
        }
        match self.stacks.get_mut(&region) {
            Some(stack) => stack.step(symbols, &mut self.tree, place, pointer),
            None => ROOT,
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
        } else if place.is_entry && matches!(kind, Kind::Interrupt | Kind::Exception) {
            // From a process, which leaves none of the kernel's functions waiting: the kernel changes to
            // the task's stack soon. (Some exceptions have a stack of their own in any case, but they
            // are for debuggers and broken machines.)
            let cause = if kind == Kind::Interrupt { INTERRUPT } else { PROCESS };
            let base = self.tree.child(ROOT, cause);
            self.nested.truncate(1);
            self.nested.push(region);
            for region in &self.nested {
                self.stacks.insert(*region, Stack::new(base));
            }
        } else if let Some(depth) = self.nested.iter().position(|nested| *nested == region) {
            self.nested.truncate(depth + 1);
        } else {
            // The task, or the interrupt in it, goes on elsewhere.
            self.nested.push(region);
            self.stacks.insert(region, Stack::new(last.map_or(ROOT, |frame| frame.node)));
        }
    }
}

impl Stack {
    fn new(base: Node) -> Self {
        Self { base, frames: Vec::new() }
    }

    /// Takes note of where the guest is now, on this stack, and returns the node for it.
    fn step(&mut self, symbols: &Symbols, tree: &mut Tree, place: Place, pointer: u64) -> Node {
        while self.frames.last().is_some_and(|top| pointer > top.pointer) {
            self.frames.pop();
        }
        if !place.is_entry {
            // Usually the innermost; else what is within it has returned and left something behind.
            let goes_on = |frame: &Frame| frame.function == place.function;
            if let Some(depth) = self.frames.iter().rposition(goes_on) {
                self.frames.truncate(depth + 1);
                return self.frames.get(depth).map_or(self.base, |frame| frame.node);
            }
        }
        self.begin(symbols, tree, place.function, pointer)
    }

    /// Notes that a function has begun, or goes on that was not seen beginning.
    fn begin(
        &mut self,
        symbols: &Symbols,
        tree: &mut Tree,
        function: Function,
        pointer: u64,
    ) -> Node {
        // Functions that jump to each other in turn do not get deeper.
        let again = |frame: &Frame| frame.pointer == pointer && frame.function == function;
        if let Some(depth) = self.frames.iter().position(again) {
            self.frames.truncate(depth);
        }
        let is_thunk =
            |frame: &Frame| frame.pointer == pointer && symbols.kind(frame.function) == Kind::Thunk;
        if self.frames.last().is_some_and(is_thunk) {
            self.frames.pop();
        }
        let parent = match symbols.kind(function) {
            Kind::Interrupt => tree.child(ROOT, INTERRUPT),
            _ => self.frames.last().map_or(self.base, |top| top.node),
        };
        let node = tree.child(parent, function);
        self.frames.push(Frame { node, function, pointer });
        node
    }
}

#[cfg(test)]
mod tests;
