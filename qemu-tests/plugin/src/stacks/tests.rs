// SPDX-License-Identifier: GPL-2.0-only

use super::*;
use crate::phases::Phase;

/// The functions of the tests, each 0x100 bytes long, from 0x1000 on.
const NAMES: [&str; 9] = [
    "alpha",
    "beta",
    "gamma",
    "__switch_to_asm",
    "asm_sysvec_timer",
    "asm_exc_page_fault",
    "__x86_indirect_thunk_rax",
    "worker",
    "error_entry",
];
/// A place on the stack of PID 1, far from its ends.
const SP: u64 = 0x8_2000;
/// The same of another stack.
const ELSEWHERE: u64 = 0x9_2000;

/// Follows a boot in steps of a name, with `+` behind it if it goes on, and a stack pointer; one instruction each.
/// Returns the stacks.
fn follow(steps: &[(&str, u64)]) -> Vec<String> {
    let lines: String =
        (1..).zip(NAMES).map(|(n, name)| format!("{:x} {name}\n", 0x1000 + n * 0x100)).collect();
    let symbols = Symbols::parse(&lines).expect("they are in order");
    let mut stacks = Stacks::new(SP);
    for (name, pointer) in steps {
        let function = symbols.find(name.trim_end_matches('+')).expect("it is one of the names");
        let place = Place { function, is_entry: !name.ends_with('+') };
        let node = stacks.step(&symbols, place, *pointer);
        stacks.tree.add(node, Phase::Mount, 1);
    }
    let line = |(_, path, count): (Phase, Vec<Function>, u64)| {
        let names: Vec<_> = path.iter().map(|function| symbols.name(*function)).collect();
        format!("{} {count}", names.join(";"))
    };
    stacks.tree.stacks().map(line).collect()
}

#[test]
fn calls_and_returns() {
    let steps = [
        ("alpha", SP),
        ("beta", SP - 8),
        ("beta+", SP - 64),
        ("gamma", SP - 72),
        ("beta+", SP - 64),
        ("alpha+", SP),
        ("gamma", SP - 8),
    ];
    let expected = ["alpha 2", "alpha;beta 3", "alpha;beta;gamma 1", "alpha;gamma 1"];
    assert_eq!(follow(&steps), expected);
}

#[test]
fn jumps_return_together() {
    let steps =
        [("alpha", SP), ("beta", SP - 8), ("gamma", SP - 8), ("beta", SP - 8), ("alpha+", SP)];
    assert_eq!(follow(&steps), ["alpha 2", "alpha;beta 2", "alpha;beta;gamma 1"]);
}

#[test]
fn thunks_are_not_callers() {
    let steps = [("alpha", SP), ("__x86_indirect_thunk_rax", SP - 8), ("beta", SP - 8)];
    assert_eq!(follow(&steps), ["alpha 1", "alpha;__x86_indirect_thunk_rax 1", "alpha;beta 1"]);
}

#[test]
fn an_interrupt_has_its_own_root_and_stack() {
    let steps = [
        ("alpha", SP),
        ("asm_sysvec_timer", SP - 48),
        ("beta", ELSEWHERE),
        ("asm_sysvec_timer+", SP - 48),
        ("alpha+", SP),
        ("asm_sysvec_timer", SP - 48),
        // The same stack again, from its start.
        ("gamma", ELSEWHERE),
    ];
    let expected = [
        "alpha 2",
        "[interrupt];asm_sysvec_timer 3",
        "[interrupt];asm_sysvec_timer;beta 1",
        "[interrupt];asm_sysvec_timer;gamma 1",
    ];
    assert_eq!(follow(&steps), expected);
}

#[test]
fn an_exception_belongs_to_what_caused_it() {
    let steps = [
        ("alpha", SP),
        ("asm_exc_page_fault", SP - 48),
        // It returns with the registers left on the stack.
        ("error_entry", SP - 56),
        ("asm_exc_page_fault+", SP - 180),
        ("beta", SP - 188),
        ("alpha+", SP),
    ];
    let expected = [
        "alpha 2",
        "alpha;asm_exc_page_fault 2",
        "alpha;asm_exc_page_fault;error_entry 1",
        "alpha;asm_exc_page_fault;beta 1",
    ];
    assert_eq!(follow(&steps), expected);
}

#[test]
fn a_fault_of_a_process_has_its_own_root() {
    let steps = [("alpha", SP), ("asm_exc_page_fault", ELSEWHERE), ("beta", SP - 64)];
    let expected = ["alpha 1", "[/init faults];asm_exc_page_fault 1", "[/init faults];beta 1"];
    assert_eq!(follow(&steps), expected);
}

#[test]
fn other_tasks_come_and_go() {
    let steps = [
        ("alpha", SP),
        ("__switch_to_asm", SP - 8),
        ("worker+", ELSEWHERE),
        ("__switch_to_asm", ELSEWHERE - 8),
        ("alpha+", SP),
        ("beta", SP - 8),
    ];
    let expected = [
        "alpha 2",
        "alpha;__switch_to_asm 1",
        "[other task];worker 1",
        "[other task];worker;__switch_to_asm 1",
        "alpha;beta 1",
    ];
    assert_eq!(follow(&steps), expected);
}
