//! `POST /token`: who gets a token, and what it is (docs/protocol.md, section 3).

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, DEVELOPMENT_KEY, Store, multipart};

const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=b";
const THIRTY_DAYS: u64 = 30 * 24 * 3600;

#[test]
fn a_good_sign_in_returns_a_token_that_lets_in() {
    let store = Store::start();
    let answer = sign_in(&store, "username=test&password=test").expect(200);
    let reply = answer.json();
    assert_eq!(reply["token_type"], "bearer");
    assert_eq!(reply.as_object().map(serde_json::Map::len), Some(2));
    let bearer = format!("Bearer {}", access_token(&answer));
    store
        .ask("GET", "/streams/", &[("Authorization", &bearer)], None)
        .expect(200);
}

#[test]
fn the_token_is_hs256_with_the_users_name_and_an_end_in_thirty_days() {
    let store = Store::start();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs();
    let answer = sign_in(&store, "username=J%C3%BCrgen+M%2B1&password=J%C3%BCrgen+M%2B1").expect(200);
    let key = DecodingKey::from_secret(DEVELOPMENT_KEY.as_bytes());
    let validation = Validation::new(Algorithm::HS256);
    let token = jsonwebtoken::decode::<Value>(access_token(&answer), &key, &validation);
    let token = token.expect("a token signed with the development key");
    assert_eq!(token.claims["sub"], "Jürgen M+1");
    let end = token.claims["exp"].as_u64().expect("exp");
    assert!(end.abs_diff(now + THIRTY_DAYS) < 120, "{end}, now {now}");
}

#[test]
fn the_token_life_is_a_flag() {
    let store = Store::with(&["--token-life", "2m"]);
    let answer = sign_in(&store, "username=test&password=test").expect(200);
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("Max-Age=120;"), "{cookie}");
}

#[test]
fn the_token_is_also_set_as_a_cookie() {
    let store = Store::start();
    let answer = sign_in(&store, "username=test&password=test").expect(200);
    let expected = format!(
        "authorization=\"Bearer {}\"; HttpOnly; Max-Age={THIRTY_DAYS}; Path=/; SameSite=Lax",
        access_token(&answer)
    );
    assert_eq!(answer.header("set-cookie"), Some(expected.as_str()));
}

#[test]
fn a_form_may_be_multipart() {
    let store = Store::start();
    let (kind, body) = multipart(&[("username", "größe".as_bytes()), ("password", "größe".as_bytes())]);
    store.post("/token", &kind, &body).expect(200);
    let (kind, body) = multipart(&[("username", b"a"), ("password", b"b")]);
    store.post("/token", &kind, &body).expect(401);
    let (kind, body) = multipart(&[("username", b"a")]);
    let answer = store.post("/token", &kind, &body);
    assert_eq!(
        answer.faults(),
        [("password".to_owned(), "value_error.missing".to_owned())]
    );
}

#[test]
fn a_form_may_carry_what_oauth_clients_send() {
    let store = Store::start();
    let form = "grant_type=password&username=test&password=test&scope=a+b&client_id=x&client_secret=y&other=z";
    sign_in(&store, form).expect(200);
}

#[test]
fn a_forms_content_type_may_have_parameters_and_any_letter_case() {
    let store = Store::start();
    let kind = "Application/X-WWW-Form-URLEncoded; charset=utf-8";
    store.post("/token", kind, b"username=test&password=test").expect(200);
}

#[test]
fn another_grant_type_is_refused() {
    let store = Store::start();
    let answer = sign_in(&store, "grant_type=refresh_token&username=test&password=test");
    assert_eq!(
        answer.faults(),
        [("grant_type".to_owned(), "value_error.str.regex".to_owned())]
    );
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "grant_type"]));
}

#[test]
fn a_wrong_password_is_401() {
    let store = Store::start();
    for form in [
        "username=test&password=other",
        "username=test&password=TEST",
        "username=test&password=test+",
    ] {
        let answer = sign_in(&store, form).expect(401);
        assert_eq!(
            answer.json(),
            json!({"detail": "Incorrect username or password"}),
            "{form}"
        );
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn a_slip_in_the_name_of_the_token_is_told_to_those_who_have_no_other() {
    let store = Store::start();
    for slip in ["Token", "tokne", "tokens"] {
        let path = format!("/data/one?{slip}={}", store.token);
        let refused = store.ask("GET", &path, &[], None).expect(401);
        let sentence = format!("Not authenticated: there is no parameter '{slip}'; did you mean 'token'?");
        assert_eq!(refused.detail(), sentence);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    for other in ["", "access_token=x", "t=1&_=2", "coutn=1"] {
        let refused = store.ask("GET", &format!("/data/one?{other}"), &[], None).expect(401);
        assert_eq!(refused.detail(), "Not authenticated", "{other}");
    }
    let bad = store.ask("GET", "/data/one?Token=x&token=bad", &[], None).expect(401);
    assert_eq!(bad.detail(), "Could not validate credentials");
}

#[test]
fn fields_missing_or_empty_are_422_all_at_once() {
    let store = Store::start();
    let missing = |field: &str| json!({"loc": ["body", field], "msg": "field required", "type": "value_error.missing"});
    let both = json!({"detail": [missing("username"), missing("password")]});
    for form in ["", "username=&password=", "user=test", "password=", "username"] {
        assert_eq!(sign_in(&store, form).expect(422).json(), both, "{form}");
    }
    let password = json!({"detail": [missing("password")]});
    for form in ["username=test", "username=test&password="] {
        assert_eq!(sign_in(&store, form).expect(422).json(), password, "{form}");
    }
    let username = json!({"detail": [missing("username")]});
    for form in ["password=test", "username=&password=test"] {
        assert_eq!(sign_in(&store, form).expect(422).json(), username, "{form}");
    }
}

#[test]
fn a_body_that_is_no_form_has_no_fields() {
    let store = Store::start();
    let body = br#"{"username":"test","password":"test"}"#;
    let answer = store.post("/token", "application/json", body);
    assert_eq!(answer.faults().len(), 2);
    let answer = store.ask("POST", "/token?username=test&password=test", &[], Some(b""));
    assert_eq!(answer.faults().len(), 2);
}

#[test]
fn credentials_that_are_not_utf_8_are_422_and_never_the_same_as_others() {
    let store = Store::start();
    let fault = |name: &str| json!({"loc": ["body", name], "msg": "value is not UTF-8", "type": "type_error.str"});
    let both = json!({"detail": [fault("username"), fault("password")]});
    let parts = |user: &[u8], password: &[u8]| {
        let named = |name: &str| format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n").into_bytes();
        [
            &named("username"),
            user,
            b"\r\n",
            &named("password"),
            password,
            b"\r\n--b--",
        ]
        .concat()
    };
    for (kind, body) in [
        (FORM, b"username=%E4&password=%F6".to_vec()),
        (FORM, b"username=k%E4the&password=k%F6the".to_vec()),
        (FORM, b"username=%FF&password=%FF".to_vec()),
        (FORM, b"username=\xe4&password=\xf6".to_vec()),
        (FORM, b"username=%ED%A0%80&password=%ED%A0%80".to_vec()),
        (PARTS, parts(b"\xe4", b"\xf6")),
        (PARTS, parts(b"k\xe4the", b"k\xe4the")),
    ] {
        assert_eq!(
            store.post("/token", kind, &body).expect(422).json(),
            both,
            "{}",
            body.escape_ascii()
        );
    }
    // U+FFFD itself is a character like any other.
    store
        .post("/token", FORM, b"username=%EF%BF%BD&password=%EF%BF%BD")
        .expect(200);
    store
        .post("/token", FORM, b"username=%EF%BF%BD&password=%FF")
        .expect(422);
    // Fields that nobody reads may be anything; a lone % is one, by the URL standard.
    store
        .post("/token", FORM, b"scope=%FF&%FE=x&username=100%25&password=100%")
        .expect(200);
    store.post("/token", FORM, b"username=%zz&password=%ZZ").expect(401);
}

#[test]
fn a_credential_that_is_sent_twice_is_422() {
    let store = Store::start();
    for name in ["username", "password", "grant_type"] {
        let form = format!("username=ada&password=ada&grant_type=password&{name}=ada");
        let parts: String = form
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"))
            .collect();
        for (kind, body) in [(FORM, form.clone()), (PARTS, parts + "--b--")] {
            let answer = store.post("/token", kind, body.as_bytes());
            assert_eq!(
                answer.faults(),
                [(name.to_owned(), "value_error.repeated".to_owned())],
                "{body}"
            );
        }
    }
}

#[track_caller]
fn sign_in(client: &Client, form: &str) -> Answer {
    client.ask("POST", "/token", &[("Content-Type", FORM)], Some(form.as_bytes()))
}

#[track_caller]
fn access_token(answer: &Answer) -> String {
    let reply = answer.json();
    reply["access_token"].as_str().expect("access_token").to_owned()
}
