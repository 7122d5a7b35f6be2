//! `[listen.tls]`: whom the proxy says it is to apps, and whose certificates it asks them for.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

/// The most bytes that one of the files may have.
const MAX_BYTES: u64 = 1 << 20;

/// Where certificates and key are.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// `cert_file`: the proxy's certificate, and those that lead to its authority, PEM.
    pub cert_file: PathBuf,
    /// `key_file`: the key of that certificate, PEM.
    pub key_file: PathBuf,
    /// `client_ca_file`: the authorities of the certificates that clients must have, PEM.
    pub client_ca_file: Option<PathBuf>,
}

/// What the files hold.
#[derive(Debug, Clone)]
pub struct ServerIdentity {
    /// The certificate and its key.
    pub certified: Arc<CertifiedKey>,
    /// Whose certificates clients must have, if any.
    pub client_roots: Option<Arc<RootCertStore>>,
    /// The same for the same contents.
    pub fingerprint: u64,
}

/// A file cannot be used. Nothing of its contents is in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({}) {what}", path.display())]
pub struct ServerTlsError {
    /// The key of the configuration that names the file.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// The first of them that cannot be used, or a key that is not the certificate's.
    pub fn read(&self) -> Result<ServerIdentity, ServerTlsError> {
        let mut hasher = DefaultHasher::new();
        let cert = read("listen.tls.cert_file", &self.cert_file, &mut hasher)?;
        let chain = certificates("listen.tls.cert_file", &self.cert_file, &cert)?;
        let error =
            |what: String| ServerTlsError { key: "listen.tls.key_file", path: self.key_file.clone(), what };
        let pem = read("listen.tls.key_file", &self.key_file, &mut hasher)?;
        // Not the reader's own words: they repeat lines.
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| error("holds no PEM private key that is not encrypted".into()))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = certified.map_err(|reason| match reason {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                error("is not the key of the certificate in listen.tls.cert_file".into())
            }
            Error::InvalidCertificate(reason) => ServerTlsError {
                key: "listen.tls.cert_file",
                path: self.cert_file.clone(),
                what: format!("has a certificate that is unfit: {reason}"),
            },
            _ => error("holds a private key of a kind that is not supported".into()),
        })?;
        let client_roots = match &self.client_ca_file {
            Some(path) => Some(roots(path, &mut hasher)?),
            None => None,
        };
        Ok(ServerIdentity {
            certified: Arc::new(certified),
            client_roots: client_roots.map(Arc::new),
            fingerprint: hasher.finish(),
        })
    }

    /// The files, each once for each key that names it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.cert_file, &self.key_file].into_iter().chain(&self.client_ca_file).map(PathBuf::as_path)
    }
}

fn roots(path: &Path, hasher: &mut DefaultHasher) -> Result<RootCertStore, ServerTlsError> {
    const KEY: &str = "listen.tls.client_ca_file";
    let pem = read(KEY, path, hasher)?;
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(KEY, path, &pem)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|reason| ServerTlsError {
            key: KEY,
            path: path.to_owned(),
            what: format!("has a certificate, number {}, that is unfit: {reason}", index + 1),
        })?;
    }
    Ok(roots)
}

fn certificates(
    key: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ServerTlsError> {
    let error = |what: String| ServerTlsError { key, path: path.to_owned(), what };
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        // Not the reader's own words: they repeat lines, and this may be the key's file.
        let number = certificates.len() + 1;
        certificates.push(certificate.map_err(|_| error(format!("is broken PEM at certificate {number}")))?);
    }
    if certificates.is_empty() { Err(error("holds no PEM certificate".into())) } else { Ok(certificates) }
}

fn read(
    key: &'static str,
    path: &Path,
    hasher: &mut DefaultHasher,
) -> Result<Zeroizing<Vec<u8>>, ServerTlsError> {
    let bytes = contents(path).map_err(|error| ServerTlsError {
        key,
        path: path.to_owned(),
        what: format!("cannot be read: {error}"),
    })?;
    bytes.hash(hasher);
    Ok(bytes)
}

fn contents(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // Room for all of it, so that none is left behind in a buffer that was too small.
    let room = usize::try_from(file.metadata()?.len().min(MAX_BYTES)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        }

        fn read(&self, cert: &str, key: &str, ca: Option<&str>) -> Result<ServerIdentity, ServerTlsError> {
            ServerTls {
                cert_file: self.put("cert.pem", cert),
                key_file: self.put("key.pem", key),
                client_ca_file: ca.map(|ca| self.put("ca.pem", ca)),
            }
            .read()
        }
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn each_file_is_tried() {
        let files = Files(tempfile::tempdir().unwrap());
        let ((cert, key), (other, other_key)) = (pair(), pair());
        let read = files.read(&cert, &key, None).unwrap();
        assert!(read.client_roots.is_none());
        let again = files.read(&cert, &key, None).unwrap();
        let with_clients = files.read(&cert, &key, Some(&other)).unwrap();
        assert!(read.fingerprint == again.fingerprint && read.fingerprint != with_clients.fingerprint);
        assert_eq!(with_clients.client_roots.unwrap().len(), 1);

        let canary = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
        for (cert, key, ca, about, why) in [
            ("", key.as_str(), None, "cert_file", "holds no PEM certificate"),
            ("-----BEGIN CERTIFICATE-----\ncanary!\n", &key, None, "cert_file", "is broken PEM"),
            (&cert, "canary", None, "key_file", "holds no PEM private key"),
            (&cert, canary, None, "key_file", "private key"),
            (&cert, &cert, None, "key_file", "holds no PEM private key"),
            (&cert, &other_key, None, "key_file", "is not the key of the certificate"),
            (&cert, &key, Some(&key), "client_ca_file", "holds no PEM certificate"),
        ] {
            let error = files.read(cert, key, ca.map(String::as_str)).unwrap_err();
            assert_eq!(error.key, format!("listen.tls.{about}"), "{error}");
            assert!(error.what.contains(why) && !error.to_string().contains("canary"), "{error}");
        }
        let gone = ServerTls {
            cert_file: "/nowhere/cert.pem".into(),
            key_file: "/nowhere/key.pem".into(),
            client_ca_file: None,
        };
        let error = gone.read().unwrap_err().to_string();
        assert!(error.starts_with("listen.tls.cert_file (/nowhere/cert.pem) cannot be read: "), "{error}");
    }
}
