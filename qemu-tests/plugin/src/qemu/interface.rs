// SPDX-License-Identifier: GPL-2.0-only
//! QEMU's interface for plugins, as far as it is used here, and safe names for it.
//!
//! The declarations follow `qemu-plugin.h`, which QEMU documents under "TCG Plugins". They are the same since
//! its version 2, of QEMU 9.0.

use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::slice;

/// The version of the interface that this file is written for.
#[no_mangle]
#[allow(non_upper_case_globals, reason = "QEMU looks for this name")]
pub static qemu_plugin_version: c_int = 2;

/// QEMU's name for this plugin.
pub type Id = u64;
/// Calls when all translated blocks, and all other calls, are forgotten.
pub type OnReset = extern "C" fn(Id);
/// Calls when a processor is there.
pub type OnProcessor = extern "C" fn(Id, c_uint);
/// Calls when a block of code has been translated.
pub type OnTranslation = extern "C" fn(Id, *mut Block);
/// Calls when code is about to run, with a number of the plugin's.
pub type OnExecution = extern "C" fn(c_uint, *mut c_void);

/// One block of translated code.
#[repr(C)]
pub struct Block([u8; 0]);
/// One instruction of it.
#[repr(C)]
pub struct Instruction([u8; 0]);
#[repr(C)]
struct Scoreboard([u8; 0]);
#[repr(C)]
struct RegisterHandle([u8; 0]);

/// A number for each processor, as `qemu_plugin_u64`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Counter {
    scoreboard: *mut Scoreboard,
    offset: usize,
}

/// As `qemu_plugin_reg_descriptor`.
#[repr(C)]
struct Description {
    handle: *mut RegisterHandle,
    name: *const c_char,
    feature: *const c_char,
}

/// GLib's `GArray` and `GByteArray`, whose public parts are the same but for the type of `data`.
#[repr(C)]
struct Array<T> {
    data: *mut T,
    len: c_uint,
}

/// What QEMU tells a plugin about itself, as `qemu_info_t`.
#[repr(C)]
pub struct Info {
    target: *const c_char,
    min_version: c_int,
    cur_version: c_int,
    is_system: bool,
    processors: c_int,
    max_processors: c_int,
}

/// `QEMU_PLUGIN_CB_R_REGS`: the callback reads registers.
const READS_REGISTERS: c_int = 1;
/// `QEMU_PLUGIN_INLINE_ADD_U64`: the operation is to add.
const ADD: c_int = 0;

extern "C" {
    fn qemu_plugin_register_vcpu_init_cb(id: Id, f: OnProcessor);
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, f: OnTranslation);
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        f: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
        instruction: *mut Instruction,
        operation: c_int,
        counter: Counter,
        operand: u64,
    );
    fn qemu_plugin_reset(id: Id, f: OnReset);
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_scoreboard_new(size: usize) -> *mut Scoreboard;
    fn qemu_plugin_u64_get(counter: Counter, processor: c_uint) -> u64;
    fn qemu_plugin_get_registers() -> *mut Array<Description>;
    fn qemu_plugin_read_register(handle: *mut RegisterHandle, bytes: *mut Array<u8>) -> c_int;
    // GLib's: QEMU is linked with it, so a plugin finds it.
    fn g_byte_array_new() -> *mut Array<u8>;
    fn g_byte_array_set_size(bytes: *mut Array<u8>, len: c_uint) -> *mut Array<u8>;
    // The C library's.
    fn _exit(status: c_int) -> !;
}

impl Info {
    /// Returns whether it is a machine with one processor that is emulated.
    pub fn is_uniprocessor(&self) -> bool {
        self.is_system && self.processors == 1
    }

    /// Returns the name of the machine that is emulated.
    ///
    /// # Safety
    ///
    /// QEMU has passed the structure to the plugin.
    pub unsafe fn target(&self) -> &CStr {
        // SAFETY: QEMU has set it to a string.
        unsafe { CStr::from_ptr(self.target) }
    }
}

/// Has QEMU call the plugin.
pub fn register(id: Id, on_processor: OnProcessor, on_translation: OnTranslation) {
    // SAFETY: These may be called at any time with an identity that QEMU gave.
    unsafe {
        qemu_plugin_register_vcpu_init_cb(id, on_processor);
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    }
}

/// Has QEMU forget all blocks that it has translated, and all calls that it was to make.
///
/// Soon afterwards, QEMU calls `f`, which registers anew.
pub fn forget_blocks(id: Id, f: OnReset) {
    // SAFETY: This may be called at any time with an identity that QEMU gave.
    unsafe { qemu_plugin_reset(id, f) }
}

/// Ends the emulator at once, and successfully.
pub fn exit() -> ! {
    // SAFETY: There are no preconditions. What `exit` does beyond this is not for a processor's thread.
    unsafe { _exit(0) }
}

/// Calls `f` with each instruction of a block.
///
/// # Safety
///
/// QEMU has passed the block to the callback that is running.
pub unsafe fn for_each_instruction(block: *const Block, mut f: impl FnMut(&mut Instruction)) {
    // SAFETY: The block is valid, see above; so are as many instructions as it has, and nobody else
    // has a reference to them.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(block) {
            f(&mut *qemu_plugin_tb_get_insn(block, index));
        }
    }
}

impl Instruction {
    /// Returns its address.
    pub fn address(&self) -> u64 {
        // SAFETY: It is valid.
        unsafe { qemu_plugin_insn_vaddr(self) }
    }

    /// Has `f`, which may read registers, called before it is executed.
    pub fn call(&mut self, f: OnExecution, data: *mut c_void) {
        // SAFETY: It is valid; nobody dereferences the data.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(self, f, READS_REGISTERS, data) }
    }

    /// Adds 1 to the counter when it is executed, after calls that were ordered before.
    pub fn count(&mut self, counter: Counter) {
        // SAFETY: It is valid, and counters are never freed.
        unsafe { qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(self, ADD, counter, 1) }
    }
}

impl Counter {
    /// Returns a counter at 0.
    pub fn new() -> Self {
        // SAFETY: There are no preconditions.
        let scoreboard = unsafe { qemu_plugin_scoreboard_new(size_of::<u64>()) };
        Self { scoreboard, offset: 0 }
    }

    /// Returns what it has counted on a processor.
    pub fn get(self, processor: c_uint) -> u64 {
        // SAFETY: Counters are never freed. QEMU checks the processor's number.
        unsafe { qemu_plugin_u64_get(self, processor) }
    }
}

/// A register of 64 bits.
pub struct Register {
    handle: *mut RegisterHandle,
    bytes: *mut Array<u8>,
}

impl Register {
    /// Looks for a register.
    ///
    /// # Safety
    ///
    /// QEMU is in an [`OnProcessor`] call.
    pub unsafe fn find(name: &CStr) -> Option<Self> {
        // SAFETY: This is when QEMU tells the registers. The array is never freed.
        let all = unsafe {
            let array = &*qemu_plugin_get_registers();
            slice::from_raw_parts(array.data, array.len as usize)
        };
        // SAFETY: Names are strings that stay.
        let mut all = all.iter().filter(|it| unsafe { CStr::from_ptr(it.name) } == name);
        // SAFETY: There are no preconditions.
        let bytes = unsafe { g_byte_array_new() };
        Some(Self { handle: all.next()?.handle, bytes })
    }

    /// Returns its value; nothing if QEMU does not tell.
    ///
    /// # Safety
    ///
    /// QEMU is in a call that may read registers, on the only processor.
    pub unsafe fn read(&mut self) -> Option<u64> {
        // SAFETY: The handle is QEMU's; it appends the value to the array, which is ours.
        let Array { data, len } = unsafe {
            g_byte_array_set_size(self.bytes, 0);
            qemu_plugin_read_register(self.handle, self.bytes);
            &*self.bytes
        };
        // SAFETY: The array has that many bytes.
        let value = (*len == u64::BITS / 8).then(|| unsafe { *data.cast::<[u8; 8]>() });
        value.map(u64::from_le_bytes)
    }
}

// SAFETY: The pointers are to what QEMU and GLib leave to whoever has them.
unsafe impl Send for Counter {}
// SAFETY: See above. Reading needs `&mut`.
unsafe impl Send for Register {}
