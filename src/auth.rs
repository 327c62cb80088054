//! A password becomes a token, and a token becomes a user.
//! Tokens are JWTs (RFC 7519), HS256 only; where a request may carry one is in CONTRACT section 3.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::Error;
use crate::http::Head;

/// The name of the cookie that `/token` sets.
pub const COOKIE: &str = "authorization";

/// The published key of development mode, as text. Whoever knows it can sign tokens: it protects nothing.
const DEVELOPMENT_KEY: &str = "56b0bde8ca81e3b8f1b2b9c0f76d73a8a1ee7083b003f5e5811d35f5f266d4b5";

/// Whether anybody may have signed this token, because the key is published.
pub fn is_signed_with_published_key(token: &str) -> bool {
    Auth::development(Duration::ZERO)
        .claims::<serde_json::Value>(token)
        .is_some()
}

/// Signs tokens and checks them.
pub struct Auth {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    token_life: Duration,
}

/// How far the clock of whoever made a token may be ahead of ours.
const CLOCK_LEEWAY: Duration = Duration::from_secs(60);

/// What a token says (RFC 7519, section 4.1). The times are numbers, of seconds since 1970, or the token is none.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Old tokens may lie in the past or have none; development mode takes them all.
    #[serde(default, rename = "exp")]
    _exp: f64,
    /// Before this the token is not good yet, in any mode.
    #[serde(default)]
    nbf: f64,
}

impl Auth {
    /// Development mode: any user whose password is the same, the published key, and no expiry.
    pub fn development(token_life: Duration) -> Auth {
        // The times are looked at here: the library takes no fractions of seconds, and would refuse what it need not look at.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims = HashSet::new();
        Auth {
            signing: EncodingKey::from_secret(DEVELOPMENT_KEY.as_bytes()),
            checking: DecodingKey::from_secret(DEVELOPMENT_KEY.as_bytes()),
            validation,
            token_life,
        }
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

    /// The user of a request: the first token found in its header, its query or its cookie must be good.
    ///
    /// A browser adds the cookie by itself, whoever made the page. So where a request changes something or opens
    /// a WebSocket, which no other rule of browsers protects, a cookie is taken from pages of our own origin only.
    pub fn user_of(&self, head: &Head, query_token: Option<&str>, changes: bool) -> Result<String, Error> {
        let query_token = query_token.filter(|token| !token.is_empty());
        if let Some(token) = bearer(head).or(query_token) {
            return self.user(token);
        }
        let user = self.user(cookie(head).ok_or(Error::NotAuthenticated)?)?;
        if changes && !same_origin(head) {
            Err(Error::CrossSite)
        } else {
            Ok(user)
        }
    }

    fn user(&self, token: &str) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let latest = (now + CLOCK_LEEWAY).as_secs_f64();
        self.claims::<Claims>(token)
            .filter(|claims| !claims.sub.is_empty() && claims.nbf <= latest)
            .filter(|_| !has_crit(token))
            .map(|claims| claims.sub)
            .ok_or(Error::BadToken)
    }

    /// What a token with a good signature says.
    fn claims<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let token = jsonwebtoken::decode(token, &self.checking, &self.validation).ok()?;
        Some(token.claims)
    }
}

/// Whether the header of a token has a `crit`, which names what its reader must understand, and nothing that may be named is
/// understood here: every one is refused (RFC 7515, section 4.1.11). The library reads it, and heeds it not.
fn has_crit(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&header).ok();
    header.is_none_or(|header| header.contains_key("crit"))
}

fn bearer(head: &Head) -> Option<&str> {
    head.header("Authorization").and_then(strip_scheme)
}

fn cookie(head: &Head) -> Option<&str> {
    head.all("Cookie")
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| strip_scheme(value.trim_matches('"')))
}

/// Whether the request comes from a page of ours, or from no page at all (RFC 6454, section 7).
fn same_origin(head: &Head) -> bool {
    let Some(origin) = head.header("Origin") else {
        return true;
    };
    // The scheme is left out: behind a proxy that adds TLS we do not know our own.
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| {
        head.header("Host")
            .is_some_and(|host| host.eq_ignore_ascii_case(authority))
    })
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

    /// A token by hand, because the library signs none that is odd.
    fn by_hand(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, DEVELOPMENT_KEY.as_bytes());
        let signature = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    const HEADER: &str = r#"{"alg":"HS256"}"#;

    fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn a_token_that_is_not_good_yet_is_refused_but_for_a_clock_that_is_a_little_ahead() {
        let user = |nbf: &str| auth().user(&by_hand(HEADER, &format!(r#"{{"sub":"ada","nbf":{nbf}}}"#)));
        for good in [
            "0",
            "-1",
            "-1e300",
            "1.5",
            &now().to_string(),
            &(now() + 55).to_string(),
            &format!("{}.5", now()),
        ] {
            assert_eq!(user(good).as_deref(), Ok("ada"), "{good}");
        }
        let late = [
            (now() + 65).to_string(),
            format!("{}.5", now() + 65),
            (now() + 3600).to_string(),
        ];
        for bad in late.iter().map(String::as_str).chain([
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
            "1e400",
            "\"0\"",
            "null",
            "true",
            "[]",
            "[0]",
            "{}",
            "0,\"nbf\":0",
        ]) {
            assert_eq!(user(bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn an_end_is_a_number_and_forgiven_whichever() {
        let user = |exp: &str| auth().user(&by_hand(HEADER, &format!(r#"{{"sub":"ada","exp":{exp}}}"#)));
        for good in ["0", "-1", "1652545719.5", "4000000000", "18446744073709551616"] {
            assert!(user(good).is_ok(), "{good}");
        }
        for bad in ["\"4000000000\"", "null", "false", "[]", "1e400", "1,\"exp\":2"] {
            assert_eq!(user(bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn a_header_with_anything_critical_is_refused() {
        let user = |header: &str| auth().user(&by_hand(header, r#"{"sub":"ada"}"#));
        for good in [
            HEADER,
            r#"{"alg":"HS256","typ":"JWT","kid":"x","critical":["x"],"x":{"crit":1}}"#,
        ] {
            assert!(user(good).is_ok(), "{good}");
        }
        for crit in [
            r#"["x"]"#,
            r#"["exp"]"#,
            r#"["b64"]"#,
            "[]",
            "null",
            r#""""#,
            r#""exp""#,
            "{}",
            "1",
            "[1]",
        ] {
            for name in ["crit", r"cr\u0069t"] {
                let header = format!(r#"{{"alg":"HS256","x":1,"{name}":{crit}}}"#);
                assert_eq!(user(&header), Err(Error::BadToken), "{header}");
            }
        }
        for odd in [
            "",
            "[]",
            r#"{"alg":"HS256"} x"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"typ":"JWT"}"#,
        ] {
            assert_eq!(user(odd), Err(Error::BadToken), "{odd}");
        }
    }

    #[test]
    fn claims_are_one_json_object_in_plain_base64url() {
        for odd in [
            "",
            "[]",
            r#"{"sub":"ada"} "x""#,
            r#"{"sub":"ada","sub":"bob"}"#,
            r#"{"sub":"\ud800"}"#,
            r#"{"sub":null}"#,
        ] {
            assert_eq!(auth().user(&by_hand(HEADER, odd)), Err(Error::BadToken), "{odd}");
        }
        let good = by_hand(HEADER, r#"{"sub":"ada"}"#);
        assert!(auth().user(&good).is_ok());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        // The last letter of a signature has two bits that stand for nothing.
        let last = signature.bytes().last().unwrap();
        let stray = char::from(
            if last.is_ascii_digit() && last < b'9'
                || last.is_ascii_lowercase() && last < b'z'
                || last.is_ascii_uppercase() && last < b'Z'
            {
                last + 1
            } else {
                last - 1
            },
        );
        let (begin, _) = signature.split_at(signature.len() - 1);
        for bad in [
            format!("{good}="),
            format!("{good}."),
            format!("{good} x"),
            format!("{signed}.{begin}{stray}"),
            format!(" .{good}"),
        ] {
            assert_eq!(auth().user(&bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn whoever_knows_the_published_key_is_recognised_also_in_tokens_that_are_refused() {
        for claims in [r#"{"sub":"ada"}"#, r#"{"sub":"ada","nbf":1e300}"#, r#"{"sub":""}"#] {
            assert!(
                is_signed_with_published_key(&by_hand(r#"{"alg":"HS256","crit":["x"]}"#, claims)),
                "{claims}"
            );
        }
        let other = signed(Algorithm::HS256, "another key", &serde_json::json!({ "sub": "ada" }));
        assert!(!is_signed_with_published_key(&other));
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
