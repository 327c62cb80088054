//! A password becomes a token, and a token becomes a user.
//! Tokens are JWTs (RFC 7519), HS256 only; where a request may carry one is in docs/protocol.md, section 3.

mod claims;

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::json;

use crate::request::csrf::CsrfToken;
use crate::request::origin;
use crate::words::error::Error;
use crate::words::http::Head;

/// The name of the cookie that `/token` sets.
pub const COOKIE: &str = "authorization";

/// The published key of development mode, as text. Whoever knows it can sign tokens: it protects nothing.
const DEVELOPMENT_KEY: &str = "56b0bde8ca81e3b8f1b2b9c0f76d73a8a1ee7083b003f5e5811d35f5f266d4b5";

/// Whether anybody may have signed this token, because the key is published.
pub fn is_signed_with_published_key(token: &str) -> bool {
    let auth = Auth::development(Duration::ZERO);
    claims::signed::<serde_json::Value>(token, &auth.checking, &auth.validation).is_some()
}

/// Signs tokens and checks them.
pub struct Auth {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    token_life: Duration,
    csrf: CsrfToken,
}

impl Auth {
    /// Development mode: any user whose password is the same, the published key, and no expiry.
    pub fn development(token_life: Duration) -> Auth {
        // `claims` looks at the times.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims = HashSet::new();
        Auth {
            signing: EncodingKey::from_secret(DEVELOPMENT_KEY.as_bytes()),
            checking: DecodingKey::from_secret(DEVELOPMENT_KEY.as_bytes()),
            validation,
            token_life,
            csrf: CsrfToken::random(),
        }
    }

    /// What only pages of ours can read.
    pub fn csrf_token(&self) -> &CsrfToken {
        &self.csrf
    }

    /// Whether a request comes from a page of ours, or from no page at all.
    pub fn is_own_page(&self, head: &Head) -> bool {
        origin::is_own(head) || self.csrf.is_in(head)
    }

    /// How the start-up block names the mode.
    pub fn mode(&self) -> &'static str {
        "development: any user whose password equals the user name; tokens do not expire"
    }

    /// How long a new token is good for.
    pub fn token_life(&self) -> Duration {
        self.token_life
    }

    /// Checks a password and signs a token for its user.
    pub fn sign_in(&self, user: &str, password: &str) -> Result<String, Error> {
        if user.is_empty() || user != password {
            return Err(Error::BadPassword);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = json!({ "sub": user, "exp": (now + self.token_life).as_secs() });
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|_| Error::refused(500, "the token could not be signed"))
    }

    /// The user of a request: the first token found in its header, its query or its cookie must be good. Of several cookies the
    /// first good one counts: a browser sends one for each path that it was set for (RFC 6265, 5.4), and cannot tell an old one.
    ///
    /// A browser adds the cookie by itself, whoever made the page. So where a request changes something or opens
    /// a WebSocket, which no other rule of browsers protects, a cookie is taken from pages of our own origin only.
    pub fn user_of(&self, head: &Head, query_token: Option<&str>, changes: bool) -> Result<String, Error> {
        let query_token = query_token.filter(|token| !token.is_empty());
        if let Some(token) = bearer(head).or(query_token) {
            return self.user(token);
        }
        let mut user = Err(Error::NotAuthenticated);
        for token in cookies(head) {
            user = self.user(token);
            if user.is_ok() {
                break;
            }
        }
        let user = user?;
        if changes && !self.is_own_page(head) {
            Err(Error::CrossSite)
        } else {
            Ok(user)
        }
    }

    fn user(&self, token: &str) -> Result<String, Error> {
        claims::user(token, &self.checking, &self.validation).ok_or(Error::BadToken)
    }
}

fn bearer(head: &Head) -> Option<&str> {
    head.header("Authorization").and_then(strip_scheme)
}

fn cookies(head: &Head) -> impl Iterator<Item = &str> {
    head.all("Cookie")
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .filter_map(|(_, value)| strip_scheme(value.trim_matches('"')))
}

/// `Bearer <token>` to `<token>`; the scheme's letter case does not matter (RFC 9110, 11.1).
fn strip_scheme(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Printed in the seed document; its `exp` lies in 2022.
    const SEED_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwdGciLCJleHAiOjE2NTI1NDU3MTl9.8S6dal-Q97TfJZG7rYLQWe5n3IovU9qCmtPYo7voNN4";

    fn auth() -> Auth {
        Auth::development(Duration::from_secs(60))
    }

    fn head(name: &str, value: &str) -> Head {
        Head {
            headers: vec![(name.into(), value.into())],
            ..Head::default()
        }
    }

    fn signed(algorithm: Algorithm, key: &str, claims: &serde_json::Value) -> String {
        let key = EncodingKey::from_secret(key.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    #[test]
    fn the_seeds_token_is_good() {
        assert_eq!(auth().user(SEED_TOKEN).unwrap(), "ptg");
    }

    #[test]
    fn a_token_we_sign_names_its_user() {
        let token = auth().sign_in("käthe", "käthe").unwrap();
        assert_eq!(auth().user(&token).unwrap(), "käthe");
        assert_eq!(auth().sign_in("a", "b"), Err(Error::BadPassword));
        assert_eq!(auth().sign_in("", ""), Err(Error::BadPassword));
    }

    #[test]
    fn other_algorithms_keys_and_subjects_are_refused() {
        let ada = serde_json::json!({ "sub": "ada", "exp": 4_000_000_000u64 });
        assert!(auth().user(&signed(Algorithm::HS256, DEVELOPMENT_KEY, &ada)).is_ok());
        let fraction = serde_json::json!({ "sub": "ada", "exp": 1_652_545_719.5 });
        assert!(
            auth()
                .user(&signed(Algorithm::HS256, DEVELOPMENT_KEY, &fraction))
                .is_ok()
        );
        for bad in [
            signed(Algorithm::HS512, DEVELOPMENT_KEY, &ada),
            signed(Algorithm::HS256, "another key", &ada),
            signed(Algorithm::HS256, DEVELOPMENT_KEY, &serde_json::json!({ "sub": "" })),
            signed(Algorithm::HS256, DEVELOPMENT_KEY, &serde_json::json!({ "sub": 7 })),
            signed(
                Algorithm::HS256,
                DEVELOPMENT_KEY,
                &serde_json::json!({ "exp": 4_000_000_000u64 }),
            ),
            // {"alg":"none","typ":"JWT"} {"sub":"ada"} and no signature
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEifQ.".into(),
            "".into(),
            "a.b.c".into(),
        ] {
            assert_eq!(auth().user(&bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn the_header_comes_before_the_query_and_the_query_before_the_cookie() {
        let cookie = format!("a=b; authorization=\"Bearer {SEED_TOKEN}\"");
        let user = |head: &Head, query: Option<&str>| auth().user_of(head, query, true);
        assert!(user(&head("Cookie", &cookie), None).is_ok());
        assert!(user(&head("Cookie", &cookie.replace('"', "")), None).is_ok());
        assert_eq!(user(&head("Cookie", &cookie), Some("bad")), Err(Error::BadToken));
        let header = head("authorization", &format!("bEARER {SEED_TOKEN}"));
        assert!(user(&header, Some("bad")).is_ok());
        assert_eq!(user(&Head::default(), None), Err(Error::NotAuthenticated));
        assert_eq!(
            user(&head("Authorization", "Basic eA=="), None),
            Err(Error::NotAuthenticated)
        );
    }

    #[test]
    fn a_stale_cookie_does_not_shut_out_a_good_one_of_the_same_name() {
        let user = |cookies: &[&str]| {
            let headers = cookies.iter().map(|value| ("Cookie".into(), value.to_string()));
            let head = Head {
                headers: headers.collect(),
                ..Head::default()
            };
            auth().user_of(&head, None, true)
        };
        let good = format!("authorization=\"Bearer {SEED_TOKEN}\"");
        for stale in [
            "authorization=\"Bearer a.b.c\"",
            "authorization=",
            "authorization=Bearer ",
        ] {
            assert!(user(&[&format!("{stale}; {good}")]).is_ok(), "{stale}");
            assert!(user(&[&format!("{good}; {stale}")]).is_ok(), "{stale}");
            assert!(user(&[stale, &good]).is_ok(), "{stale}");
        }
        let bad = "authorization=Bearer a.b.c";
        assert_eq!(user(&[bad, bad]), Err(Error::BadToken));
        assert_eq!(user(&["authorization="]), Err(Error::NotAuthenticated));
        assert_eq!(user(&[&format!("x{good}")]), Err(Error::NotAuthenticated));
    }

    #[test]
    fn a_cookie_alone_changes_nothing_for_pages_of_another_origin() {
        let from = |origin: &str| {
            let mut head = head("Cookie", &format!("authorization=Bearer {SEED_TOKEN}"));
            head.headers.push(("Host".into(), "lab:7890".into()));
            head.headers.push(("Origin".into(), origin.into()));
            head
        };
        assert!(auth().user_of(&from("https://LAB:7890"), None, true).is_ok());
        for origin in [
            "http://evil.example",
            "http://lab",
            "http://lab:7891",
            "null",
            "",
            "lab:7890",
            "http://evil-lab:7890",
        ] {
            assert_eq!(
                auth().user_of(&from(origin), None, true),
                Err(Error::CrossSite),
                "{origin}"
            );
            // Reading is allowed: the browser keeps the reply from the page.
            assert!(auth().user_of(&from(origin), None, false).is_ok(), "{origin}");
            assert!(
                auth().user_of(&from(origin), Some(SEED_TOKEN), true).is_ok(),
                "{origin}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parsers_panic(value in ".*") {
            let _ = auth().user_of(&head("Authorization", &value), None, true);
            let _ = auth().user_of(&head("Cookie", &value), None, true);
        }
    }
}
