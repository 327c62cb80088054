//! What a token says of itself (RFC 7519). Only the store can tell whether it is genuine.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims of a token, whether or not its signature is good.
#[derive(Debug, Clone, Deserialize, PartialEq)]
pub struct Claims {
    /// Whose it is.
    pub sub: Option<String>,
    /// Until when it is good, in seconds since 1970.
    pub exp: Option<f64>,
    /// From when on it is good, likewise.
    pub nbf: Option<f64>,
}

impl Claims {
    /// Reads them without a look at the signature; none if it is no JWT.
    pub fn read(token: &str) -> Option<Claims> {
        let payload = token.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// Whether its time is over, by this machine's clock.
    pub fn is_over(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.exp.is_some_and(|until| until < now.as_secs_f64())
    }

    /// Until when it is good, as people write it.
    pub fn expiry(&self) -> Option<String> {
        let until = jiff::Timestamp::from_second(self.exp? as i64).ok()?;
        Some(until.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_until_when_it_is_good() {
        let token = |claims: &str| format!("x.{}.y", URL_SAFE_NO_PAD.encode(claims));
        let expiry = |token: &str| Claims::read(token)?.expiry();
        let is_over = |claims: &str| Claims::read(&token(claims)).unwrap().is_over();
        assert!(is_over(r#"{"exp":1650000000}"#));
        assert!(!is_over(r#"{"exp":9e12}"#) && !is_over("{}"));
        let until = expiry(&token(r#"{"sub":"ada","exp":1650000000}"#));
        assert_eq!(until.as_deref(), Some("2022-04-15T05:20:00Z"));
        for other in [
            "",
            "x",
            "x.%.y",
            &token("{}"),
            &token(r#"{"exp":"soon"}"#),
            &token(r#"{"exp":99999999999999999}"#),
        ] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }
}
