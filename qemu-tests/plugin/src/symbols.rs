// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's functions.

/// A function, as an index into the table of symbols.
pub type Function = u32;

/// What is no function: code at an address that the table does not know, such as a process.
pub const UNKNOWN: Function = 0;
/// Not a function either: what interrupts hang below.
pub const INTERRUPT: Function = 1;
/// Nor this: tasks other than PID 1.
pub const OTHER_TASK: Function = 2;
/// Nor this: faults of a process.
pub const PROCESS: Function = 3;

/// The names of those.
const NO_FUNCTIONS: [&str; 4] = ["[unknown]", "[interrupt]", "[other task]", "[/init faults]"];

/// What a function is to whoever follows calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any but the following.
    Ordinary,
    /// Where an interrupt enters.
    Interrupt,
    /// Where an exception enters, which the interrupted code has caused.
    Exception,
    /// What changes the stack to another task's.
    Switch,
    /// A stub that jumps on to where its caller wants to.
    Thunk,
}

/// One symbol.
#[derive(Debug)]
struct Symbol {
    address: u64,
    name: String,
    kind: Kind,
}

/// All symbols, by address.
#[derive(Debug)]
pub struct Symbols(Vec<Symbol>);

/// A place in the guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function that it belongs to.
    pub function: Function,
    /// Set if it is that function's first instruction.
    pub is_entry: bool,
}

impl Symbols {
    /// Reads lines of a hexadecimal address and a name, in the order of the addresses.
    pub fn parse(text: &str) -> Option<Self> {
        let none = NO_FUNCTIONS.iter().map(|name| Symbol {
            address: 0,
            name: (*name).to_owned(),
            kind: Kind::Ordinary,
        });
        let read = |line: &str| {
            let (address, name) = line.split_once(' ')?;
            let address = u64::from_str_radix(address, 16).ok()?;
            Some(Symbol { address, name: name.to_owned(), kind: kind(name) })
        };
        let symbols = none.map(Some).chain(text.lines().map(read)).collect::<Option<Vec<_>>>()?;
        symbols.is_sorted_by_key(|symbol| symbol.address).then_some(Self(symbols))
    }

    /// Returns what is at an address.
    pub fn place(&self, address: u64) -> Place {
        let after = self.0.partition_point(|symbol| symbol.address <= address);
        let index = after.saturating_sub(1);
        let is_entry = self.0.get(index).is_some_and(|symbol| symbol.address == address);
        match u32::try_from(index) {
            Ok(function) if index >= NO_FUNCTIONS.len() => Place { function, is_entry },
            _ => Place { function: UNKNOWN, is_entry: false },
        }
    }

    /// Returns the function of that name.
    pub fn find(&self, name: &str) -> Option<Function> {
        self.0.iter().position(|symbol| symbol.name == name)?.try_into().ok()
    }

    /// Returns a function's name.
    pub fn name(&self, function: Function) -> &str {
        self.get(function).map_or("", |symbol| &symbol.name)
    }

    /// Returns a function's kind.
    pub fn kind(&self, function: Function) -> Kind {
        self.get(function).map_or(Kind::Ordinary, |symbol| symbol.kind)
    }

    fn get(&self, function: Function) -> Option<&Symbol> {
        self.0.get(usize::try_from(function).ok()?)
    }
}

/// Tells a function's kind by its name.
fn kind(name: &str) -> Kind {
    match name {
        "__switch_to_asm" => Kind::Switch,
        "asm_common_interrupt" | "asm_spurious_interrupt" | "asm_exc_nmi" => Kind::Interrupt,
        _ if name.starts_with("asm_sysvec_") => Kind::Interrupt,
        _ if name.starts_with("asm_exc_") => Kind::Exception,
        _ if name.starts_with("__x86_") && name.contains("_thunk") => Kind::Thunk,
        _ => Kind::Ordinary,
    }
}
