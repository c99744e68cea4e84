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

/// Nor this: what runs below the kernel.
pub const FIRMWARE: Function = 4;

/// The names of those.
const NO_FUNCTIONS: [&str; 5] =
    ["[unknown]", "[interrupt]", "[other task]", "[/init faults]", "[firmware]"];

/// What a function is to whoever follows calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any but the following.
    Ordinary,
    /// Where an interrupt enters.
    Interrupt,
    /// Where an exception enters, which the interrupted code has caused.
    Exception,
    /// Where an interrupt enters that has interrupted a process, if that is another place.
    ProcessInterrupt,
    /// Where an exception enters that a process has caused, if that is another place.
    ProcessException,
    /// What runs before it is known which of these it is. Its stack pointer may be anything.
    Vector,
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
    /// How far behind that function's first instruction it is.
    pub offset: u32,
}

impl Place {
    /// Returns whether it is the function's first instruction.
    pub fn is_entry(self) -> bool {
        self.offset == 0
    }
}

impl Symbols {
    /// Reads lines of a hexadecimal address and a name, in the order of the addresses. `kind` tells a
    /// function's kind by its name.
    pub fn parse(text: &str, kind: fn(&str) -> Kind) -> Option<Self> {
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
        let first = self.0.get(index).map_or(0, |symbol| symbol.address);
        let offset = u32::try_from(address.saturating_sub(first)).unwrap_or(u32::MAX);
        match u32::try_from(index) {
            Ok(function) if index >= NO_FUNCTIONS.len() => Place { function, offset },
            _ => Place { function: UNKNOWN, offset: u32::MAX },
        }
    }

    /// Returns the address of a place.
    pub fn address(&self, place: Place) -> u64 {
        self.get(place.function).map_or(0, |symbol| symbol.address + u64::from(place.offset))
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
