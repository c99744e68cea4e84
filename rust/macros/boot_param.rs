// SPDX-License-Identifier: GPL-2.0-only

//! `boot_param!`: a counterpart of `__setup()`.

use std::ffi::CString;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    parse::{
        Parse,
        ParseStream, //
    },
    Error,
    Ident,
    LitCStr,
    LitStr,
    Result,
    Token, //
};

/// The arguments of `boot_param!`.
pub(crate) struct BootParam {
    /// The parameter's name, with its `=` if it takes a value.
    name: LitCStr,
    /// The function to call.
    function: Ident,
}

impl Parse for BootParam {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: LitStr = input.parse()?;
        let value = name.value();
        if value.is_empty() {
            return Err(Error::new_spanned(name, "the name is empty"));
        }
        let c_name = CString::new(value)
            .map_err(|_| Error::new_spanned(&name, "the name contains a NUL byte"))?;
        input.parse::<Token![,]>()?;
        Ok(Self {
            name: LitCStr::new(&c_name, name.span()),
            function: input.parse()?,
        })
    }
}

impl BootParam {
    /// Returns the C handler, and its `struct obs_kernel_param` in `.init.setup`.
    pub(crate) fn expand(self) -> TokenStream {
        let Self { name, function } = self;
        let len = name.value().as_bytes_with_nul().len();
        quote! {
            const _: () = {
                #[cold]
                #[inline(never)]
                #[link_section = ".init.text"]
                unsafe extern "C" fn setup(
                    value: *mut ::kernel::ffi::c_char,
                ) -> ::kernel::ffi::c_int {
                    let function: fn(&'static ::kernel::str::CStr) = #function;
                    let value = if value.is_null() {
                        c""
                    } else {
                        // SAFETY: `init/main.c` passes a NUL-terminated part of
                        // `static_command_line`, which is never freed.
                        unsafe {
                            <::kernel::str::CStr as ::kernel::str::CStrExt>::from_char_ptr(value)
                        }
                    };
                    function(value);
                    // Handled.
                    1
                }

                #[link_section = ".init.rodata"]
                static NAME: [u8; #len] = *match #name.to_bytes_with_nul().first_chunk() {
                    Some(name) => name,
                    None => ::core::unreachable!(),
                };

                #[used(compiler)]
                #[link_section = ".init.setup"]
                static ENTRY: crate::sys::initcall::BootParam = {
                    // SAFETY: The name is NUL-terminated, and a static.
                    unsafe { crate::sys::initcall::BootParam::new(NAME.as_ptr().cast(), setup) }
                };
            };
        }
    }
}
