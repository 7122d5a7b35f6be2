//! A running nginx that is an API: it hands out a token, serves files and takes them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::super::Version;
use crate::support::eventually;
use crate::support::port::Port;
use crate::support::upstream::TOKEN;

/// Where Debian and others have it; it need not be in everybody's path.
const PATH: &str = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin";

/// A running one. Ended when dropped, and its files are gone.
pub struct Nginx {
    child: Child,
    port: Port,
    ca_pem: String,
    directory: TempDir,
}

impl Nginx {
    /// Starts it; with these directives beside what it needs.
    pub async fn start(version: Version, directives: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = Port::reserve();
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("cert.pem"), certificate.cert.pem()).unwrap();
        std::fs::write(directory.path().join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(directory.path().join("files")).unwrap();
        let http2 = if version == Version::Two { " http2" } else { "" };
        let configuration = format!(
            "daemon off; master_process off; pid pid; error_log error.log; worker_rlimit_nofile 1024;
            events {{ worker_connections 512; }}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                ssl_certificate cert.pem; ssl_certificate_key key.pem;
                client_max_body_size 0;
                {directives}
                server {{
                    listen {address} ssl{http2};
                    root files;
                    location / {{ dav_methods PUT; }}
                    location = /api/authentication {{ default_type application/json; return 200 '{token}'; }}
                }}
            }}",
            address = port.address(),
            token = token(),
        );
        std::fs::write(directory.path().join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new("nginx");
        command.env("PATH", PATH).arg("-p").arg(directory.path()).args(["-c", "nginx.conf"]);
        command.args(["-e", "error.log"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("nginx is not installed: run `make test`, which installs it");
        eventually("nginx listens", async || {
            assert_eq!(child.try_wait().unwrap(), None, "it ended");
            TcpStream::connect(port.address()).await.ok()
        })
        .await;
        Self { child, port, ca_pem: certificate.cert.pem(), directory }
    }

    pub fn base_url(&self) -> String {
        format!("https://localhost:{}", self.port.address().port())
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The file behind a path.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("files").join(name)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.path().join("error.log"));
            eprintln!("nginx's log:\n{}", log.unwrap_or_default());
        }
    }
}

fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    serde_json::json!({
        "metadata": { "timestamp": now.as_millis() as u64 },
        "data": { "token": TOKEN, "exp": (now + Duration::from_secs(3600)).as_millis() as u64 },
    })
    .to_string()
}
