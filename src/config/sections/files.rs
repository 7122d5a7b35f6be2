//! Files that the configuration names: looked into at the start, so that a wrong one is a
//! configuration error and not a surprise at the first connection.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::kind::Refusal;
use crate::secret::Secret;

/// The most bytes a file of certificates may have; a system's whole bundle has a quarter of a MiB.
const MAX_CA_BYTES: u64 = 16 << 20;

/// Checks that a file holds PEM certificates, at least one, all fit to be trusted.
pub(super) fn check_certificates(path: &Path) -> Result<(), Refusal> {
    let pem = contents(path).map_err(|error| Refusal::new(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let number = index + 1;
        // Not the reader's own words: they repeat lines, and this may be a private key's file.
        let certificate =
            certificate.map_err(|_| Refusal::new(format!("is broken PEM at certificate {number}")))?;
        roots.add(certificate).map_err(|error| {
            Refusal::new(format!("has a certificate, number {number}, that is unfit: {error}"))
        })?;
    }
    if roots.is_empty() { Err(Refusal::new("holds no PEM certificate")) } else { Ok(()) }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_CA_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_CA_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Checks that a file holds a secret. `variable` is where the secret itself would belong.
pub(super) fn check_secret(path: &Path, variable: &str) -> Result<(), Refusal> {
    // The secret where its file's name belongs is an easy slip: what is not plainly a path is not repeated.
    if !path.is_absolute() && !path.exists() {
        let what = format!("names no file; if this is the secret itself, it belongs in {variable}");
        return Err(Refusal::new(what).hiding_value());
    }
    match Secret::read(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::new(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(contents: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents.as_bytes()).unwrap();
        file
    }

    #[test]
    fn certificates_are_read_and_tried() {
        let good = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        assert_eq!(check_certificates(file(&good).path()), Ok(()));
        assert_eq!(check_certificates(file(&format!("# two\n{good}\n{good}")).path()), Ok(()));

        let unfit = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
        for (contents, why) in [
            (String::new(), "holds no PEM certificate"),
            ("canary".into(), "holds no PEM certificate"),
            (key.into(), "holds no PEM certificate"),
            (format!("{good}{unfit}"), "number 2"),
            (
                "-----BEGIN CERTIFICATE-----\ncanary!\n-----END CERTIFICATE-----\n".into(),
                "broken PEM at certificate 1",
            ),
            ("-----BEGIN CERTIFICATE-----\n".into(), "broken PEM at certificate 1"),
        ] {
            let refusal = check_certificates(file(&contents).path()).unwrap_err();
            assert!(refusal.what.contains(why) && !refusal.what.contains("canary"), "{refusal:?}");
        }
        let missing = check_certificates(Path::new("/nonexistent/ca.pem")).unwrap_err();
        assert!(missing.what.starts_with("cannot be read: "), "{missing:?}");
    }

    #[test]
    fn a_key_in_place_of_its_file_is_not_repeated() {
        for key in ["canary-1234", "canary/12+34=", "./canary"] {
            let refusal = check_secret(Path::new(key), "LIQUID_API_KEY").unwrap_err();
            assert!(refusal.hides_value && !refusal.what.contains("canary"), "{refusal:?}");
            assert!(refusal.what.ends_with("LIQUID_API_KEY"), "{refusal:?}");
        }
        let refusal = check_secret(Path::new("/nonexistent/key"), "LIQUID_API_KEY").unwrap_err();
        assert!(!refusal.hides_value && refusal.what.contains("/nonexistent/key"), "{refusal:?}");
        assert_eq!(check_secret(file("key-1\n").path(), "LIQUID_API_KEY"), Ok(()));
    }
}
