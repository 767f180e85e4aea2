//! Whom to trust, who we are, and by which cryptography.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::vec::Vec;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// How TLS is done, for HTTPS and for `tcp+tls://`. Without any option: with every receiver whose certificate the
/// machine trusts, by `ring`.
///
/// | option | what it gives | default |
/// |---|---|---|
/// | [`ca_pem`](Self::ca_pem), [`ca_file`](Self::ca_file) | authorities to trust beside those of the machine | none |
/// | [`only_own_ca`](Self::only_own_ca) | trust in these authorities alone | the machine's count too |
/// | [`client_pem`](Self::client_pem), [`client_files`](Self::client_files) | our own certificate, where the receiver wants one | none |
/// | [`crypto_provider`](Self::crypto_provider) | the cryptography | `ring` (feature `ring`), else the one that the process has installed |
///
/// PEM is the text with `-----BEGIN CERTIFICATE-----`; there may be several certificates in it. Nothing is read before
/// the transport or the sender is built, and files are read then, once: after a change, build another.
///
/// `Debug` shows no key.
///
/// ```
/// use wavefront_sdk::{Sender, transport::Tls};
/// let tls = Tls::new().ca_file("no-such-file.pem");
/// let error = Sender::builder("tcp+tls://proxy.example.com").tls(tls).build().unwrap_err();
/// assert!(error.to_string().starts_with("ca_file: "));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    authorities: Vec<(&'static str, Pem)>,
    only_own: bool,
    identity: Option<(&'static str, Pem, Pem)>,
    provider: Option<Arc<CryptoProvider>>,
}

/// PEM text, given or to be read.
#[derive(Clone)]
enum Pem {
    Text(Arc<[u8]>),
    File(PathBuf),
}

impl Tls {
    /// The machine's trust, no certificate of our own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities in this PEM text too. It may be called again.
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities.push(("ca_pem", Pem::text(pem.as_ref())));
        self
    }

    /// Trusts the authorities in this PEM file too. It may be called again.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(("ca_file", Pem::File(path.into())));
        self
    }

    /// Trusts only the authorities that were given here, and none of the machine.
    pub const fn only_own_ca(mut self) -> Self {
        self.only_own = true;
        self
    }

    /// Our own certificate, with those between it and its authority behind it, and its private key (PKCS #8, PKCS #1 or
    /// SEC1), both as PEM text.
    pub fn client_pem(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(("client_pem", Pem::text(certificate.as_ref()), Pem::text(key.as_ref())));
        self
    }

    /// As [`client_pem`](Self::client_pem), from two PEM files; both may be the same.
    pub fn client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(("client_files", Pem::File(certificate.into()), Pem::File(key.into())));
        self
    }

    /// The cryptography to use. It is given to this client alone: what the process has installed plays no part.
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// What rustls makes of it.
    pub(crate) fn config(&self) -> Result<ClientConfig, TlsError> {
        let (provider, builder) = self.begin()?;
        let mut own = Vec::new();
        for (option, pem) in &self.authorities {
            let certificates = pem.certificates(option)?;
            for certificate in &certificates {
                // So that what is no authority is said with its option.
                let read = RootCertStore::empty().add(certificate.clone());
                read.map_err(|error| TlsError::new(option, Wrong::Unusable(error)))?;
            }
            own.extend(certificates);
        }
        let verifier: Arc<dyn ServerCertVerifier> = if self.only_own {
            let mut roots = RootCertStore::empty();
            if own.is_empty() {
                return Err(TlsError::new("only_own_ca", Wrong::NoAuthority));
            }
            roots.add_parsable_certificates(own);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|_| TlsError::new("only_own_ca", Wrong::NoAuthority))?
        } else {
            Arc::new(system(own, provider)?)
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some((option, certificate, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let config = builder.with_client_auth_cert(certificate.certificates(option)?, key.key(option)?);
        config.map_err(|error| TlsError::new(option, Wrong::Unusable(error)))
    }

    /// What rustls makes of it where nobody need be trusted.
    #[cfg(feature = "http")]
    pub(crate) fn config_without_trust(&self) -> Result<ClientConfig, TlsError> {
        let (_, builder) = self.begin()?;
        Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }

    /// Whether nothing was said of whom to trust and who we are.
    #[cfg(feature = "http")]
    pub(crate) const fn is_plain(&self) -> bool {
        self.authorities.is_empty() && !self.only_own && self.identity.is_none()
    }

    fn begin(&self) -> Result<(Arc<CryptoProvider>, ConfigBuilder<ClientConfig, WantsVerifier>), TlsError> {
        let wrong = |wrong| TlsError::new("crypto_provider", wrong);
        let provider = self.provider.clone().or_else(usual_provider).ok_or_else(|| wrong(Wrong::NoProvider))?;
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions();
        Ok((provider, builder.map_err(|error| wrong(Wrong::Unusable(error)))?))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Tls");
        debug.field("authorities", &self.authorities.len()).field("only_own_ca", &self.only_own);
        debug.field("client", &self.identity.is_some()).field("crypto_provider", &self.provider.is_some()).finish()
    }
}

/// That of the feature, which is what its user chose; else that of the process.
fn usual_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(feature = "ring"))]
    CryptoProvider::get_default().cloned()
}

/// Whom the machine trusts, and `own` authorities.
#[cfg(not(target_os = "android"))]
fn system(
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, TlsError> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(own, provider);
    verifier.map_err(|error| TlsError::new(SYSTEM, Wrong::Unusable(error)))
}

/// Android's own verifier takes no authorities beside its own.
#[cfg(target_os = "android")]
fn system(
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, TlsError> {
    if !own.is_empty() {
        return Err(TlsError::new("ca_pem", Wrong::OnlyAlone));
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider);
    verifier.map_err(|error| TlsError::new(SYSTEM, Wrong::Unusable(error)))
}

impl Pem {
    fn text(text: &[u8]) -> Self {
        Self::Text(text.into())
    }

    fn read(&self, option: &'static str) -> Result<Arc<[u8]>, TlsError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => match std::fs::read(path) {
                Ok(text) => Ok(text.into()),
                Err(error) => Err(TlsError::new(option, Wrong::Unreadable(error.kind()))),
            },
        }
    }

    /// At least one.
    fn certificates(&self, option: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = self.read(option)?;
        let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
        match all {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(TlsError::new(option, Wrong::NoCertificate)),
        }
    }

    fn key(&self, option: &'static str) -> Result<PrivateKeyDer<'static>, TlsError> {
        let text = self.read(option)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::new(option, Wrong::NoKey))
    }
}

/// An option of [`Tls`] that cannot work, by its name. It shows no path, no certificate and no key. Two are equal that
/// say the same.
#[derive(Debug, Clone)]
pub struct TlsError {
    option: &'static str,
    wrong: Wrong,
}

#[derive(Debug, Clone)]
enum Wrong {
    NoProvider,
    NoAuthority,
    #[cfg(target_os = "android")]
    OnlyAlone,
    Unreadable(std::io::ErrorKind),
    NoCertificate,
    NoKey,
    Unusable(rustls::Error),
}

/// What is named where no option is at fault.
const SYSTEM: &str = "the system's certificates";

impl TlsError {
    const fn new(option: &'static str, wrong: Wrong) -> Self {
        Self { option, wrong }
    }

    /// The option that is wrong; none where the machine has no certificates to trust.
    pub fn option(&self) -> Option<&'static str> {
        Some(self.option).filter(|option| *option != SYSTEM)
    }
}

impl PartialEq for TlsError {
    fn eq(&self, other: &Self) -> bool {
        use std::string::ToString;
        self.to_string() == other.to_string()
    }
}

impl Eq for TlsError {}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.option)?;
        match &self.wrong {
            Wrong::NoProvider => f.write_str(
                "this build has no cryptography of its own: enable the feature `ring`, give a provider, or install one",
            ),
            Wrong::NoAuthority => f.write_str("there is no authority to trust: give one by ca_pem or ca_file"),
            #[cfg(target_os = "android")]
            Wrong::OnlyAlone => f.write_str("on Android it can only be had alone: set only_own_ca too"),
            Wrong::Unreadable(kind) => write!(f, "the file cannot be read ({kind})"),
            Wrong::NoCertificate => f.write_str("no certificate is in it: it has to be PEM, BEGIN CERTIFICATE"),
            Wrong::NoKey => f.write_str("no private key is in it: it has to be PEM, BEGIN PRIVATE KEY, not encrypted"),
            Wrong::Unusable(error) if self.option == SYSTEM => {
                write!(f, "there are none ({error}): install them (ca-certificates), or give an own authority")
            }
            Wrong::Unusable(rustls::Error::InconsistentKeys(_)) => {
                f.write_str("the key is not that of the certificate")
            }
            Wrong::Unusable(error) => write!(f, "it cannot be used ({error})"),
        }
    }
}

impl core::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.wrong {
            Wrong::Unusable(error) => Some(error),
            _ => None,
        }
    }
}
