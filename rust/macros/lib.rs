// SPDX-License-Identifier: GPL-2.0-only

//! Macros for a built-in component, in addition to the kernel's `module!`: functions in
//! `.init.text`, initcalls of any level, boot parameters.
//!
//! The parts of the C side are in [`include/linux/init.h`](srctree/include/linux/init.h).

mod boot_param;
mod initcall;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Places a function in `.init.text`, as `__init` does in C.
///
/// Only such a function may call a C function that is `__init`, and only such a function, or an
/// initcall, may call it: its memory is given back when the boot is over. It must not be generic,
/// and a closure in it may not call `__init` functions: both would land in `.text`.
///
/// ```ignore
/// #[init]
/// fn prepare() -> Result { ... }
/// ```
#[proc_macro_attribute]
pub fn init(attr: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as syn::ItemFn);
    if !attr.is_empty() {
        return syn::Error::new_spanned(&function.sig, "`#[init]` takes no arguments")
            .into_compile_error()
            .into();
    }
    if !function.sig.generics.params.is_empty() {
        return syn::Error::new_spanned(&function.sig.generics, "`#[init]` function is generic")
            .into_compile_error()
            .into();
    }
    quote::quote! {
        #[cold]
        #[inline(never)]
        #[link_section = ".init.text"]
        #function
    }
    .into()
}

/// Runs a function at an initcall level: `initcall!(level, function);`
///
/// The level is one of `early`, `pure`, `core`, `postcore`, `arch`, `subsys`, `fs`, `rootfs`,
/// `device`, `late`, or one of those with `_sync` where C has it. The function is a
/// `fn() -> kernel::error::Result`, usually `#[init]`; an error becomes the initcall's status. At
/// the level `early`, it is a `fn(&crate::sys::initcall::Early) -> kernel::error::Result`.
///
/// The crate must be built in: the entry goes to a section that only the kernel image has.
#[proc_macro]
pub fn initcall(input: TokenStream) -> TokenStream {
    let call = parse_macro_input!(input as initcall::Initcall);
    call.expand().into()
}

/// Hands a boot parameter to a function, as `__setup()` does in C:
/// `boot_param!("name=", function);`.
///
/// The function is a `fn(&'static CStr)`. Its argument is the text behind the name, and lives as
/// long as the kernel. It runs before any initcall, cannot sleep, and is usually `#[init]`.
#[proc_macro]
pub fn boot_param(input: TokenStream) -> TokenStream {
    let param = parse_macro_input!(input as boot_param::BootParam);
    param.expand().into()
}
