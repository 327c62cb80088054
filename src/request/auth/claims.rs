//! What a token says, once its signature is found good: whose it is, and whether it is good by now (RFC 7519, RFC 7515).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How far the clock of whoever made a token may be ahead of ours: machines that set their clocks are far closer.
const CLOCK_LEEWAY: Duration = Duration::from_secs(10);

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

/// The user of a token that is good now; called by `Auth`. The library would look at the times, too, but not at every number.
pub fn user(token: &str, key: &DecodingKey, validation: &Validation) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = (now + CLOCK_LEEWAY).as_secs_f64();
    let claims: Claims = signed(token, key, validation)?;
    let is_good = !claims.sub.is_empty() && claims.nbf <= latest && !has_crit(token);
    is_good.then_some(claims.sub)
}

/// What a token with a good signature says.
pub fn signed<T: DeserializeOwned>(token: &str, key: &DecodingKey, validation: &Validation) -> Option<T> {
    let token = jsonwebtoken::decode(token, key, validation).ok()?;
    Some(token.claims)
}

/// Whether the header of a token has a `crit`, which names what its reader must understand, and nothing that may be named is
/// understood here: every one is refused (RFC 7515, section 4.1.11). The library reads it, and heeds it not.
fn has_crit(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&header).ok();
    header.is_none_or(|header| header.contains_key("crit"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::auth::{Auth, DEVELOPMENT_KEY, is_signed_with_published_key};
    use crate::words::error::Error;

    fn user(token: &str) -> Result<String, Error> {
        Auth::development(Duration::ZERO).user(token)
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
        let of = |nbf: &str| user(&by_hand(HEADER, &format!(r#"{{"sub":"ada","nbf":{nbf}}}"#)));
        for good in [
            "0",
            "-1",
            "-1e300",
            "1.5",
            &now().to_string(),
            &(now() + 9).to_string(),
            &format!("{}.5", now()),
        ] {
            assert_eq!(of(good).as_deref(), Ok("ada"), "{good}");
        }
        let late = [
            (now() + 60).to_string(),
            format!("{}.5", now() + 60),
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
            assert_eq!(of(bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn an_end_is_a_number_and_forgiven_whichever() {
        let of = |exp: &str| user(&by_hand(HEADER, &format!(r#"{{"sub":"ada","exp":{exp}}}"#)));
        for good in ["0", "-1", "1652545719.5", "4000000000", "18446744073709551616"] {
            assert!(of(good).is_ok(), "{good}");
        }
        for bad in ["\"4000000000\"", "null", "false", "[]", "1e400", "1,\"exp\":2"] {
            assert_eq!(of(bad), Err(Error::BadToken), "{bad}");
        }
    }

    #[test]
    fn a_header_with_anything_critical_is_refused() {
        let of = |header: &str| user(&by_hand(header, r#"{"sub":"ada"}"#));
        for good in [
            HEADER,
            r#"{"alg":"HS256","typ":"JWT","kid":"x","critical":["x"],"x":{"crit":1}}"#,
        ] {
            assert!(of(good).is_ok(), "{good}");
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
                assert_eq!(of(&header), Err(Error::BadToken), "{header}");
            }
        }
        for odd in [
            "",
            "[]",
            r#"{"alg":"HS256"} x"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"typ":"JWT"}"#,
        ] {
            assert_eq!(of(odd), Err(Error::BadToken), "{odd}");
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
            assert_eq!(user(&by_hand(HEADER, odd)), Err(Error::BadToken), "{odd}");
        }
        let good = by_hand(HEADER, r#"{"sub":"ada"}"#);
        assert!(user(&good).is_ok());
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
            assert_eq!(user(&bad), Err(Error::BadToken), "{bad}");
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
        let (rest, _) = by_hand(HEADER, r#"{"sub":"ada"}"#)
            .rsplit_once('.')
            .map(|(rest, end)| (rest.to_string(), end.len()))
            .unwrap();
        assert!(!is_signed_with_published_key(&format!(
            "{rest}.{}",
            URL_SAFE_NO_PAD.encode([0; 32])
        )));
    }
}
