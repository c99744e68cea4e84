// SPDX-License-Identifier: GPL-2.0-only
//! What QEMU calls.

mod interface;

use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::process;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use interface::{Block, Counter, Id, Info, Register};

use crate::machine::Machine;
use crate::profiler::{Profiler, Step};
use crate::stacks::Registers;
use crate::symbols::Place;

/// What the callbacks share.
struct Shared {
    id: Id,
    profiler: Profiler,
    counter: Counter,
    machine: &'static Machine,
    /// Set once there is a processor.
    stack_pointer: Option<Register>,
    /// Set once there is a processor, if the machine has one.
    link: Option<Register>,
}

static SHARED: OnceLock<Mutex<Shared>> = OnceLock::new();

/// Ends the emulator: what goes wrong in a callback has nobody else to go to.
fn give_up(problem: &str) -> ! {
    eprintln!("profile-plugin: {problem}");
    process::abort();
}

fn shared() -> MutexGuard<'static, Shared> {
    let Some(shared) = SHARED.get() else { give_up("it was called before it was installed") };
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs the plugin; anything but 0 makes QEMU refuse it.
///
/// # Safety
///
/// As QEMU calls it: `info` is valid, and `argv` has `argc` strings.
#[no_mangle]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    info: *const Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: See above.
    let (info, arguments) = unsafe {
        let argument = |index| CStr::from_ptr(*argv.add(index)).to_string_lossy();
        (&*info, (0..count).map(argument).collect::<Vec<_>>())
    };
    if let Err(problem) = install(id, info, arguments.iter().map(AsRef::as_ref)) {
        eprintln!("profile-plugin: {problem}");
        return 1;
    }
    0
}

fn install<'a>(
    id: Id,
    info: &Info,
    arguments: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    if !info.is_uniprocessor() {
        return Err("it wants a machine with one processor".to_owned());
    }
    // SAFETY: QEMU has passed it to `qemu_plugin_install()`, whose arguments these are.
    let name = unsafe { info.target() }.to_string_lossy();
    let machine =
        Machine::find(&name).ok_or_else(|| format!("it cannot follow calls on {name}"))?;
    let profiler = Profiler::new(machine, arguments)?;
    let counter = Counter::new();
    let shared = Shared { id, profiler, counter, machine, stack_pointer: None, link: None };
    SHARED.set(Mutex::new(shared)).map_err(|_| "it is installed already")?;
    interface::register(id, on_processor, on_translation);
    Ok(())
}

/// QEMU has forgotten all blocks, and this plugin's calls.
extern "C" fn on_reset(id: Id) {
    interface::register(id, on_processor, on_translation);
}

extern "C" fn on_processor(_id: Id, _processor: c_uint) {
    let mut shared = shared();
    // SAFETY: This is that call.
    shared.stack_pointer = unsafe { Register::find(shared.machine.stack_pointer) };
    // SAFETY: As above.
    shared.link = shared.machine.link.and_then(|name| unsafe { Register::find(name) });
}

/// Orders what the execution of a block has to do.
extern "C" fn on_translation(_id: Id, block: *mut Block) {
    let shared = shared();
    let mut last = None;
    let instrument = |instruction: &mut interface::Instruction| {
        let place = shared.profiler.place(instruction.address());
        // At the start, and where the code runs on into another function.
        if last != Some(place.function) {
            instruction.call(on_execution, pack(place));
        }
        last = Some(place.function);
        instruction.count(shared.counter);
    };
    // SAFETY: QEMU has just passed it.
    unsafe { interface::for_each_instruction(block, instrument) };
}

/// Code is about to run.
extern "C" fn on_execution(processor: c_uint, data: *mut c_void) {
    let mut shared = shared();
    let Shared { id, profiler, counter, machine, stack_pointer, link } = &mut *shared;
    let read = |register: &mut Option<Register>| {
        // SAFETY: This call was ordered as one that reads registers, and there is one processor.
        let value = register.as_mut().and_then(|register| unsafe { register.read() });
        value.unwrap_or_else(|| give_up("a register cannot be read"))
    };
    let registers = || Registers {
        pointer: read(stack_pointer),
        link: machine.link.is_some().then(|| read(link)),
    };
    match profiler.step(unpack(data), registers, counter.get(processor)) {
        // QEMU finds blocks by their place in memory, and tells the address at which each was translated. The
        // kernel's first instructions ran at other addresses, `memset` among them.
        Ok(Step::First) => interface::forget_blocks(*id, on_reset),
        Ok(Step::Last) => interface::exit(),
        Ok(Step::Other) => {}
        Err(error) => give_up(&format!("the output cannot be written: {error}")),
    }
}

/// Returns a place as the pointer that a callback is given back.
fn pack(place: Place) -> *mut c_void {
    ptr::without_provenance_mut((place.function as usize) << u32::BITS | place.offset as usize)
}

/// Returns the place that the pointer of a callback stands for.
fn unpack(data: *mut c_void) -> Place {
    let bits = data.addr();
    // PRECISION: It was made from 32 bits and 32.
    Place { function: (bits >> u32::BITS) as u32, offset: bits as u32 }
}
