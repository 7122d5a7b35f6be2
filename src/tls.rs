//! One TLS client configuration for both ways to the API, the data path and the authentication calls; and
//! what apps speak to the proxy, in [`Server`].
//!
//! The server is always verified, against the system's roots and those of `upstream.ca_file`. There
//! is no switch to turn that off.

mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

pub use self::server::{Server, ServerError};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `upstream.ca_file` cannot be read, or holds no certificate that can be a root.
    #[error("upstream.ca_file {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no root at all, so no server could be verified.
    #[error(
        "no root certificate was found on this system ({0}): install ca-certificates, or set upstream.ca_file"
    )]
    NoRoots(String),
    /// The library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A client configuration that trusts the system's roots and those in `ca_file` (PEM). ALPN is left
/// to whoever uses it.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        let reasons: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::NoRoots(reasons.join("; ")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let error = |reason: String| TlsError::CaFile { path: path.to_owned(), reason };
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| error(e.to_string()))? {
        let certificate = certificate.map_err(|e| error(e.to_string()))?;
        roots.add(certificate).map_err(|e| error(e.to_string()))?;
    }
    if roots.len() == before {
        return Err(error("holds no PEM certificate".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_root_of_the_users_is_taken() {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let ca = file(&key.cert.pem());
        assert!(client_config(Some(ca.path())).is_ok());
    }

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        for content in ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let ca = file(content);
            let error = client_config(Some(ca.path())).unwrap_err().to_string();
            assert!(error.contains(&ca.path().display().to_string()), "{error}");
        }
        assert!(client_config(Some(Path::new("/nonexistent/ca.pem"))).is_err());
    }
}
