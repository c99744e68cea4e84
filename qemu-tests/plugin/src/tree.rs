// SPDX-License-Identifier: GPL-2.0-only
//! The call tree: who was called by whom, and how many instructions that took.

use std::collections::HashMap;

use crate::phases::Phase;
use crate::symbols::{Function, UNKNOWN};

/// A function called from one stack of callers, as an index into the tree.
pub type Node = usize;

/// What has no caller.
pub const ROOT: Node = 0;

/// The tree.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Entry>,
    children: HashMap<(Node, Function), Node>,
}

/// A node.
#[derive(Debug, Default)]
struct Entry {
    parent: Node,
    function: Function,
    /// Instructions of its own, not those of what it called.
    counts: [u64; Phase::ALL.len()],
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Entry::default()], children: HashMap::new() }
    }
}

impl Tree {
    /// Returns the node of `function` called from `parent`.
    pub fn child(&mut self, parent: Node, function: Function) -> Node {
        let nodes = &mut self.nodes;
        *self.children.entry((parent, function)).or_insert_with(|| {
            nodes.push(Entry { parent, function, ..Entry::default() });
            nodes.len() - 1
        })
    }

    /// Returns the function of a node.
    pub fn function(&self, node: Node) -> Function {
        self.nodes.get(node).map_or(UNKNOWN, |entry| entry.function)
    }

    /// Adds instructions to a node's own.
    pub fn add(&mut self, node: Node, phase: Phase, instructions: u64) {
        if let Some(entry) = self.nodes.get_mut(node) {
            entry.counts[phase as usize] += instructions;
        }
    }

    /// All nodes that have instructions of their own: the phase, the functions from the outermost to
    /// the innermost, the instructions.
    pub fn stacks(&self) -> impl Iterator<Item = (Phase, Vec<Function>, u64)> + '_ {
        self.nodes.iter().enumerate().flat_map(move |(node, entry)| {
            let counts = Phase::ALL.iter().zip(entry.counts);
            let counts = counts.filter(|(_, count)| *count > 0);
            counts.map(move |(phase, count)| (*phase, self.path(node), count))
        })
    }

    /// Returns the functions from the outermost to this node's.
    fn path(&self, mut node: Node) -> Vec<Function> {
        let mut path = Vec::new();
        while node != ROOT {
            let Some(entry) = self.nodes.get(node) else { break };
            path.push(entry.function);
            node = entry.parent;
        }
        path.reverse();
        path
    }
}
