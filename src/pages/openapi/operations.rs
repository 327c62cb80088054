//! What each route is for: summary, parameters, body and its good answer.

use serde_json::{Value, json};

use super::parts::{
    self, boolean, count, cursor, format, json_response, max_rate, on_error, pace, query, stream_id, timeout, until,
};
use crate::request::router::Endpoint;

/// What those see who try a WebSocket out.
const NO_SOCKET: &str =
    "**Execute** opens no WebSocket, so it is answered with 400; the live page, websocat and `ptg-store` open one.";

/// The documentation of one endpoint.
pub struct Operation {
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub description: String,
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    /// The status of the good answer, and the answer.
    pub success: Option<(u16, Value)>,
}

impl Operation {
    fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
        Operation {
            id,
            tag,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            success: None,
        }
    }

    fn about(mut self, description: &str) -> Operation {
        self.description = description.to_string();
        self
    }

    fn takes(mut self, parameters: Vec<Value>) -> Operation {
        self.parameters = parameters;
        self
    }

    fn with_body(mut self, content: Value) -> Operation {
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    fn gives(mut self, status: u16, response: Value) -> Operation {
        self.success = Some((status, response));
        self
    }
}

/// Documents an endpoint.
pub fn of(endpoint: Endpoint) -> Operation {
    match endpoint {
        Endpoint::Token => token(),
        Endpoint::SignOut => Operation::new("sign_out", "sign-in", "Forget the cookie")
            .about("The browser forgets the cookie. The token in it stays good until it expires. Needs a body, which may be empty.")
            .gives(200, json_response("The cookie is gone.", json!({ "type": "object" }), json!({ "signed_out": true }))),
        Endpoint::Ping => Operation::new("ping", "operations", "Whether Redis answers and takes writes")
            .about("`true` when Redis answers within a second and takes writes, else 503; its `detail` says what is wrong.")
            .gives(200, json_response("Redis answers and takes writes.", json!({ "const": true }), json!(true))),
        Endpoint::Health => Operation::new("health", "operations", "Whether the process is up")
            .about("200 while the process is up, whatever Redis does.")
            .gives(200, json_response("It is up.", reference("Health"), json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))),
        Endpoint::Metrics => Operation::new("metrics", "operations", "Counters for Prometheus")
            .gives(200, text("Counters in the Prometheus text format.", "text/plain", "ptg_redis_up 1\n")),
        Endpoint::LivePage => Operation::new("live_page", "operations", "The live page")
            .gives(200, text("A page to watch the streams.", "text/html", "<!doctype html>")),
        Endpoint::Docs => Operation::new("docs", "operations", "This documentation")
            .gives(200, text("Swagger UI.", "text/html", "<!doctype html>")),
        Endpoint::DocsAsset => docs_asset(),
        Endpoint::Redoc => Operation::new("redoc", "operations", "Where FastAPI has its second documentation")
            .gives(307, json!({ "description": "To `/docs`.", "headers": { "Location": { "schema": { "type": "string" }, "example": "docs" } } })),
        Endpoint::OpenApi => Operation::new("openapi", "operations", "This document")
            .gives(200, json_response("OpenAPI 3.1.", json!({ "type": "object" }), json!({ "openapi": "3.1.0" }))),
        Endpoint::AsyncApi => Operation::new("asyncapi", "operations", "The WebSockets as AsyncAPI 3.0")
            .gives(200, json_response("AsyncAPI 3.0.", json!({ "type": "object" }), json!({ "asyncapi": "3.0.0" }))),
        Endpoint::Activity => activity(),
        Endpoint::ListStreams => Operation::new("list_streams", "streams", "Which streams there are")
            .about("A sorted list of stream ids: everything that has entries, also if other programs wrote them into Redis, and everything that was created.")
            .gives(200, json_response("Stream ids.", json!({ "type": "array", "items": { "type": "string" } }), json!(["cam0", "gaze"]))),
        Endpoint::GetStream => get_stream(),
        Endpoint::PutStream => put_stream(),
        Endpoint::DeleteStream => Operation::new("delete_stream", "streams", "Delete a stream")
            .about("Removes entries and description. 400 if there is neither, unless `force=true`.")
            .takes(vec![stream_id(), boolean("force", "no error if there is nothing to delete")])
            .gives(200, json_response("The description that it had; `null` if none.", json!({ "type": ["object", "null"] }), json!(null)).pointer_example()),
        Endpoint::PostData => post_data(),
        Endpoint::GetData => get_data(),
        Endpoint::Push => push(),
        Endpoint::Pull => pull(),
        Endpoint::Mjpeg => mjpeg(),
        // Every path has it, and none documents it.
        Endpoint::Options => Operation::new("options", "operations", "CORS preflight"),
    }
}

/// An example may be `null`, which reads as none; such a response takes the longer form.
trait PointerExample {
    fn pointer_example(self) -> Value;
}

impl PointerExample for Value {
    fn pointer_example(mut self) -> Value {
        if let Some(content) = self
            .pointer_mut("/content/application~1json")
            .and_then(Value::as_object_mut)
        {
            content.remove("example");
            let described = json!({ "id": "cam0", "description": "cam0", "metadata": {}, "max_len": 1000 });
            content.insert(
                "examples".into(),
                json!({ "described": { "value": described }, "never created": { "value": null } }),
            );
        }
        self
    }
}

fn token() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["username", "password"],
        "properties": {
            "username": { "type": "string", "minLength": 1, "example": "ada" },
            "password": { "type": "string", "minLength": 1, "format": "password", "example": "ada" },
            "grant_type": { "type": "string", "const": "password" },
            "scope": { "type": "string" },
            "client_id": { "type": "string" },
            "client_secret": { "type": "string" },
        },
    });
    let mut good = json_response(
        "A token, and a cookie `authorization` with the same token.",
        reference("Token"),
        json!({ "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.…", "token_type": "bearer" }),
    );
    good["headers"] = json!({ "Set-Cookie": { "schema": { "type": "string" } } });
    Operation::new("sign_in", "sign-in", "Get a token")
        .about("In development mode any user name whose password is the same is let in, for example `ada` and `ada`.")
        .with_body(json!({ "application/x-www-form-urlencoded": { "schema": schema }, "multipart/form-data": { "schema": schema } }))
        .gives(200, good)
}

fn docs_asset() -> Operation {
    let names = ["swagger-ui.css", "swagger-ui-bundle.js", "README.md"];
    let asset = json!({ "name": "asset", "in": "path", "required": true, "description": "a file of this documentation",
        "schema": { "type": "string", "enum": names }, "example": "README.md" });
    let content = |kind: &str| {
        (
            kind.to_string(),
            json!({ "schema": { "type": "string" }, "example": "…" }),
        )
    };
    let kinds = ["text/plain", "text/css", "text/javascript"];
    let content: serde_json::Map<String, Value> = kinds.into_iter().map(content).collect();
    Operation::new("docs_asset", "operations", "Files of this documentation")
        .takes(vec![asset])
        .gives(200, json!({ "description": "The file.", "content": content }))
}

fn activity() -> Operation {
    let redis = json!({ "state": "well", "since": null, "detail": null, "used_memory": 52428800, "maxmemory": 536870912,
        "changes_since_save": 120, "last_save": "2026-11-23T17:55:00Z" });
    let example = json!({ "time": "2026-11-23T18:00:00Z", "now": "2026-11-23T18:00:00.4Z", "user": "ada", "max_age": 0.9, "redis": redis,
        "default_max_len": 1000, "streams": [{
        "id": "cam0", "description": "front camera", "max_len": 1000, "entries": 1000, "entries_added": 52000,
        "newest_id": "1795456800000-0", "newest_bytes": 51234, "state": "live" }] });
    let mut good = json_response("Every stream.", reference("Activity"), example);
    good["headers"] = json!({ crate::request::csrf::HEADER: { "schema": { "type": "string" }, "description": "what a page of the store's own origin puts as `csrf_token` into the query of its WebSockets, for browsers behind a proxy" } });
    Operation::new("activity", "streams", "What every stream did lately")
        .about("One reply for a page that shows all streams. The streams are looked at about once a second, whoever asks, and anew after what was changed or pushed through this store, a few times in a row; how Redis is is of this moment. What is wrong with one stream is told with it, as its `error`. While Redis does not answer it is 503 with an object `redis` as well, whose `since` is when it last answered.")
        .gives(200, good)
}

fn get_stream() -> Operation {
    let example = json!({
        "meta": { "id": "cam0", "description": "front camera", "metadata": {}, "max_len": 1000 },
        "info": { "length": 1, "first-entry": "2026-11-23T18:00:00Z", "first-entry-id": "1795456800000-0",
                  "last-entry": "2026-11-23T18:00:00Z", "last-entry-id": "1795456800000-0" },
    });
    Operation::new("get_stream", "streams", "What a stream is")
        .about("`meta` as PUT returned it, `{}` if the stream was never created. `info` as Redis's `XINFO STREAM` names its fields; the text `no such key` for a stream without entries.")
        .takes(vec![stream_id(), boolean("report_error", "400 with the same object as `detail` if there are no entries")])
        .gives(200, json_response("Description and statistics.", reference("StreamInfo"), example))
}

fn put_stream() -> Operation {
    let most = crate::store::LARGEST_MAX_LEN;
    let example = json!({ "id": "cam0", "description": "front camera", "metadata": { "fps": 30 }, "max_len": 1000 });
    Operation::new("put_stream", "streams", "Describe a stream")
        .about("400 if it was created before, unless `override=true`: then what is not given stays, and what is given empty is the default again. A body is refused. Under `/v2`, which is for clients of the Python server that was before this one, what is given is changed unless `override=false`, and a JSON object may be the body. A stream need not be created to be pushed to.")
        .takes(vec![
            stream_id(),
            query(
                "desc",
                json!({ "type": "string" }),
                "a description; the id if there is none yet, or if empty",
            ),
            json!({ "name": "meta", "in": "query", "required": false, "description": "a JSON object, such as `{\"fps\":30}`, which comes back as it was written; no name in it twice, no number that a double does not hold",
                // An object. Were that said outright, Swagger UI would make an empty one up and send it, and that overwrites.
                "content": { "application/json": { "schema": { "not": { "type": ["array", "boolean", "null", "number", "string"] } } } } }),
            boolean("override", "change an earlier description"),
            query(
                "max_len",
                json!({ "type": "integer", "minimum": 1, "maximum": most }),
                "about how many entries the stream keeps; the server's default if nobody said it yet, or if empty",
            ),
        ])
        .gives(
            200,
            json_response("The description.", reference("StreamDescription"), example),
        )
}

fn post_data() -> Operation {
    // Any bytes are an entry, so nothing is said of their type.
    let form = json!({ "type": "object", "required": ["entries"],
        "propertyNames": { "pattern": "^[A-Za-z0-9_]+$" },
        "properties": { "entries": { "type": "array", "minItems": 1, "items": {} } } });
    // Without this, Swagger UI sends an array as one field, its items joined by commas.
    let encoding = json!({ "entries": { "style": "form", "explode": true } });
    let ids = json!({ "type": "array", "items": reference("EntryId") });
    Operation::new("post_data", "data", "Push entries")
        .about("Multipart: every part named `entries` is one entry, in order; 400 if it cannot be read exactly as it was sent. Any other content type but `application/x-www-form-urlencoded`: the body is one entry. All entries are stored, or none.")
        .takes(vec![stream_id()])
        .with_body(json!({ "multipart/form-data": { "schema": form, "encoding": encoding }, "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } }))
        .gives(200, json_response("The ids of the entries.", ids, json!(["1795456800000-0", "1795456800000-1"])))
}

fn get_data() -> Operation {
    let offsets = json!({ "description": "Where each entry starts, unless `format` says otherwise.", "schema": { "type": "string" }, "example": "[[\"1795456800000-0\",0],[\"1795456800000-1\",5]]" });
    let come = json!({ "description": "How far the stream has come, if there is nothing because it has not come as far as `last_entry_id`.", "schema": { "type": "string" }, "example": "1795456800000-0" });
    let text = |example: &str| json!({ "schema": { "type": "string" }, "example": example });
    let line = r#"{"stream":"gaze","id":"1795456800000-0","time":"2026-11-23T18:00:00Z","size":12,"data":{"x":0.5}}"#;
    let good = json!({
        "description": "The entries' bytes, joined, or a line of JSON for each. Fewer than `count` may come; ask again from the last id.",
        "headers": { "entry-offset": offsets, "last-generated-id": come },
        "content": {
            "application/octet-stream": { "schema": { "type": "string", "format": "binary" }, "example": "helloworld" },
            "application/x-ndjson": text(line),
            "text/event-stream": text(&format!("id: 1795456800000-0\ndata: {line}\n\n")),
        },
    });
    let mut parameters = vec![
        stream_id(),
        count(),
        cursor("*"),
        until(),
        format(
            "`pairs` (the default, but of what stays open): the bytes, and a header that tells them apart; `raw`: nothing but the bytes; `json`: a line for each entry",
        ),
        boolean("follow", "keep the reply open, `raw` or `json`, and send what comes"),
        query(
            "lastEventId",
            json!({ "type": "string" }),
            "of events: the same as the header `Last-Event-ID`, which comes before it, for clients that cannot set that",
        ),
    ];
    parameters.extend(pace());
    Operation::new("get_data", "data", "Pull entries")
        .about(concat!(
            "Entries as they are now. Of several streams, joined by `+`, up to `count` of each, and offsets are `[[\"<stream>\",\"<id>\",<offset>],…]`. ",
            "With `follow=true`, or `Accept: text/event-stream`, the reply stays open; an event's id goes back as `Last-Event-ID`. ",
            "204: an `EventSource` came back after everything up to `until`.",
        ))
        .takes(parameters)
        .gives(200, good)
}

fn mjpeg() -> Operation {
    let good = json!({
        "description": "One picture replaces the other.",
        "content": { "multipart/x-mixed-replace": { "schema": { "type": "string", "format": "binary" }, "example": "…" } },
    });
    Operation::new("mjpeg", "data", "A camera for `<img>`")
        .about("Every entry that is a JPEG, or as many of them as the client can take: the newest wins. `<img src=\"/mjpeg/cam0?token=…\">`. Without `until` it is endless; with `until=latest` it is the newest picture.")
        .takes(vec![stream_id(), cursor("latest"), ends_at_once(), max_rate(), timeout()])
        .gives(200, good)
}

/// `until`, filled in where it is tried out: a browser shows a reply when it has ended.
fn ends_at_once() -> Value {
    let mut until = until();
    until["example"] = json!("latest");
    until
}

fn push() -> Operation {
    Operation::new("push", "data", "WebSocket: push entries")
        .about(&format!("{}{NO_SOCKET}", concat!("Open it as a WebSocket. Default: one binary (or text) message an entry. `batch=true`: a text message, the header, and then one binary message with all entries joined. ",
            "The header is `0,100,256`, the offset at which each entry starts, or JSON: `[offset,…]`, `[[stream,offset],…]` or `[[stream,id,offset],…]`, an id being `<ms>-<seq>`, `<ms>-*`, `*` or `null`. ",
            "With `batch=true` a literal `+` in the path joins streams and `*` stands for any, and the header names the stream of each entry. A batch is stored whole or not at all. ",
            "`ack=true`: for each message or batch the server answers with a text message of its ids, `id1,id2,…`. See `/asyncapi.json`. ")))
        .takes(vec![stream_id(), boolean("batch", "entries come in batches"), boolean("ack", "answer with entry ids"), on_error()])
        .gives(101, upgraded())
}

fn pull() -> Operation {
    Operation::new("pull", "data", "WebSocket: pull entries")
        .about(&format!("Open it as a WebSocket. For each reply a text message `[[\"<id>\",<offset>],…]` and a binary message with those entries' bytes joined, or what `format` says. When there is nothing the server waits. See `/asyncapi.json`. {NO_SOCKET}"))
        .takes(std::iter::once(stream_id()).chain(parts::pull()).collect())
        .gives(101, upgraded())
}

fn upgraded() -> Value {
    json!({ "description": "The connection is a WebSocket now." })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn text(description: &str, kind: &str, example: &str) -> Value {
    json!({ "description": description, "content": { kind: { "schema": { "type": "string" }, "example": example } } })
}
