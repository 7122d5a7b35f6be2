//! The credentials that systemd hands to a service, as a layer (systemd.exec(5), "Credentials").
//!
//! `LoadCredential=api_key:…` is all that a unit needs: the file is found by its name. The layer lies
//! below everything that somebody wrote for this program, as the names are of our choosing.

use std::path::Path;

use super::layer::Layer;
use super::origin::Source;
use super::schema::keys;

/// The variable in which systemd names the directory.
pub(super) const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Every credential of ours that is in the directory.
pub(super) fn read(directory: Option<&Path>) -> Layer {
    let mut layer = Layer::default();
    // systemd's is absolute. Anything else was set by somebody for some other purpose.
    let Some(directory) = directory.filter(|directory| directory.is_absolute()) else { return layer };
    for key in keys() {
        let Some(name) = key.credential else { continue };
        let file = directory.join(name);
        // One that is there but cannot be read is an error that its key should tell, not a missing one.
        if !matches!(file.try_exists(), Ok(false)) {
            layer.set_text(key, &file.to_string_lossy(), Source::Credential);
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_has_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let known = ["api_key", "orders_password"];
        for name in known.into_iter().chain(["of-another-program"]) {
            std::fs::write(directory.path().join(name), "canary").unwrap();
        }
        let layer = read(Some(directory.path()));
        let file = |name: &str| directory.path().join(name).to_str().unwrap().into();
        assert_eq!(layer.value("credentials.api.key_file"), Some(&file("api_key")));
        assert_eq!(layer.value("credentials.orders.password_file"), Some(&file("orders_password")));
        let set: Vec<_> = keys().filter(|key| layer.source(key.key) == Some(&Source::Credential)).collect();
        assert_eq!(set.len(), known.len());
    }

    #[test]
    fn without_credentials_there_is_no_layer() {
        let empty = tempfile::tempdir().unwrap();
        for directory in [None, Some(empty.path()), Some(Path::new("")), Some(Path::new("src"))] {
            let layer = read(directory);
            assert!(keys().all(|key| layer.source(key.key).is_none()), "{directory:?}");
        }
    }
}
