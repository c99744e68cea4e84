// SPDX-License-Identifier: GPL-2.0-only

//! Signatures as the kernel verifies them: PKCS#7 over an fs-verity digest, detached, without
//! certificates and attributes, as `fsverity sign` makes them. OpenSSL does the work.

use std::cmp::Ordering;
use std::path::Path;

use anyhow::{bail, Context, Result};
use initoverlayfs_core::initrd::digest::Digest;
use initoverlayfs_core::initrd::seal::Formatted;
use openssl::asn1::Asn1Time;
use openssl::pkcs7::{Pkcs7, Pkcs7Flags};
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::X509;

use crate::authenticate::token;
use crate::terminal::files::read;

/// A private key, and the certificate that the kernel trusts.
pub struct Signer {
    key: PKey<Private>,
    certificate: X509,
}

impl Signer {
    /// Returns the key in a file in PEM, encrypted or not, or in a token by its PKCS#11 URI; the certificate in a file,
    /// PEM or DER.
    pub fn new(key: &str, certificate: &Path) -> Result<Self> {
        let certificate = read_certificate(certificate)?;
        let key = if key.starts_with("pkcs11:") {
            token::private_key(key).with_context(|| key.to_owned())?
        } else {
            PKey::private_key_from_pem(&read(Path::new(key))?).with_context(|| {
                format!("{key}: not a private key in PEM, or a wrong passphrase")
            })?
        };
        if !certificate.public_key()?.public_eq(&key) {
            bail!("the key and the certificate do not belong together");
        }
        Ok(Self { key, certificate })
    }

    /// Returns the signature of a digest, in DER.
    pub fn sign(&self, digest: &Digest) -> Result<Vec<u8>> {
        let flags =
            Pkcs7Flags::BINARY | Pkcs7Flags::DETACHED | Pkcs7Flags::NOATTR | Pkcs7Flags::NOCERTS;
        let content = Formatted::new(digest);
        let none = Stack::new()?;
        let signed = Pkcs7::sign(&self.certificate, &self.key, &none, content.bytes(), flags)
            .context("OpenSSL cannot sign with this key")?;
        Ok(signed.to_der()?)
    }

    /// Returns whether the certificate is valid today. The kernel does not ask.
    pub fn validity(&self) -> Result<Option<&'static str>> {
        validity(&self.certificate)
    }
}

/// Returns what is wrong with the time of a certificate, if anything.
pub fn validity(certificate: &X509) -> Result<Option<&'static str>> {
    let now = Asn1Time::days_from_now(0)?;
    Ok(
        if certificate.not_after().compare(&now)? == Ordering::Less {
            Some("the certificate has expired")
        } else if certificate.not_before().compare(&now)? == Ordering::Greater {
            Some("the certificate is not valid yet")
        } else {
            None
        },
    )
}

/// Reads a certificate, in PEM or DER.
pub fn read_certificate(path: &Path) -> Result<X509> {
    let bytes = read(path)?;
    X509::from_pem(&bytes)
        .or_else(|_| X509::from_der(&bytes))
        .with_context(|| format!("{}: not a certificate in PEM or DER", path.display()))
}

/// Reads a signature, which is good for nothing if it is not PKCS#7 in DER.
pub fn read_signature(path: &Path) -> Result<Vec<u8>> {
    let bytes = read(path)?;
    Pkcs7::from_der(&bytes).with_context(|| format!("{}: not PKCS#7 in DER", path.display()))?;
    Ok(bytes)
}

/// Returns whether a signature of this digest was made with the key of this certificate.
pub fn is_signed_by(digest: &Digest, signature: &[u8], certificate: &X509) -> Result<bool> {
    let signature = Pkcs7::from_der(signature).context("the signature is no PKCS#7 in DER")?;
    let mut certificates = Stack::new()?;
    certificates.push(certificate.clone())?;
    let store = X509StoreBuilder::new()?.build();
    let content = Formatted::new(digest);
    // Only this key counts, whoever has vouched for it.
    let flags = Pkcs7Flags::BINARY | Pkcs7Flags::NOINTERN | Pkcs7Flags::NOVERIFY;
    let verified = signature.verify(&certificates, &store, Some(content.bytes()), None, flags);
    Ok(verified.is_ok())
}
