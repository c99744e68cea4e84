// SPDX-License-Identifier: GPL-2.0-only

//! `initcall!`: a counterpart of `__define_initcall()`.

use proc_macro2::TokenStream;
use quote::{
    format_ident,
    quote, //
};
use syn::{
    parse::{
        Parse,
        ParseStream, //
    },
    Error,
    Ident,
    Result,
    Token, //
};

/// The levels and the infixes of their sections.
const LEVELS: &[(&str, &str)] = &[
    ("early", "early"),
    ("pure", "0"),
    ("core", "1"),
    ("core_sync", "1s"),
    ("postcore", "2"),
    ("postcore_sync", "2s"),
    ("arch", "3"),
    ("arch_sync", "3s"),
    ("subsys", "4"),
    ("subsys_sync", "4s"),
    ("fs", "5"),
    ("fs_sync", "5s"),
    ("rootfs", "rootfs"),
    ("device", "6"),
    ("device_sync", "6s"),
    ("late", "7"),
    ("late_sync", "7s"),
];

/// Returns the name of the unit that Kbuild has compiled, as part of the name of a symbol.
fn unit() -> String {
    let file = std::env::var("RUST_MODFILE").unwrap_or_default();
    let name = file.rsplit('/').next().unwrap_or_default();
    name.replace('-', "_")
}

/// The arguments of `initcall!`.
pub(crate) struct Initcall {
    /// The section of the level's entries.
    section: String,
    /// Set if the function is lent proof of its level.
    is_early: bool,
    /// The function to call.
    function: Ident,
}

impl Parse for Initcall {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let level: Ident = input.parse()?;
        let infix = LEVELS
            .iter()
            .find(|(name, _)| level == name)
            .map(|(_, infix)| infix)
            .ok_or_else(|| {
                let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
                let message = format!("no initcall level `{level}`: use {}", names.join(", "));
                Error::new_spanned(&level, message)
            })?;
        input.parse::<Token![,]>()?;
        Ok(Self {
            section: format!(".initcall{infix}.init"),
            is_early: level == "early",
            function: input.parse()?,
        })
    }
}

impl Initcall {
    /// Returns the C entry point, and its entry in the section: a 32-bit offset where the
    /// architecture has such, a pointer elsewhere.
    pub(crate) fn expand(self) -> TokenStream {
        let Self {
            section,
            is_early,
            function,
        } = self;
        let call = if is_early {
            quote! {{
                // SAFETY: This is an early initcall, which returns after the token is dropped.
                let early = unsafe { crate::sys::initcall::Early::new() };
                super::#function(&early)
            }}
        } else {
            quote! { super::#function() }
        };
        let entry = format_ident!("__{}_initcall_{function}", unit());
        let name = format_ident!("{}", entry.to_string().to_uppercase());
        // `global_asm!` wants to stand among items, so the entry gets a module.
        let asm = format!(
            ".section \"{section}\", \"a\"\n\
             .long {entry} - .\n\
             .previous\n"
        );
        quote! {
            mod #entry {
                #[cold]
                #[inline(never)]
                #[no_mangle]
                #[link_section = ".init.text"]
                extern "C" fn #entry() -> ::kernel::ffi::c_int {
                    let result: ::kernel::error::Result = #call;
                    match result {
                        Ok(()) => 0,
                        Err(error) => error.to_errno(),
                    }
                }

                #[cfg(CONFIG_HAVE_ARCH_PREL32_RELOCATIONS)]
                ::core::arch::global_asm!(#asm);

                #[cfg(not(CONFIG_HAVE_ARCH_PREL32_RELOCATIONS))]
                #[used(compiler)]
                #[link_section = #section]
                static #name: extern "C" fn() -> ::kernel::ffi::c_int = #entry;
            }
        }
    }
}
