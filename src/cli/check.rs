//! `check`: is the configuration right, and, when asked, does it work.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Uri;
use tokio::runtime;

use super::{Exit, complain, say};
use crate::app::Api;
use crate::config::Loaded;
use crate::token::clock::Clock;
use crate::token::schedule;

/// Prints the configuration; with `connect`, also goes the way to the API once.
pub(super) fn check(loaded: &Loaded, connect: bool) -> Exit {
    say(loaded);
    if !connect {
        return Exit::Success;
    }
    match try_it(loaded) {
        Ok(()) => Exit::Success,
        Err(error) => {
            complain(format_args!("the API cannot be used with this configuration: {error}"));
            Exit::Unavailable
        }
    }
}

/// Each step says what it found, so that the first one that fails stands last.
fn try_it(loaded: &Loaded) -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::of(&loaded.config)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        say(format_args!("api            {}", api.base_url()));
        // Behind a proxy the API's name is the proxy's to look up.
        let next = match api.proxy() {
            Some(proxy) => {
                say(format_args!("proxy          http://{proxy} (from {})", proxy.source()));
                proxy.uri()
            }
            None => api.base_url().clone(),
        };
        let addresses = resolve(&next).await?;
        let names: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        say(format_args!("resolved       {}", names.join(", ")));

        for login in api.logins() {
            say(format_args!("\n{login}"));
            let started = Instant::now();
            // Connects and verifies TLS on its way; its error says which step failed.
            let grant = api.exchange(login, Clock::default())?.run().await?;
            say(format_args!("authenticated  in {} ms", started.elapsed().as_millis()));

            let renewal = schedule::renew_after(grant.lifetime, loaded.config.token.refresh_ratio, 0.0);
            say(format_args!("token lifetime {}", whole_seconds(grant.lifetime)));
            say(format_args!("next refresh   after {}", whole_seconds(renewal)));
            match grant.skew_ms {
                Some(skew) => {
                    let seconds = skew as f64 / 1000.0;
                    say(format_args!("clock skew     {seconds:+.3} s (how far the server is ahead of us)"));
                }
                None => say("clock skew     unknown: the server does not tell its time"),
            }
        }
        Ok(())
    })
}

async fn resolve(url: &Uri) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error>> {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| format!("{host} cannot be resolved: {error}"))?;
    Ok(found.collect())
}

fn whole_seconds(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}
