//! The leak test: every secret that the proxy holds is a canary, and whatever the proxy shows on any of its
//! paths at log level `trace` is searched for all of them.
//!
//! [`evidence`] gathers what is shown, `support::secrets` searches it in every form, and [`planted`] shows
//! that the search would find a leak in each place and form.

mod commands;
mod configuration;
mod echoes;
mod evidence;
mod life;
mod own_answers;
mod planted;

use liquid_auth_proxy::sandbox::{Handle, Sandbox, Settings, Tls};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::evidence::Scene;
use crate::support::daemon::Builder;
use crate::support::http_proxy::{Conduct, HttpProxy};
use crate::support::secrets::Secrets;

// Each has characters that base64 and percent-encoding write differently by alphabet and place.
const KEY: &str = "canary-key/1?5f0c>e9~~7a31b6";
const NEXT_KEY: &str = "canary-next-key/2?b7>d1~~4c90e2";
const REFUSED_KEY: &str = "canary-refused-key/3?09>ae~~f2c817";
const ORDERS_PASSWORD: &str = "canary-orders-password/4?c3>81~~d6a05f";
const PROXY_USER: &str = "canary-proxy-user/5?66>b0~~1e7d93";
const PROXY_PASSWORD: &str = "canary-proxy-password/6?e8>27~~93f4b0";
const CLIENT_TOKEN: &str = "canary-client-token/7?da>f4~~58e62c";

const CANARIES: [(&str, &str); 7] = [
    ("the key", KEY),
    ("the next key", NEXT_KEY),
    ("the refused key", REFUSED_KEY),
    ("the Orders password", ORDERS_PASSWORD),
    ("the proxy's user", PROXY_USER),
    ("the proxy's password", PROXY_PASSWORD),
    ("the client token", CLIENT_TOKEN),
];

/// A name that only the proxy on the way can find.
const API: &str = "api.behind-the-proxy.example";

/// All canaries, and every token that the API has handed out.
fn secrets(api: Option<&Handle>) -> Secrets {
    let tokens = api.map(Handle::tokens).unwrap_or_default();
    let tokens = tokens.iter().map(|token| ("a token", token.as_str()));
    Secrets::new(CANARIES.into_iter().chain(tokens))
}

/// An API that knows the canaries, over TLS, and the proxy on the way to it.
struct World {
    api: Sandbox,
    proxy: HttpProxy,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let settings = Settings {
            api_key: KEY.into(),
            orders_password: ORDERS_PASSWORD.into(),
            orders_accept_api_token: false,
            tls: Some(Tls { names: vec![API.to_owned()] }),
            ..settings
        };
        let api = Sandbox::start(settings).await.unwrap();
        let proxy = HttpProxy::start(Conduct::Tunnel(api.address())).await;
        Self { api, proxy }
    }

    fn secrets(&self) -> Secrets {
        secrets(Some(&self.api.handle()))
    }

    /// A proxy of ours that holds every canary.
    fn builder(&self, scene: &Scene) -> Builder {
        let builder = scene.builder(&format!("https://{API}")).trust(self.api.ca_pem().unwrap()).orders();
        builder.file("orders_password", ORDERS_PASSWORD);
        let client_token = builder.file("client_token", CLIENT_TOKEN);
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (user, password) = (escaped(PROXY_USER), escaped(PROXY_PASSWORD));
        builder
            .set("upstream.proxy", &format!("http://{user}:{password}@{}", self.proxy.address()))
            .set("upstream.send_api_key", "true")
            .set("listen.client_token_file", &client_token)
    }
}
