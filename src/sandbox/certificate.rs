//! A certificate authority that lives as long as one sandbox, and the certificate that it signs.
//!
//! Nothing is written to disk: whoever wants to trust the sandbox asks it for its authority.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::Tls;

/// The sandbox's certificate, its key, and the authority that signed it.
pub(super) struct Certificate {
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    /// Makes a new authority and lets it sign a certificate for the names.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub(super) fn generate(tls: &Tls) -> io::Result<Self> {
        Self::signed(tls).map_err(io::Error::other)
    }

    fn signed(tls: &Tls) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "liquid-auth-proxy sandbox CA");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let mut own = CertificateParams::new(tls.names.clone())?;
        own.distinguished_name.push(DnType::CommonName, "liquid-auth-proxy sandbox");
        own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        own.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = own.signed_by(&key, &authority)?;
        Ok(Self { ca_pem: authority.pem(), certificate: certificate.der().clone(), key: key.serialize_der() })
    }

    /// What accepts TLS with it and offers HTTP/2 before HTTP/1.1.
    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    pub(super) fn into_ca_pem(self) -> String {
        self.ca_pem
    }
}
