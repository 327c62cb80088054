//! Tokens: where one is looked for, and which ones are refused (docs/protocol.md, section 3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{DEVELOPMENT_KEY, Store, encode, token_for};

/// As the seed prints it; its `exp` was in May 2022.
const SEED_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwdGciLCJleHAiOjE2NTI1NDU3MTl9.8S6dal-Q97TfJZG7rYLQWe5n3IovU9qCmtPYo7voNN4";

#[test]
fn the_seeds_token_is_accepted() {
    let store = Store::start();
    let bearer = format!("Bearer {SEED_TOKEN}");
    store
        .ask("GET", "/streams/", &[("Authorization", &bearer)], None)
        .expect(200);
    store
        .ask("GET", &format!("/streams/?token={SEED_TOKEN}"), &[], None)
        .expect(200);
    store
        .socket_answer("/data/one/push", &[("Authorization", &bearer)])
        .expect(101);
}

#[test]
fn a_token_may_come_in_the_header_in_any_letter_case() {
    let store = Store::start();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let value = format!("{scheme} {}", store.token);
        store
            .ask("GET", "/streams/", &[("Authorization", &value)], None)
            .expect(200);
        store
            .ask("GET", "/streams/", &[("authorization", &value)], None)
            .expect(200);
    }
}

#[test]
fn a_token_may_come_in_the_query() {
    let store = Store::start();
    store
        .ask("GET", &format!("/streams/?token={}", store.token), &[], None)
        .expect(200);
    store
        .ask(
            "PUT",
            &format!("/streams/one?desc=x&token={}", store.token),
            &[],
            Some(b""),
        )
        .expect(200);
    store
        .socket_answer(&format!("/data/one/pull?token={}", store.token), &[])
        .expect(101);
}

#[test]
fn a_token_may_come_in_the_cookie_with_or_without_quotes() {
    let store = Store::start();
    let token = &store.token;
    let cookies = [
        format!("authorization=\"Bearer {token}\""),
        format!("authorization=Bearer {token}"),
        format!("a=b; authorization=\"Bearer {token}\"; c=d"),
        format!("a=b;authorization=Bearer {token};c=d"),
        format!("authorization=\"bearer {token}\""),
    ];
    for cookie in cookies {
        store.ask("GET", "/streams/", &[("Cookie", &cookie)], None).expect(200);
        store
            .socket_answer("/data/one/pull", &[("Cookie", &cookie)])
            .expect(101);
    }
}

#[test]
fn the_header_comes_before_the_query_and_the_query_before_the_cookie() {
    let store = Store::start();
    let good = format!("Bearer {}", store.token);
    let bad = "Bearer bad";
    let query = |token: &str| format!("/streams/?token={token}");
    let cookie = |token: &str| format!("authorization=\"{token}\"");
    let ask = |path: &str, headers: &[(&str, &str)]| store.ask("GET", path, headers, None);

    ask(&query("bad"), &[("Authorization", &good)]).expect(200);
    ask(&query(&store.token), &[("Authorization", bad)]).expect(401);
    ask(&query("bad"), &[("Cookie", &cookie(&good))]).expect(401);
    ask(&query(&store.token), &[("Cookie", &cookie(bad))]).expect(200);
    ask("/streams/", &[("Authorization", &good), ("Cookie", &cookie(bad))]).expect(200);
    ask("/streams/", &[("Authorization", bad), ("Cookie", &cookie(&good))]).expect(401);
}

#[test]
fn another_scheme_is_no_token() {
    let store = Store::start();
    let basic = ("Authorization", "Basic dGVzdDp0ZXN0");
    let answer = store.ask("GET", "/streams/", &[basic], None).expect(401);
    assert_eq!(answer.detail(), "Not authenticated");
    let path = format!("/streams/?token={}", store.token);
    store.ask("GET", &path, &[basic], None).expect(200);
}

#[test]
fn no_token_is_not_authenticated() {
    let store = Store::start();
    for headers in [&[][..], &[("Cookie", "a=b")], &[("Cookie", "authorizations=Bearer x")]] {
        let answer = store.ask("GET", "/streams/", headers, None).expect(401);
        assert_eq!(answer.json(), json!({"detail": "Not authenticated"}));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn only_hs256_with_the_right_key_is_accepted() {
    let store = Store::start();
    let claims = json!({"sub": "tester", "exp": 4_102_444_800_u64});
    let mut bad = vec![
        signed(Algorithm::HS512, DEVELOPMENT_KEY, &claims),
        signed(Algorithm::HS384, DEVELOPMENT_KEY, &claims),
        signed(Algorithm::HS256, "another key", &claims),
        signed(Algorithm::HS256, "", &claims),
    ];
    for algorithm in ["none", "None", "NONE", "", "HS256 ", "RS256"] {
        let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
        let unsigned = format!("{}.{}", encoded(&header), encoded(&claims.to_string()));
        bad.push(format!("{unsigned}."));
        let signature = token_for("tester");
        let signature = signature.rsplit('.').next().unwrap_or_default();
        bad.push(format!("{unsigned}.{signature}"));
    }
    for token in bad {
        assert_bad(&store, &token);
    }
}

#[test]
fn a_damaged_token_is_refused() {
    let store = Store::start();
    let good = token_for("tester");
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let other_claims = encoded(&json!({"sub": "root", "exp": 4_102_444_800_u64}).to_string());
    let (header, _) = head.split_once('.').expect("three parts");
    let bad = [
        head.to_owned(),
        format!("{head}."),
        format!("{header}.{other_claims}.{signature}"),
        format!("{head}.{}", &signature[1..]),
        format!("{good}.{signature}"),
        good.to_uppercase(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "x".repeat(10_000),
    ];
    for token in bad {
        assert_bad(&store, &token);
    }
}

#[test]
fn a_token_must_name_its_user() {
    let store = Store::start();
    let exp = 4_102_444_800_u64;
    let bad = [
        json!(""),
        json!(null),
        json!(7),
        json!(["tester"]),
        json!({"a": "b"}),
        json!(true),
    ];
    for sub in bad {
        assert_bad(
            &store,
            &signed(Algorithm::HS256, DEVELOPMENT_KEY, &json!({"sub": sub, "exp": exp})),
        );
    }
    assert_bad(&store, &signed(Algorithm::HS256, DEVELOPMENT_KEY, &json!({"exp": exp})));
    assert_bad(&store, &signed(Algorithm::HS256, DEVELOPMENT_KEY, &json!("tester")));
}

#[test]
fn a_token_that_is_not_good_yet_or_names_something_critical_is_refused() {
    let store = Store::start();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs();
    let with = |nbf: Value| {
        signed(
            Algorithm::HS256,
            DEVELOPMENT_KEY,
            &json!({"sub": "ada", "nbf": nbf, "exp": now + 7200}),
        )
    };
    for nbf in [
        json!(now + 3600),
        json!(now + 60),
        json!(1e300),
        json!(u64::MAX),
        json!("0"),
        json!(null),
        json!([0]),
    ] {
        assert_bad(&store, &with(nbf));
    }
    for nbf in [json!(now), json!(0), json!(-1), json!(now as f64 - 0.5)] {
        let bearer = format!("Bearer {}", with(nbf));
        store
            .ask("GET", "/streams/", &[("Authorization", &bearer)], None)
            .expect(200);
    }
    for crit in [vec!["x"], vec!["exp"], vec![]] {
        let mut header = Header::new(Algorithm::HS256);
        header.crit = Some(crit.into_iter().map(str::to_owned).collect());
        let key = EncodingKey::from_secret(DEVELOPMENT_KEY.as_bytes());
        let token = jsonwebtoken::encode(&header, &json!({"sub": "ada", "exp": now + 7200}), &key);
        assert_bad(&store, &token.expect("a signed token"));
    }
}

/// Refused wherever it comes from, over REST and before an upgrade.
#[track_caller]
fn assert_bad(store: &Store, token: &str) {
    let bearer = format!("Bearer {token}");
    let answers = [
        store.ask("GET", "/streams/", &[("Authorization", &bearer)], None),
        store.ask("GET", &format!("/streams/?token={}", encode(token)), &[], None),
        store.ask(
            "GET",
            "/streams/",
            &[("Cookie", &format!("authorization=\"{bearer}\""))],
            None,
        ),
        store.socket_answer("/data/one/push", &[("Authorization", &bearer)]),
    ];
    for answer in answers {
        let answer = answer.expect(401);
        assert_eq!(
            answer.json(),
            json!({"detail": "Could not validate credentials"}),
            "{token}"
        );
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

fn signed(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("a signed token")
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
