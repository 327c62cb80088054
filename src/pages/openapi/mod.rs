//! `/openapi.json`: the OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.0>), made from the table of routes,
//! so that no route and no status can be left out.

mod operations;
pub mod parts;

use serde_json::{Map, Value, json};

use crate::request::router::{Access, COMMON_STATUSES, ROUTES, Route};

/// The whole document. `root` is the relative way from it to the store's root: nothing, or `../`.
pub fn document(root: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.pattern).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "PTG Data Store",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "REST and WebSocket in front of Redis Streams",
            "description": include_str!("description.md").replace("ROOT", root),
        },
        "servers": [{ "url": format!("{root}."), "description": "this store" }],
        "tags": [
            { "name": "sign-in", "description": "A password becomes a token." },
            { "name": "streams", "description": "Which streams there are, and what they are." },
            { "name": "data", "description": "Entries in and out." },
            { "name": "operations", "description": "How the store is, and its pages." },
        ],
        "paths": paths,
        "components": parts::components(root),
    })
}

fn operation(route: &Route) -> Value {
    let own = operations::of(route.endpoint);
    let mut responses = Map::new();
    for status in route.statuses.iter().chain(COMMON_STATUSES) {
        let response = match own.success.as_ref().filter(|(success, _)| success == status) {
            Some((_, response)) => response.clone(),
            None => json!({ "$ref": format!("#/components/responses/{status}") }),
        };
        responses.insert(status.to_string(), response);
    }
    let mut operation = json!({
        "operationId": own.id,
        "tags": [own.tag],
        "summary": own.summary,
        "description": own.description,
        "parameters": own.parameters,
        "responses": responses,
    });
    if let Some(body) = own.body {
        operation["requestBody"] = body;
    }
    if route.access == Access::SignedIn {
        operation["security"] = json!([{ "bearer": [] }, { "password": [] }, { "query": [] }, { "cookie": [] }]);
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::request::call;
    use crate::request::params::Params;
    use crate::request::router;
    use crate::words::http::Head;

    /// Query parameters that every signed-in route takes, asked for before a route reads its own.
    const TOKEN: &str = "token";

    fn operations() -> Vec<(String, String, Value)> {
        let document = document("");
        let paths = document["paths"].as_object().unwrap();
        let of = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().clone();
            let path = path.clone();
            methods
                .into_iter()
                .map(move |(method, operation)| (method, path.clone(), operation))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(of).collect()
    }

    #[test]
    fn the_document_has_every_route_and_status_of_the_code_and_no_other() {
        let documented: BTreeSet<_> = operations()
            .into_iter()
            .map(|(method, path, operation)| {
                let statuses: BTreeSet<u16> = operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|key| key.parse().unwrap())
                    .collect();
                (method.to_uppercase(), path, statuses)
            })
            .collect();
        let coded: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| {
                let statuses = route.statuses.iter().chain(COMMON_STATUSES).copied().collect();
                (route.method.to_string(), route.pattern.to_string(), statuses)
            })
            .collect();
        assert_eq!(documented, coded);
    }

    #[test]
    fn the_document_has_every_parameter_that_the_code_asks_for_and_no_other() {
        for (method, path, operation) in operations() {
            let documented: BTreeSet<String> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| {
                    format!(
                        "{} {}",
                        parameter["in"].as_str().unwrap(),
                        parameter["name"].as_str().unwrap()
                    )
                })
                .collect();
            let method = method.to_uppercase();
            let found = router::find(&method, &path).unwrap();
            let mut asked: BTreeSet<String> = BTreeSet::new();
            if let Some((_, name)) = path.split_once('{') {
                asked.insert(format!("path {}", name.split_once('}').unwrap().0));
            }
            let mut params = Params::new("");
            call::read(found, &mut params, &Head::default(), 1000);
            asked.extend(
                params
                    .asked()
                    .iter()
                    .filter(|name| **name != TOKEN)
                    .map(|name| format!("query {name}")),
            );
            assert_eq!(documented, asked, "{method} {path}");
        }
    }

    #[test]
    fn an_array_in_a_form_is_sent_as_one_part_for_each_item() {
        let mut arrays = 0;
        for (method, path, operation) in operations() {
            let form = &operation["requestBody"]["content"]["multipart/form-data"];
            for (name, property) in form["schema"]["properties"].as_object().into_iter().flatten() {
                if property["type"] == "array" {
                    arrays += 1;
                    assert_eq!(form["encoding"][name]["explode"], true, "{method} {path} {name}");
                }
            }
        }
        assert_eq!(arrays, 1);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_response_has_an_example() {
        let document = document("");
        let resolve = |value: &Value| match value["$ref"].as_str() {
            Some(reference) => document
                .pointer(reference.trim_start_matches('#'))
                .cloned()
                .expect(reference),
            None => value.clone(),
        };
        for (method, path, operation) in operations() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = resolve(response);
                assert!(response["description"].is_string(), "{method} {path} {status}");
                for (kind, content) in response["content"].as_object().into_iter().flatten() {
                    let examples = content["examples"].as_object().into_iter().flatten();
                    let has =
                        !content["example"].is_null() || examples.count() > 0 || content["schema"]["const"] == true;
                    assert!(has, "{method} {path} {status} {kind}");
                    resolve(&content["schema"]);
                }
            }
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let reference = reference.split('"').next().unwrap();
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
