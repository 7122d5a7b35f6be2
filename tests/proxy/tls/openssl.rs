//! A server that is no sandbox: OpenSSL's, which speaks old versions, and shows certificates that nobody
//! should take.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{sandbox, search};
use crate::support::daemon::Builder;
use crate::support::eventually;
use crate::support::own_answer;
use crate::support::port::Port;

/// A running one. It answers every request with a page. Ended when dropped.
struct Server {
    child: Child,
    _directory: TempDir,
}

/// A certificate with its key, and the authority that signed it: all in PEM.
struct Certificate {
    own: String,
    key: String,
    authority: String,
}

impl Certificate {
    /// For `localhost`, valid in these years.
    fn valid(from: i32, to: i32) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut own = CertificateParams::new(["localhost".to_owned()]).unwrap();
        own.not_before = date_time_ymd(from, 1, 1);
        own.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &authority).unwrap();
        Self { own: own.pem(), key: key.serialize_pem(), authority: authority.pem() }
    }

    fn good() -> Self {
        Self::valid(2020, 2120)
    }

    fn self_signed() -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        // Somebody else's.
        let authority = Self::good().authority;
        Self { own: own.cert.pem(), key: own.signing_key.serialize_pem(), authority }
    }
}

impl Server {
    async fn start(address: SocketAddr, certificate: &Certificate, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, pem: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-quiet", "-accept", &address.to_string()]);
        command.arg("-cert").arg(file("cert.pem", &certificate.own));
        command.arg("-key").arg(file("key.pem", &certificate.key)).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child =
            command.spawn().expect("openssl is not installed: run `make test`, which installs it");
        eventually("openssl listens", async || {
            assert_eq!(child.try_wait().unwrap(), None, "it ended");
            TcpStream::connect(address).await.ok()
        })
        .await;
        Self { child, _directory: directory }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `/readyz` of a proxy in front of this server says `why` there is no token.
async fn no_token(certificate: &Certificate, arguments: &[&str], why: &str) {
    let port = Port::reserve();
    let _server = Server::start(port.address(), certificate, arguments).await;
    let url = format!("https://localhost:{}", port.address().port());
    let daemon = Builder::new(&url).trust(&certificate.authority).start().await;
    let told = async || daemon.admin("/readyz").await.1.contains(why).then_some(());
    eventually(why, told).await;
}

/// Its page is not JSON, but it has got that far.
const SPOKEN_TO: &str = "the authentication endpoint's answer is not";

#[tokio::test]
async fn current_versions_are_spoken() {
    for version in ["-tls1_2", "-tls1_3"] {
        no_token(&Certificate::good(), &[version], SPOKEN_TO).await;
    }
}

#[tokio::test]
async fn old_versions_are_not() {
    for version in ["-tls1_1", "-tls1"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0"];
        no_token(&Certificate::good(), &arguments, "ProtocolVersion").await;
    }
}

#[tokio::test]
async fn certificates_hold_for_their_time_and_need_an_authority() {
    no_token(&Certificate::valid(2020, 2021), &[], "certificate expired").await;
    no_token(&Certificate::valid(2120, 2121), &[], "certificate not valid yet").await;
    // Its name is that of the authority that is trusted, and its key is not.
    no_token(&Certificate::self_signed(), &[], "invalid peer certificate").await;
}

#[tokio::test]
async fn requests_are_held_to_the_same() {
    let (old, expired) = (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], Certificate::valid(2020, 2021));
    for (certificate, arguments, error, why) in [
        (Certificate::good(), &old[..], "tls_protocol_error", "ProtocolVersion"),
        (expired, &[], "tls_certificate_error", "certificate expired"),
    ] {
        let port = Port::reserve();
        let api = sandbox(port.address(), "localhost").await;
        let trusted = format!("{}{}", api.ca_pem().unwrap(), certificate.authority);
        let daemon = Builder::new(&api.base_url()).trust(&trusted).ready().await;
        drop(api);
        // It takes a moment until its socket is gone, and two cannot listen at once.
        eventually("nobody listens", async || TcpStream::connect(port.address()).await.err()).await;
        let _server = Server::start(port.address(), &certificate, arguments).await;
        let answer = search(&daemon).await;
        let message = own_answer::check(&answer, "upstream_unreachable", error, "/catalog/search");
        assert!(message.contains(why), "{message}");
    }
}
