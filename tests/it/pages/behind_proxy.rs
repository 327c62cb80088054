//! docs/pages.md: a proxy may show the store under a path of its own host, and send it requests as if they came to the store itself.
//! `tests/browser/test_prefix.py` does so with nginx.

use serde_json::Value;

use crate::harness::{Answer, Store};

/// Addresses in the attributes of a page, and in its script.
fn addresses(page: &str) -> Vec<String> {
    let of = |before: &str| {
        let parts = page.split(before).skip(1);
        parts
            .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    [of("src=\""), of("href=\""), of("url: \""), of("action=\"")].concat()
}

/// What a browser makes of a relative address on a page (RFC 3986, section 5.2), without its dots.
fn resolve(page: &str, address: &str) -> String {
    let mut segments: Vec<&str> = page.split('/').skip(1).collect();
    segments.pop();
    for part in address.split('/') {
        match part {
            "." => {}
            ".." => drop(segments.pop()),
            part => segments.push(part),
        }
    }
    format!("/{}", segments.join("/"))
}

fn ask(store: &Store, method: &str, path: &str, lines: &[&str]) -> Answer {
    store.exchange(store.head(method, path, lines))
}

#[test]
fn pages_and_documents_lead_to_the_store_wherever_it_is_shown() {
    let store = Store::start();
    for (path, leads_to) in [
        ("/", &["/docs"][..]),
        (
            "/docs",
            &["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"],
        ),
        (
            "/docs/",
            &["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"],
        ),
    ] {
        let page = store.get(path).expect(200);
        let found: Vec<String> = addresses(page.text())
            .into_iter()
            .filter(|address| !address.starts_with("data:"))
            .collect();
        assert!(
            !found.is_empty() && found.iter().all(|address| !address.starts_with('/')),
            "{path}: {found:?}"
        );
        for prefix in ["", "/ptg", "/a/b"] {
            let found: Vec<String> = found
                .iter()
                .map(|address| resolve(&format!("{prefix}{path}"), address))
                .collect();
            for wanted in leads_to {
                assert!(
                    found.contains(&format!("{prefix}{wanted}")),
                    "{path} under {prefix}: {found:?}"
                );
            }
        }
    }
    for (path, to) in [("/redoc", "docs"), ("/redoc/", "../docs"), ("/%72edoc?a=b/", "docs")] {
        assert_eq!(store.get(path).expect(307).header("location"), Some(to), "{path}");
    }
}

#[test]
fn the_documents_name_the_store_as_its_clients_see_it() {
    let store = Store::start();
    for path in ["/openapi.json", "/openapi.json/"] {
        let document = store.get(path).expect(200).json();
        let url = |pointer: &str| {
            document
                .pointer(pointer)
                .and_then(Value::as_str)
                .expect(pointer)
                .to_owned()
        };
        let server = url("/servers/0/url");
        let token = url("/components/securitySchemes/password/flows/password/tokenUrl");
        for prefix in ["", "/ptg", "/a/b"] {
            let page = format!("{prefix}{path}");
            assert_eq!(
                resolve(&page, &server).trim_end_matches('/'),
                prefix,
                "{server} in {page}"
            );
            assert_eq!(resolve(&page, &token), format!("{prefix}/token"), "{token} in {page}");
        }
    }
    let server =
        |lines: &[&str]| ask(&store, "GET", "/asyncapi.json", lines).expect(200).json()["servers"]["store"].clone();
    let direct = server(&[]);
    assert_eq!(
        (&direct["host"], &direct["protocol"]),
        (&store.addr().to_string().into(), &"ws".into())
    );
    assert_eq!(direct["pathname"], Value::Null);
    let proxied = server(&[
        "X-Forwarded-Host: localhost:8443",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Prefix: /ptg/",
    ]);
    assert_eq!(
        (&proxied["host"], &proxied["protocol"]),
        (&"localhost:8443".into(), &"wss".into())
    );
    assert_eq!(proxied["pathname"], "/ptg");
}

#[test]
fn the_cookie_goes_to_the_prefix_that_the_proxy_names_and_a_hostile_one_names_none() {
    let store = Store::start();
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let path_of = |prefix: &str| {
        let line = format!("X-Forwarded-Prefix: {prefix}");
        let request = store.head("POST", "/token", &[&line, kind, "Content-Length: 25"]) + "username=ada&password=ada";
        let signed_in = store.exchange(request).expect(200);
        let signed_out = ask(&store, "POST", "/signout", &[&line, "Content-Length: 0"]).expect(200);
        let path = |answer: &Answer| {
            let set = answer.header("set-cookie").expect("a cookie").to_owned();
            assert!(
                set.starts_with("authorization=") && set.ends_with("; SameSite=Lax"),
                "{set}"
            );
            let attributes: Vec<&str> = set.split("; ").collect();
            assert_eq!(attributes.len(), 5, "{set}");
            attributes[3].strip_prefix("Path=").expect("a path").to_owned()
        };
        assert_eq!(path(&signed_in), path(&signed_out), "or it would stay");
        path(&signed_in)
    };
    assert_eq!(path_of("/ptg"), "/ptg");
    assert_eq!(path_of("/lab/store/"), "/lab/store");
    for hostile in [
        "//evil.example",
        "https://evil.example",
        "ptg",
        "/a;Domain=evil.example",
        "/a, /b",
        "/a b",
        "/../x",
        "/",
        "",
    ] {
        assert_eq!(path_of(hostile), "/", "{hostile}");
    }
}
