// SPDX-License-Identifier: GPL-2.0-only

//! The program: its start, and its end in `execve()`.

#![no_std]
#![no_main]
#![expect(
    unsafe_code,
    reason = "the arguments are pointers from the kernel, and so they are for execve()"
)]

use core::arch::global_asm;
use core::ffi::CStr;
use core::panic::PanicInfo;

use handover::arguments::{Arguments, Personality};
use handover::failure::{say, Failure};
use handover::{capabilities, console, root};
use rustix::io::Errno;
use rustix::thread::{nanosleep, Timespec};
use syscalls::{syscall, Sysno};

/// The most arguments that there may be, init's included.
const MOST_ARGUMENTS: usize = 128;

// The kernel starts a program here, with all that it passes on the stack and nothing to return to.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start: xor ebp, ebp", "mov rdi, rsp", "call {start}", start = sym start);
#[cfg(target_arch = "x86")]
global_asm!(
    ".globl _start",
    "_start: xor ebp, ebp",
    "mov eax, esp",
    "sub esp, 12",
    "push eax",
    "call {start}",
    start = sym start
);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start: mov x29, xzr", "mov x0, sp", "bl {start}", start = sym start);
#[cfg(target_arch = "arm")]
global_asm!(".globl _start", "_start: mov fp, #0", "mov r0, sp", "bl {start}", start = sym start);
#[cfg(target_arch = "riscv64")]
global_asm!(".globl _start", "_start: mv fp, zero", "mv a0, sp", "call {start}", start = sym start);

/// Finds the arguments and the environment, and runs.
///
/// # Safety
///
/// `stack` is the stack pointer that the kernel set: it points to the number of arguments, and the pointers to them
/// and to the environment follow, each list with a null pointer at its end.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: By this function's contract.
    let (argc, argv) = unsafe { (*stack, stack.add(1).cast::<*const u8>()) };
    // SAFETY: The environment follows the arguments and their null pointer.
    let envp = unsafe { argv.add(argc).add(1) };
    // SAFETY: Both are lists of strings, which live as long as the program.
    unsafe { run(argc, argv, envp) }
}

/// Switches to another root and to its init.
///
/// # Safety
///
/// `argv` points to `argc` strings and a null pointer, which live as long as the program; `envp` is such a list, too.
unsafe fn run(argc: usize, argv: *const *const u8, envp: *const *const u8) -> ! {
    let mut words = [c""; MOST_ARGUMENTS];
    let Some(words) = words.get_mut(..argc) else {
        say(b"there are more than 128 arguments");
        exit(1);
    };
    for (at, word) in words.iter_mut().enumerate() {
        // SAFETY: `at` is below `argc`, and each is a string that lives as long as the program.
        *word = unsafe { CStr::from_ptr((*argv.add(at)).cast()) };
    }
    let mut hangs = false;
    let done = Arguments::parse(words).and_then(|arguments| {
        hangs = arguments.hangs;
        prepare(&arguments)?;
        if arguments.is_dry_run {
            return Ok(());
        }
        let init = arguments.init();
        // SAFETY: The place of init among the arguments is below `argc`; from there on they are a list for init.
        let error = unsafe { execve(init, argv.add(arguments.init_at), envp) };
        Err(match error {
            // It was there before.
            Errno::NOENT => Failure::because(
                init.to_bytes(),
                "what starts it is missing: its interpreter",
            ),
            error => Failure::of(init, error),
        })
    });
    match done {
        Ok(()) => exit(0),
        Err(failure) => {
            failure.say();
            if hangs {
                hang();
            }
            exit(1)
        }
    }
}

/// Does all that comes before init.
fn prepare<'a>(arguments: &Arguments<'a>) -> Result<(), Failure<'a>> {
    root::check(arguments)?;
    if arguments.is_dry_run {
        return Ok(());
    }
    root::enter(arguments.new_root)?;
    if arguments.personality == Personality::SwitchRoot {
        root::move_mounts();
    }
    root::switch(arguments.new_root)?;
    capabilities::drop_all(arguments.dropped)?;
    if let Some(path) = arguments.console {
        console::open(path);
    }
    Ok(())
}

/// Executes a program in place of this one, and returns why that failed.
///
/// # Safety
///
/// Both lists are of pointers to strings, with a null pointer at the end.
unsafe fn execve(path: &CStr, argv: *const *const u8, envp: *const *const u8) -> Errno {
    // SAFETY: The kernel reads the three, which are as it expects them.
    let done = unsafe { syscall!(Sysno::execve, path.as_ptr(), argv, envp) };
    Errno::from_raw_os_error(done.err().map_or(0, |error| error.into_raw()))
}

fn hang() -> ! {
    loop {
        let _ = nanosleep(&Timespec {
            tv_sec: i32::MAX.into(),
            tv_nsec: 0,
        });
    }
}

fn exit(status: usize) -> ! {
    loop {
        // SAFETY: It takes no pointers, and does not return.
        let _ = unsafe { syscall!(Sysno::exit_group, status) };
    }
}

/// Ends the program after a mistake in itself.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    say(b"a mistake in the hand-over program: please report it");
    exit(1)
}
