// SPDX-License-Identifier: GPL-2.0-only

use super::*;
use crate::machine::Machine;
use crate::phases::Phase;

/// The functions of the tests, each 0x100 bytes long, from 0x1000 on.
const NAMES: [&str; 17] = [
    "alpha",
    "beta",
    "gamma",
    "__switch_to_asm",
    "asm_sysvec_timer",
    "asm_exc_page_fault",
    "__x86_indirect_thunk_rax",
    "worker",
    "error_entry",
    "vectors",
    "el1h_64_irq",
    "el1h_64_sync",
    "el0t_64_sync",
    "ret_to_kernel",
    "cpu_switch_to",
    "handle_exception",
    "do_page_fault",
];
/// The size of their stacks.
const SIZE_BITS: u32 = 14;
/// A place on the stack of PID 1, far from its ends.
const SP: u64 = 0x8000_0000_0008_2000;
/// The same of another stack.
const ELSEWHERE: u64 = 0x8000_0000_0009_2000;
/// The end of that.
const END: u64 = 0x8000_0000_0009_4000;
/// A place on a process's stack.
const IN_PROCESS: u64 = 0x7_2000;

/// A place, as the tests write it: a function's name, with `+` and a number behind it if it goes on there.
fn place(symbols: &Symbols, name: &str) -> Place {
    let (name, offset) = name.split_once('+').unwrap_or((name, "0"));
    let function = symbols.find(name).expect("it is one of the names");
    Place { function, offset: offset.parse().unwrap_or(1) }
}

/// Follows a boot in steps of a place, a stack pointer, and if the machine has that, a place to return to; one
/// instruction each. Returns the stacks.
fn follow_on(machine: &str, steps: &[(&str, u64, Option<&str>)]) -> Vec<String> {
    let machine = Machine::find(machine).expect("it is one of the machines");
    let lines: String =
        (1..).zip(NAMES).map(|(n, name)| format!("{:x} {name}\n", 0x1000 + n * 0x100)).collect();
    let symbols = Symbols::parse(&lines, machine.kind).expect("they are in order");
    let mut stacks = Stacks::new(SP, SIZE_BITS);
    for (at, pointer, back) in steps {
        let link = back.map(|back| symbols.address(place(&symbols, back)));
        let registers = Registers { pointer: *pointer, link };
        if let Some(node) = stacks.step(&symbols, place(&symbols, at), registers) {
            stacks.tree.add(node, Phase::Mount, 1);
        }
    }
    let line = |(_, path, count): (Phase, Vec<Function>, u64)| {
        let names: Vec<_> = path.iter().map(|function| symbols.name(*function)).collect();
        format!("{} {count}", names.join(";"))
    };
    stacks.tree.stacks().map(line).collect()
}

/// Follows a boot on x86_64.
fn follow(steps: &[(&str, u64)]) -> Vec<String> {
    let steps: Vec<_> = steps.iter().map(|(at, pointer)| (*at, *pointer, None)).collect();
    follow_on("x86_64", &steps)
}

/// Follows a boot on arm64. Where a step says no return address, the register has an old one.
fn follow_arm64(steps: &[(&str, u64, &'static str)]) -> Vec<String> {
    let old = |back: &&'static str| if back.is_empty() { "worker+99" } else { *back };
    let steps: Vec<_> =
        steps.iter().map(|(at, pointer, back)| (*at, *pointer, Some(old(back)))).collect();
    follow_on("aarch64", &steps)
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

#[test]
fn a_stack_pointer_at_the_end_is_on_the_stack() {
    let steps = [("alpha", SP), ("beta", END), ("beta+", END - 64), ("gamma", END - 72)];
    assert_eq!(follow(&steps), ["alpha 1", "alpha;beta 2", "alpha;beta;gamma 1"]);
}

#[test]
fn links_of_calls_and_jumps() {
    let steps = [
        ("alpha", SP, "worker+8"),
        // It has made its frame.
        ("beta", SP - 32, "alpha+8"),
        // Jumped to by beta, at its end; returns for both.
        ("gamma", SP - 32, "alpha+8"),
        ("beta", SP - 48, "gamma+8"),
        ("gamma+8", SP - 48, ""),
        ("alpha+8", SP - 32, ""),
        ("gamma", SP - 32, "alpha+16"),
        ("alpha+16", SP - 32, ""),
    ];
    let expected = [
        "alpha 3",
        "alpha;beta 1",
        "alpha;beta;gamma 2",
        "alpha;beta;gamma;beta 1",
        "alpha;gamma 1",
    ];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn links_of_recursion() {
    let steps = [
        ("alpha", SP, "worker+8"),
        ("alpha", SP - 32, "alpha+8"),
        // Before it makes a frame.
        ("alpha+4", SP - 32, ""),
        ("beta", SP - 64, "alpha+16"),
        ("alpha+16", SP - 64, ""),
        // After it has given its frame back, then returned.
        ("alpha+32", SP - 32, ""),
        ("alpha+8", SP - 32, ""),
        ("gamma", SP - 32, "alpha+24"),
        ("alpha+24", SP - 32, ""),
    ];
    let expected = ["alpha 3", "alpha;alpha 4", "alpha;alpha;beta 1", "alpha;gamma 1"];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn links_to_what_was_not_seen() {
    let steps = [
        ("alpha+4", SP - 96, ""),
        ("beta", SP - 96, "alpha+8"),
        ("alpha+8", SP - 96, ""),
        // It has called alpha, and begun with another stack pointer than that.
        ("gamma+8", SP - 64, ""),
        ("beta", SP - 64, "gamma+16"),
        ("gamma+16", SP - 64, ""),
        ("worker+8", SP - 64, ""),
    ];
    let expected = ["alpha 2", "alpha;beta 1", "gamma 2", "gamma;beta 1", "worker 1"];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn links_of_interrupts_and_exceptions() {
    let steps = [
        ("alpha", SP, "worker+8"),
        ("vectors+640", SP - 336, ""),
        // It uses the stack pointer for something else.
        ("vectors+660", IN_PROCESS, ""),
        ("el1h_64_irq", SP - 336, ""),
        ("beta", SP - 336, "el1h_64_irq+8"),
        // On the interrupts' stack, from its end.
        ("gamma", END, "beta+8"),
        ("gamma+4", END - 32, ""),
        ("beta+8", END, ""),
        ("el1h_64_irq+8", SP - 336, ""),
        ("ret_to_kernel", SP - 336, ""),
        ("alpha+4", SP, ""),
        ("vectors+512", SP - 336, ""),
        ("el1h_64_sync", SP - 336, ""),
        ("beta", SP - 336, "el1h_64_sync+8"),
        ("el1h_64_sync+8", SP - 336, ""),
        ("ret_to_kernel", SP - 336, ""),
        ("alpha+4", SP, ""),
    ];
    let expected = [
        "alpha 3",
        "[interrupt];el1h_64_irq 2",
        "[interrupt];el1h_64_irq;beta 2",
        "[interrupt];el1h_64_irq;beta;gamma 2",
        "[interrupt];el1h_64_irq;ret_to_kernel 1",
        "alpha;el1h_64_sync 2",
        "alpha;el1h_64_sync;beta 1",
        "alpha;el1h_64_sync;ret_to_kernel 1",
    ];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn links_of_a_fault_of_a_process() {
    let steps = [
        ("alpha", SP, "worker+8"),
        ("beta", SP - 32, "alpha+8"),
        // The process has left the stack empty.
        ("vectors+1024", SP, ""),
        ("el0t_64_sync", SP - 64, ""),
        ("gamma", SP - 64, "el0t_64_sync+8"),
    ];
    let expected = [
        "alpha 1",
        "alpha;beta 1",
        "[/init faults];el0t_64_sync 1",
        "[/init faults];el0t_64_sync;gamma 1",
    ];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn links_of_other_tasks() {
    let steps = [
        ("alpha", SP, "worker+8"),
        ("cpu_switch_to", SP - 32, "alpha+8"),
        // A new one.
        ("cpu_switch_to+8", ELSEWHERE, ""),
        ("worker", ELSEWHERE, "worker"),
        ("beta", ELSEWHERE, "worker+8"),
        ("worker+8", ELSEWHERE, ""),
        ("cpu_switch_to", ELSEWHERE - 32, "worker+16"),
        ("cpu_switch_to+8", SP - 32, ""),
        ("alpha+8", SP - 32, ""),
        ("beta", SP - 32, "alpha+16"),
    ];
    let expected = [
        "alpha 2",
        "alpha;cpu_switch_to 2",
        "[other task];cpu_switch_to 1",
        "[other task];worker 2",
        "[other task];worker;beta 1",
        "[other task];worker;cpu_switch_to 1",
        "alpha;beta 1",
    ];
    assert_eq!(follow_arm64(&steps), expected);
}

#[test]
fn one_entry_for_the_kernel_and_for_processes() {
    let link = Some("worker+99");
    let steps = [
        ("alpha", SP, Some("worker+8")),
        ("handle_exception", SP, link),
        ("do_page_fault", SP - 288, Some("handle_exception+8")),
        ("handle_exception+8", SP - 288, link),
        ("alpha+4", SP, link),
        ("handle_exception", IN_PROCESS, link),
        ("handle_exception+4", SP + 128, link),
        ("do_page_fault", SP + 128, Some("handle_exception+8")),
        ("beta", SP + 64, Some("do_page_fault+8")),
    ];
    let expected = [
        "alpha 2",
        "alpha;do_page_fault 1",
        "[/init faults];do_page_fault 1",
        "[/init faults];do_page_fault;beta 1",
    ];
    assert_eq!(follow_on("riscv64", &steps), expected);
}
