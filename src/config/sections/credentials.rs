//! `[credentials]`: where each secret is, and whether each credential is whole.
//!
//! A secret and a file that holds it are two ways to say one thing: the higher layer wins, and within
//! one layer nobody could say which was meant.

use super::files;
use crate::config::kind::Refusal;
use crate::config::origin::Source;
use crate::config::reader::Reader;
use crate::config::schema::{self, API_KEY, ORDERS_PASSWORD, SecretKeys};
use crate::config::{Credentials, Environment, Orders};
use crate::secret::SecretSource;

/// `None` if anything that has to be there is missing or wrong.
pub(super) fn credentials(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Credentials> {
    let api = API_KEY.read(reader);
    let needs_key = matches!(environment, Some(Environment::Staging | Environment::Production));
    if needs_key && !API_KEY.is_given(reader) {
        API_KEY.refuse_missing(reader, "must be given");
    }
    let orders = orders(reader);
    let orders_paths = reader.required(&schema::CREDENTIALS_ORDERS_PATHS);
    Some(Credentials { api, orders, orders_paths: orders_paths? })
}

/// `None` where there is none; half a credential is a problem.
fn orders(reader: &mut Reader<'_>) -> Option<Orders> {
    let has_user_id = reader.source(&schema::CREDENTIALS_ORDERS_USER_ID).is_some();
    let has_password = ORDERS_PASSWORD.is_given(reader);
    let user_id = reader.optional(&schema::CREDENTIALS_ORDERS_USER_ID);
    if has_password && !has_user_id {
        let what = "must be given where the Orders API's password is (LIQUID_ORDERS_USER_ID)";
        reader.refuse(&schema::CREDENTIALS_ORDERS_USER_ID, Refusal::new(what));
    }
    let password = ORDERS_PASSWORD.read(reader);
    if has_user_id && !has_password {
        ORDERS_PASSWORD.refuse_missing(reader, "must be given where credentials.orders.user_id is");
    }
    Some(Orders { user_id: user_id?, password: password? })
}

impl SecretKeys {
    fn is_given(&self, reader: &Reader<'_>) -> bool {
        reader.source(self.value).is_some() || reader.source(self.file).is_some()
    }

    /// `None` where neither key is given, or with a problem noted.
    fn read(&self, reader: &mut Reader<'_>) -> Option<SecretSource> {
        match (reader.source(self.value), reader.source(self.file)) {
            (Some(value), Some(file)) if value.rank() == file.rank() => {
                let what = format!("is given beside {} ({value}); only one of them may be", self.value.key);
                reader.refuse(self.file, Refusal::new(what).hiding_value());
                None
            }
            (value, file) if file.map(Source::rank) > value.map(Source::rank) => self.read_file(reader),
            (value, _) => {
                let from = value?.to_string();
                let secret = reader.optional(self.value)?;
                Some(SecretSource::Value { secret, from })
            }
        }
    }

    fn read_file(&self, reader: &mut Reader<'_>) -> Option<SecretSource> {
        let path = reader.optional(self.file)?;
        match files::check_secret(&path, &self.value.shortest_variable()) {
            Ok(()) => Some(SecretSource::File(path)),
            Err(refusal) => {
                reader.refuse(self.file, refusal);
                None
            }
        }
    }

    fn refuse_missing(&self, reader: &mut Reader<'_>, what: &str) {
        let Self { value, file } = *self;
        let variables = [value.shortest_variable(), file.shortest_variable()].join(", ");
        reader.refuse(value, Refusal::new(format!("{what}, or {} ({variables})", file.key)));
    }
}
