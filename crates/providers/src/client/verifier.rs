//! Checks certificates, and says of one that is not trusted whose it is and who issued it.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate_names::CertificateNames;

/// The verifier of rustls, whose errors name the certificate. It decides nothing itself.
#[derive(Debug)]
pub(crate) struct ExplainingVerifier(pub(crate) Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        result.map_err(|error| {
            // The authority that is missing issued the last certificate of the chain.
            let last = intermediates.last().unwrap_or(end_entity);
            match (error, CertificateNames::read(end_entity), CertificateNames::read(last)) {
                (Error::InvalidCertificate(error), Some(own), Some(last)) => {
                    let issuer =
                        if error == CertificateError::UnknownIssuer { last.issuer } else { own.issuer };
                    let explained = ExplainedError { error, subject: own.subject, issuer };
                    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(explained))))
                }
                (error, ..) => error,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// What is wrong with which certificate.
#[derive(Debug)]
struct ExplainedError {
    error: CertificateError,
    subject: String,
    issuer: String,
}

impl std::error::Error for ExplainedError {}

impl fmt::Display for ExplainedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, subject, issuer } = self;
        match error {
            CertificateError::UnknownIssuer if subject == issuer => {
                write!(f, "the certificate {subject:?} is self-signed, and not among the trusted ones")
            }
            CertificateError::UnknownIssuer => {
                write!(
                    f,
                    "the certificate {subject:?} leads to the authority {issuer:?}, which is not trusted"
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                write!(f, "the certificate {subject:?} has expired")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                write!(f, "the certificate {subject:?} is not valid yet: check this machine's clock")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                write!(f, "the certificate {subject:?} is for another host")
            }
            // Its type is of a crate that rustls does not re-export. `openssl req -x509` makes such certificates.
            CertificateError::Other(inner) if inner.0.to_string() == "CaUsedAsEndEntity" => {
                write!(
                    f,
                    "the certificate {subject:?} is an authority's (CA:TRUE), which no server may present: have it issue one \
                     for the server, or make one with CA:FALSE"
                )
            }
            error => write!(f, "the certificate {subject:?} of {issuer:?}: {error}"),
        }
    }
}
