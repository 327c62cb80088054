//! "Try it out" in Swagger UI: what it fills in, as it is delivered, makes requests that work and change nothing that is there.

use serde_json::{Value, json};

use crate::harness::{Answer, Store, encode};

/// An operation of the document: its method, its path, and what the document says of it.
type Operation = (String, String, Value);

fn operations(store: &Store) -> Vec<Operation> {
    let document = store.get("/openapi.json").expect(200).json();
    let paths = document["paths"].as_object().expect("paths").clone();
    let of = |(path, methods): (String, Value)| {
        let methods = methods.as_object().expect("methods").clone();
        methods
            .into_iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    };
    paths.into_iter().flat_map(of).collect()
}

fn parameters<'a>(operation: &'a Value, place: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = operation["parameters"].as_array().expect("parameters").iter();
    all.filter(move |parameter| parameter["in"] == place)
}

/// What Swagger UI 5 fills in, in the order in which it looks (`setDefaultValue` of its parameter rows). For an object, also one that is
/// said by `allOf`, `anyOf` or `oneOf`, it makes a value up if there is no other.
fn filled_in(parameter: &Value) -> Option<String> {
    let content = parameter["content"]
        .as_object()
        .and_then(|content| content.values().next());
    let content = content.cloned().unwrap_or_default();
    let schema = if parameter["schema"].is_null() {
        &content["schema"]
    } else {
        &parameter["schema"]
    };
    let examples = parameter["examples"].as_object().and_then(|all| all.values().next());
    let parts = ["allOf", "anyOf", "oneOf"]
        .iter()
        .filter_map(|word| schema[word].get(0));
    let is_object = std::iter::once(schema)
        .chain(parts)
        .any(|schema| schema["type"] == "object");
    let made_up = match is_object && examples.is_none() {
        true => json!({}),
        false => Value::Null,
    };
    let value = [
        examples.map_or(&Value::Null, |example| &example["value"]),
        &content["example"],
        &parameter["example"],
        &schema["example"],
        &schema["default"],
        &made_up,
    ]
    .into_iter()
    .find(|value| !value.is_null())?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_string))
}

/// Executes an operation with what is filled in, after the query was changed.
fn execute(
    store: &Store,
    (method, path, operation): &Operation,
    change: impl Fn(&mut Vec<(String, String)>),
) -> Answer {
    let name = |parameter: &Value| parameter["name"].as_str().expect("a name").to_string();
    let mut target = path.clone();
    for parameter in parameters(operation, "path") {
        let value = filled_in(parameter).expect("a path is filled in");
        target = target.replace(&format!("{{{}}}", name(parameter)), &value);
    }
    let query = parameters(operation, "query").filter_map(|parameter| Some((name(parameter), filled_in(parameter)?)));
    let mut query: Vec<(String, String)> = query.collect();
    change(&mut query);
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let target = format!("{target}?{}", pairs.join("&"));
    match &**path {
        "/token" => store.post(
            &target,
            "application/x-www-form-urlencoded",
            b"username=ada&password=ada",
        ),
        _ if method == "POST" => store.post(&target, "image/png", b""),
        _ => store.ask(method, &target, &[("Authorization", &store.bearer())], None),
    }
}

/// Of plain requests, those to the WebSockets cannot succeed.
fn expected(path: &str) -> u16 {
    match path {
        "/data/{stream_id}/push" | "/data/{stream_id}/pull" => 400,
        "/redoc" => 307,
        _ => 200,
    }
}

#[test]
fn every_operation_works_as_it_is_filled_in() {
    let store = Store::start();
    let operations = operations(&store);
    assert_eq!(operations.len(), ptg_store::request::router::ROUTES.len());
    for has_entries in [false, true] {
        for operation in &operations {
            let (method, path, _) = operation;
            store.delete("/streams/cam0?force=true").expect(200);
            if has_entries || method == "DELETE" {
                store.add("cam0", &[b"\xff\xd8\xff one", b"\xff\xd8\xff two"]);
            }
            let answer = execute(&store, operation, |_| {});
            assert_eq!(answer.status, expected(path), "{method} {path}: {answer:?}");
            if answer.status == 400 {
                assert!(answer.detail().contains("This is a WebSocket endpoint"), "{answer:?}");
            }
        }
    }
}

#[test]
fn what_is_filled_in_for_put_overwrites_nothing() {
    let store = Store::start();
    let operations = operations(&store);
    let put = operations.iter().find(|(method, ..)| method == "PUT").expect("PUT");
    let made = execute(&store, put, |_| {}).expect(200).json();
    assert_eq!(
        made,
        json!({"id": "cam0", "description": "cam0", "metadata": {}, "max_len": 1000})
    );
    let described = store
        .put("/streams/cam0?override=true&desc=front&max_len=7&meta=%7B%22fps%22:30%7D")
        .expect(200)
        .json();
    execute(&store, put, |_| {}).expect(400);
    let overriding = |query: &mut Vec<(String, String)>| query.push(("override".into(), "true".into()));
    assert_eq!(execute(&store, put, overriding).expect(200).json(), described);
}

#[test]
fn each_choice_beside_what_is_filled_in_contradicts_nothing() {
    let store = Store::start();
    let mut choices = 0;
    for operation in operations(&store) {
        let (method, path, about) = &operation;
        for parameter in parameters(about, "query") {
            let name = parameter["name"].as_str().expect("a name");
            let words: Vec<String> = match parameter["schema"]["enum"].as_array() {
                Some(words) => words
                    .iter()
                    .map(|word| word.as_str().expect("a word").to_string())
                    .collect(),
                None if !parameter["schema"]["anyOf"].is_null() => vec!["true".into(), "false".into()],
                None => continue,
            };
            for word in words {
                store.delete("/streams/cam0?force=true").expect(200);
                store.add("cam0", &[b"entry"]);
                let answer = execute(&store, &operation, |query| {
                    query.retain(|(known, _)| known != name);
                    query.push((name.to_string(), word.clone()));
                    if name == "follow" {
                        query.push(("timeout".into(), "1".into()));
                    }
                    // It says itself that it needs this.
                    if word == "report" {
                        query.push(("ack".into(), "true".into()));
                    }
                });
                assert_eq!(
                    answer.status,
                    expected(path),
                    "{method} {path} {name}={word}: {answer:?}"
                );
                choices += 1;
            }
        }
    }
    assert!(choices > 20, "{choices}");
}

#[test]
fn optional_parameters_have_no_examples_that_would_be_sent() {
    let store = Store::start();
    for (method, path, about) in operations(&store) {
        for parameter in parameters(&about, "query") {
            assert_eq!(parameter["required"], false);
            // A camera's picture is shown when the reply has ended.
            if (path.as_str(), &parameter["name"]) == ("/mjpeg/{stream_id}", &json!("until")) {
                continue;
            }
            let default = &parameter["schema"]["default"];
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_string);
            let sent = filled_in(parameter);
            assert!(
                sent.as_ref().is_none_or(|sent| *sent == default),
                "{method} {path}: {parameter} sends {sent:?}"
            );
        }
    }
}
