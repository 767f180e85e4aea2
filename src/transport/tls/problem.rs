//! What is wrong where two did not come to an agreement by TLS.

use core::error::Error;
use core::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why there is no connection by TLS. Nothing was sent; whoever sends tries again later, as somebody has to do
/// something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TlsProblem {
    /// The receiver's certificate is by nobody whom we trust.
    UnknownAuthority,
    /// The receiver's certificate has expired.
    Expired,
    /// The receiver's certificate is not valid yet: its clock or ours is wrong.
    NotYetValid,
    /// The receiver's certificate is for other names than the host's.
    WrongName,
    /// The receiver's certificate was revoked.
    Revoked,
    /// The receiver's certificate is wrong in another way.
    BadCertificate,
    /// The receiver does not accept our certificate, or wants one and there is none.
    OwnCertificate,
    /// The two have no version and no cipher in common.
    NoAgreement,
    /// The receiver does not speak TLS, or speaks it wrong.
    NotTls,
}

impl TlsProblem {
    /// What is wrong and what to do, in one line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAuthority => {
                "the receiver's certificate is by nobody whom we trust: give its authority (ca_file), or check the host"
            }
            Self::Expired => "the receiver's certificate has expired: renew it there, or check our clock",
            Self::NotYetValid => "the receiver's certificate is not valid yet: check the clocks",
            Self::WrongName => "the receiver's certificate is for other names: use one of them as host, or renew it",
            Self::Revoked => "the receiver's certificate was revoked: renew it there",
            Self::BadCertificate => "the receiver's certificate cannot be used: renew it there",
            Self::OwnCertificate => {
                "the receiver does not accept our certificate, or wants one: give one it accepts (client_files)"
            }
            Self::NoAgreement => "the receiver has no version of TLS and no cipher that we have: bring it up to date",
            Self::NotTls => "the receiver does not speak TLS: check the port, or use the URL without TLS",
        }
    }

    /// What `error` means, where it is about who the peer is, who we are, or how to speak.
    pub(crate) fn of(error: &rustls::Error) -> Option<Self> {
        use rustls::Error as E;
        Some(match error {
            E::InvalidCertificate(certificate) => Self::of_certificate(certificate),
            E::NoCertificatesPresented => Self::BadCertificate,
            E::AlertReceived(
                AlertDescription::NoCertificate
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError
                | AlertDescription::CertificateRequired,
            ) => Self::OwnCertificate,
            E::PeerIncompatible(_)
            | E::AlertReceived(
                AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity
                | AlertDescription::UnrecognisedName
                | AlertDescription::NoApplicationProtocol,
            ) => Self::NoAgreement,
            E::InvalidMessage(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
                Self::NotTls
            }
            _ => return None,
        })
    }

    const fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
            CertificateError::Revoked => Self::Revoked,
            _ => Self::BadCertificate,
        }
    }

    /// The same, of what rustls said anywhere under `error`.
    pub(crate) fn within(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Self::of(tls);
            }
            // What an I/O error holds is not its source: that is already the next one.
            if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                return Self::within(inner);
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_however_deep_it_lies() {
        let error = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let once = io::Error::other(error());
        let twice = io::Error::other(io::Error::other(error()));
        assert_eq!(TlsProblem::within(&error()), Some(TlsProblem::Expired));
        assert_eq!(TlsProblem::within(&once), Some(TlsProblem::Expired));
        assert_eq!(TlsProblem::within(&twice), Some(TlsProblem::Expired));
        assert_eq!(TlsProblem::within(&io::Error::other("nothing")), None);
        assert_eq!(TlsProblem::within(&io::Error::from(io::ErrorKind::BrokenPipe)), None);
    }

    #[test]
    fn an_alert_that_speaks_of_certificates_is_about_ours() {
        for alert in [AlertDescription::CertificateRequired, AlertDescription::UnknownCA] {
            let error = rustls::Error::AlertReceived(alert);
            assert_eq!(TlsProblem::of(&error), Some(TlsProblem::OwnCertificate));
        }
        let ours = rustls::Error::AlertReceived(AlertDescription::InternalError);
        assert_eq!(TlsProblem::of(&ours), None, "that is the receiver's own matter");
    }
}
