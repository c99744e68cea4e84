// SPDX-License-Identifier: GPL-2.0-only
//! What QEMU calls.

mod interface;

use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::process;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use interface::{Block, Counter, Id, Info, Register};

use crate::profiler::Profiler;
use crate::symbols::Place;

/// What the callbacks share.
struct Shared {
    profiler: Profiler,
    counter: Counter,
    /// Once there is a processor.
    stack_pointer: Option<Register>,
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
    let profiler = Profiler::new(arguments)?;
    let shared = Shared { profiler, counter: Counter::new(), stack_pointer: None };
    SHARED.set(Mutex::new(shared)).map_err(|_| "it is installed already")?;
    interface::register(id, on_processor, on_translation);
    Ok(())
}

extern "C" fn on_processor(_id: Id, _processor: c_uint) {
    // SAFETY: This is that call.
    shared().stack_pointer = unsafe { Register::find(c"rsp") };
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
    let Shared { profiler, counter, stack_pointer } = &mut *shared;
    let pointer = || {
        // SAFETY: This call was ordered as one that reads registers, and there is one processor.
        let value = stack_pointer.as_mut().and_then(|register| unsafe { register.read() });
        value.unwrap_or_else(|| give_up("rsp cannot be read"))
    };
    match profiler.step(unpack(data), pointer, counter.get(processor)) {
        Ok(false) => {}
        Ok(true) => interface::exit(),
        Err(error) => give_up(&format!("the output cannot be written: {error}")),
    }
}

/// Returns a place as the pointer that a callback is given back.
fn pack(place: Place) -> *mut c_void {
    ptr::without_provenance_mut((place.function as usize) << 1 | usize::from(place.is_entry))
}

/// Returns the place that the pointer of a callback stands for.
fn unpack(data: *mut c_void) -> Place {
    let bits = data.addr();
    // PRECISION: It was made from 32 bits and one.
    Place { function: (bits >> 1) as u32, is_entry: bits & 1 == 1 }
}
