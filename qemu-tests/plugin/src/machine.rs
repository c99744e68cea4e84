// SPDX-License-Identifier: GPL-2.0-only
//! The machines whose calls can be followed, and what each has of its own.
//!
//! The names are those of `arch/*/kernel/entry.S` and, for x86, `arch/x86/entry/`.

use std::ffi::CStr;
use std::ops::Range;

use crate::symbols::Kind;

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// QEMU's name for it.
    name: &'static str,
    /// The stack pointer's name.
    pub stack_pointer: &'static CStr,
    /// The name of the register in which a call leaves its return address, unless that is on the stack.
    pub link: Option<&'static CStr>,
    /// Tells a function's kind by its name.
    pub kind: fn(&str) -> Kind,
    /// Where QEMU puts firmware that the kernel calls: no process has code there.
    pub firmware: Range<u64>,
}

/// All of them.
static MACHINES: [Machine; 3] = [
    Machine { name: "x86_64", stack_pointer: c"rsp", link: None, kind: x86_64, firmware: 0..0 },
    Machine {
        name: "aarch64",
        stack_pointer: c"sp",
        link: Some(c"x30"),
        kind: arm64,
        firmware: 0..0,
    },
    Machine {
        name: "riscv64",
        stack_pointer: c"sp",
        link: Some(c"ra"),
        kind: riscv64,
        // OpenSBI, at the start of the memory; the kernel follows it.
        firmware: 0x8000_0000..0x8020_0000,
    },
];

impl Machine {
    /// Returns the machine that QEMU calls by this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        MACHINES.iter().find(|machine| machine.name == name)
    }
}

fn x86_64(name: &str) -> Kind {
    match name {
        "__switch_to_asm" => Kind::Switch,
        "asm_common_interrupt" | "asm_spurious_interrupt" | "asm_exc_nmi" => Kind::Interrupt,
        _ if name.starts_with("asm_sysvec_") => Kind::Interrupt,
        _ if name.starts_with("asm_exc_") => Kind::Exception,
        _ if name.starts_with("__x86_") && name.contains("_thunk") => Kind::Thunk,
        _ => Kind::Ordinary,
    }
}

/// The vectors add another register to the stack pointer and take it away again, to test for an overflow.
fn arm64(name: &str) -> Kind {
    match name {
        "cpu_switch_to" => Kind::Switch,
        "vectors" | "__bp_harden_el1_vectors" => Kind::Vector,
        "el1h_64_irq" | "el1h_64_fiq" => Kind::Interrupt,
        "el1h_64_sync" | "el1h_64_error" => Kind::Exception,
        "el0t_64_irq" | "el0t_64_fiq" | "el0t_32_irq" | "el0t_32_fiq" => Kind::ProcessInterrupt,
        "el0t_64_sync" | "el0t_64_error" | "el0t_32_sync" | "el0t_32_error" => {
            Kind::ProcessException
        }
        _ => Kind::Ordinary,
    }
}

/// Everything enters at `handle_exception`, with the stack pointer of whoever was interrupted.
fn riscv64(name: &str) -> Kind {
    match name {
        "__switch_to" => Kind::Switch,
        "handle_exception" => Kind::Vector,
        "do_irq" => Kind::Interrupt,
        "do_page_fault" => Kind::Exception,
        _ if name.starts_with("do_trap_") => Kind::Exception,
        _ => Kind::Ordinary,
    }
}
