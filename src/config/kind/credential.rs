//! What a credential is made of.

use config::ValueKind;

use super::{Kind, Parse, Refusal, text};
use crate::secret::{MAX_SECRET_BYTES, Secret};

/// A secret, given as it is.
pub(in crate::config) struct SecretText;

impl Kind for SecretText {
    fn allowed(&self) -> String {
        "visible ASCII, at most 8 KiB".into()
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl Parse for SecretText {
    type Value = Secret;

    fn parse(&self, value: &ValueKind) -> Result<Secret, Refusal> {
        Secret::parse(text(value)?.to_owned()).map_err(|error| Refusal::new(error.to_string()))
    }
}

/// The name beside a password in HTTP Basic authentication. A colon would end it (RFC 7617, section 2).
pub(in crate::config) struct UserId;

impl Kind for UserId {
    fn allowed(&self) -> String {
        "visible ASCII without `:`, at most 8 KiB".into()
    }
}

impl Parse for UserId {
    type Value = String;

    fn parse(&self, value: &ValueKind) -> Result<String, Refusal> {
        let user_id = text(value)?;
        if user_id.contains(':') {
            // Behind it there may be the password.
            return Err(Refusal::new("has a colon, which would end it").hiding_value());
        }
        if !user_id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refusal::new("has a character that is not visible ASCII"));
        }
        if user_id.len() > MAX_SECRET_BYTES {
            return Err(Refusal::new("is too long"));
        }
        Ok(user_id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_can_stand_before_a_colon() {
        assert_eq!(UserId.parse(&"user-1@example.com".into()).as_deref(), Ok("user-1@example.com"));
        for (user_id, why) in [
            ("".to_owned(), "is empty"),
            ("user 1".to_owned(), "not visible ASCII"),
            ("usér".to_owned(), "not visible ASCII"),
            ("u".repeat(MAX_SECRET_BYTES + 1), "too long"),
        ] {
            let refusal = UserId.parse(&user_id.into()).unwrap_err();
            assert!(refusal.what.contains(why) && !refusal.hides_value, "{refusal:?}");
        }
        assert!(UserId.parse(&"u".repeat(MAX_SECRET_BYTES).into()).is_ok());
        let pair = UserId.parse(&"user:canary".into()).unwrap_err();
        assert!(pair.hides_value && !pair.what.contains("canary"), "{pair:?}");
    }
}
