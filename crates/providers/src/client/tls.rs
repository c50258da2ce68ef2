//! TLS to providers and proxies.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::error::ClientError;
use super::transport::Transport;
use super::verifier::ExplainingVerifier;
use crate::cause::ConnectCause;

/// Why the authorities to trust cannot be read. The configuration has to change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsConfigError {
    /// A file of certificates cannot be read.
    #[error("{setting} ({path}): {problem}", path = path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// TLS with the authorities that a provider is trusted by.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// The system's authorities (or those of SSL_CERT_FILE and SSL_CERT_DIR), Mozilla's, and those of `ca_file`. The system's
    /// include a company's own; Mozilla's exist in an image without any.
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self, TlsConfigError> {
        /// Reading some hundred certificates takes long, and without a file of its own every provider has the same.
        static SHARED: OnceLock<Result<Tls, TlsConfigError>> = OnceLock::new();
        match ca_file {
            None => SHARED.get_or_init(|| Self::with(authorities()?)).clone(),
            Some(path) => {
                let mut authorities = authorities()?;
                add_file(&mut authorities, path)?;
                Self::with(authorities)
            }
        }
    }

    fn with(authorities: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider));
        let verifier = verifier.build().map_err(|error| TlsConfigError::Setup(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ExplainingVerifier(verifier)))
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Encrypts a connection to this host.
    pub(crate) async fn connect(&self, host: &str, transport: Transport) -> Result<Transport, ClientError> {
        let failed = |detail: String| ClientError::not_connected(ConnectCause::Tls, detail);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed(format!("{host} is no name that a certificate can have")))?;
        match self.0.connect(name, transport).await {
            Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
            Err(error) => {
                let detail = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(error) => explain(error),
                    None => format!("the handshake was cut off: {error}"),
                };
                Err(failed(detail))
            }
        }
    }
}

fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => {
            "the port does not speak TLS; should its URL begin with http://?".to_owned()
        }
        // Its own text is that of Debug.
        rustls::Error::InvalidCertificate(CertificateError::Other(inner)) => inner.0.to_string(),
        _ => error.to_string(),
    }
}

fn authorities() -> Result<RootCertStore, TlsConfigError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let native = rustls_native_certs::load_native_certs();
    if let (Some(path), Some(error)) = (std::env::var_os("SSL_CERT_FILE"), native.errors.first()) {
        let (setting, problem) = ("SSL_CERT_FILE", error.to_string());
        return Err(TlsConfigError::File { setting, path: path.into(), problem });
    }
    store.add_parsable_certificates(native.certs);
    Ok(store)
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), TlsConfigError> {
    let error = |problem| TlsConfigError::File { setting: "ca_file", path: path.to_owned(), problem };
    let text = fs::read(path).map_err(|io_error| error(io_error.to_string()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|pem_error| error(pem_error.to_string()))?;
        store.add(certificate).map_err(|tls_error| error(tls_error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(error("it has no certificate in PEM format".to_owned()));
    }
    Ok(())
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
