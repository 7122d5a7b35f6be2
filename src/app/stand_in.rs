//! The sandbox as a running API: on a thread of its own, so that it is to the proxy what any API is.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use http::Uri;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::sandbox::{Sandbox, Settings};
use crate::secret::{Secret, SecretSource};
use crate::token::exchange::Login;

/// An embedded API, stopped when dropped.
#[derive(Debug)]
pub(super) struct StandIn {
    base_url: Uri,
    api: Login,
    orders: Login,
    // Dropped first: the thread ends when the other side of it is gone.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts it. It knows the credentials that are configured; where none are, its own are given out.
    pub(super) fn start(api: Option<&Login>, orders: Option<&Login>) -> io::Result<Self> {
        // Nobody will ask what it saw.
        let mut settings =
            Settings { remember_calls: 0, orders_accept_api_token: false, ..Settings::default() };
        if let Some(api) = api {
            settings.api_key = configured(api)?;
        }
        if let Some(orders @ Login::Orders { user_id, .. }) = orders {
            settings.orders_user_id = user_id.clone();
            settings.orders_password = configured(orders)?;
        }
        let own = |value: &str| {
            let secret = Secret::parse(value.to_owned()).map_err(io::Error::other)?;
            Ok::<_, io::Error>(SecretSource::Value { secret, from: "the sandbox".into() })
        };
        let api = Login::ApiKey(own(&settings.api_key)?);
        let orders = Login::Orders {
            user_id: settings.orders_user_id.clone(),
            password: own(&settings.orders_password)?,
        };
        let (stop, stopped) = oneshot::channel();
        let (report, started) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn(move || serve(settings, &report, stopped))?;
        let base_url = started.recv().map_err(io::Error::other)??;
        Ok(Self {
            base_url: base_url.parse().map_err(io::Error::other)?,
            api,
            orders,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn base_url(&self) -> &Uri {
        &self.base_url
    }

    pub(super) fn api_login(&self) -> Login {
        self.api.clone()
    }

    pub(super) fn orders_login(&self) -> Login {
        self.orders.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // An error means that it panicked: it is gone either way.
            let _ = thread.join();
        }
    }
}

fn configured(login: &Login) -> io::Result<String> {
    let secret = login.source().read().map_err(|error| io::Error::other(format!("the {login} {error}")))?;
    Ok(secret.expose().to_owned())
}

fn serve(settings: Settings, report: &mpsc::SyncSender<io::Result<String>>, stopped: oneshot::Receiver<()>) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        match Sandbox::start(settings).await {
            Ok(sandbox) => {
                let _ = report.send(Ok(sandbox.base_url()));
                // An error is what the drop of the other side looks like.
                let _ = stopped.await;
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        }
    });
}
