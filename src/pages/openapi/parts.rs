//! What operations share: parameters, schemas, error answers, and the ways to show a token.

use serde_json::{Map, Value, json};

use crate::request::auth::COOKIE;

/// The errors that more than one route may answer with: status, description, detail of the example.
const ERRORS: [(u16, &str, &str); 18] = [
    (
        400,
        "The request cannot be done, or is not sane HTTP.",
        "The stream 'cam0' already exists and 'override' is not specified.",
    ),
    (401, "No token, or one that is not good.", "Not authenticated"),
    (
        403,
        "A page of another origin asks, and `--allow-origin` does not name it; or it used the cookie of its visitor to change something.",
        "The cookie is not taken from pages of another origin; send the token itself",
    ),
    (404, "There is no such thing.", "Not Found"),
    (
        408,
        "The request came too slowly.",
        "The request head took longer than 10s (--head-timeout).",
    ),
    (
        411,
        "The body has no announced end.",
        "The request has neither Content-Length nor Transfer-Encoding.",
    ),
    (
        413,
        "Too large; the detail names the limit.",
        "The body is larger than 64MiB (--max-body).",
    ),
    (
        415,
        "A body with a `Content-Encoding`, or a multipart that is no form.",
        "No Content-Encoding is decoded here; send the body as it is",
    ),
    (
        417,
        "An Expect that is not met here (HTTP/1.1).",
        "The only expectation that is met here is 100-continue.",
    ),
    (
        421,
        "The request was sent to a name that the store does not answer to.",
        "This store does not answer to the name 'lab.example'. If that is a name of it, start it with --allow-host lab.example",
    ),
    (
        426,
        "Not version 13 of WebSocket.",
        "Only WebSocket version 13 is spoken here.",
    ),
    (
        431,
        "The request head is too large.",
        "The request head is larger than 16KiB (--max-head).",
    ),
    (
        500,
        "The server or Redis failed on this request.",
        "Redis refused: ERR unknown command",
    ),
    (
        503,
        "Redis is out of reach or full, or a limit of the store is used up.",
        "Redis cannot be reached: Connection refused",
    ),
    (
        505,
        "Not HTTP/1.0 or 1.1.",
        "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    ),
    (
        422,
        "Parameters that do not parse, and slips of their names, all of them.",
        "",
    ),
    (307, "Elsewhere.", ""),
    (204, "There will be nothing more.", ""),
];

/// Spellings of booleans, besides `true` and `false`.
const SPELLINGS: &str =
    "^([Tt]([Rr][Uu][Ee])?|[Ff]([Aa][Ll][Ss][Ee])?|[Yy]([Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|0|1)$";

/// The path parameter.
pub fn stream_id() -> Value {
    json!({
        "name": "stream_id", "in": "path", "required": true,
        "description": "the name of the stream: 1 to 256 bytes of UTF-8, no control characters, no `/`, not beginning with `XMETA:`",
        "schema": { "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^(?!XMETA:)[^/\\u0000-\\u001f\\u007f-\\u009f]+$" },
        "example": "cam0",
    })
}

/// A query parameter. It has no example: Swagger UI would fill it in and send it, and examples of several parameters contradict each
/// other, or change what is there. A default in its schema is filled in, too, and means what leaving it out means.
pub fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}

/// A boolean query parameter; all of them default to false.
pub fn boolean(name: &str, description: &str) -> Value {
    let schema =
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": SPELLINGS }], "default": false });
    query(name, schema, description)
}

/// `on_error`.
pub fn on_error() -> Value {
    let schema = json!({ "type": "string", "enum": ["close", "report"], "default": "close" });
    let description = "what a refused batch brings about: `close` ends the socket, `report` (only with `ack=true`) answers \
        with a line of JSON, `{\"error\":\"…\",\"code\":1007}`, in place of the ids";
    query("on_error", schema, description)
}

/// `count`.
pub fn count() -> Value {
    query(
        "count",
        json!({ "type": "integer", "minimum": 1, "default": 1 }),
        "the most entries of one reply",
    )
}

/// `last_entry_id`.
pub fn cursor(default: &str) -> Value {
    let schema = json!({ "type": "string", "default": default, "pattern": PLACE });
    let description = concat!(
        "where to begin: `ms` or `ms-seq`: after that id; `0` or `first`: from the start; `*`: with the newest `count`; `latest`: with the newest; ",
        "`$`: with what is added from now on; `-30s`, `-5m`, `-2h`: so long ago; an RFC 3339 time or date. Of several streams one place for all, or one for each joined by `+`"
    );
    query("last_entry_id", schema, description)
}

/// `until`.
pub fn until() -> Value {
    let schema = json!({ "type": "string", "pattern": PLACE });
    let description =
        "where to end, in the same forms; that entry, or everything up to that moment, is still delivered";
    query("until", schema, description)
}

/// A place in a stream, of one stream and in the simple forms: a pattern cannot tell which days a month has.
const PLACE: &str = r"^(\*|\$|first|latest|[0-9]{1,19}(-[0-9]{1,19})?|-[0-9]{1,4}(ms|s|m|h|d)|20[0-9]{2}-0[1-9]-[01][1-9](T[01][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z)?)$";

/// `format`, without a default: which it is depends on other parameters of a `GET`, where a default that is filled in would contradict
/// `follow=true`.
pub fn format(description: &str) -> Value {
    let schema = json!({ "type": "string", "enum": ["pairs", "raw", "json"] });
    query("format", schema, description)
}

/// The pace of a pull: `newest`, `max_rate`, `timeout`, `on_gap` and `resume`.
pub fn pace() -> Vec<Value> {
    vec![
        boolean("newest", "skip to the newest entry whenever the client is behind"),
        max_rate(),
        timeout(),
        query(
            "on_gap",
            json!({ "type": "string", "enum": ["ignore", "close"], "default": "ignore" }),
            "`close`: end when retention has trimmed what was not read yet, or the stream begins anew, with code 4001",
        ),
        boolean(
            "resume",
            "the entries that `last_entry_id` names were read: if they lie beyond the newest, the stream has begun anew, which is told as a gap",
        ),
    ]
}

/// `max_rate`.
pub fn max_rate() -> Value {
    let schema = json!({ "type": "number", "minimum": 0.001, "maximum": 1e9 });
    query("max_rate", schema, "the most entries a second")
}

/// `timeout`.
pub fn timeout() -> Value {
    query(
        "timeout",
        json!({ "type": "integer", "minimum": 1, "maximum": 31_536_000_000_u64 }),
        "milliseconds of silence after which a pull, or a reply that stays open, ends",
    )
}

/// The query parameters of the WebSocket that pulls.
pub fn pull() -> Vec<Value> {
    let mut parameters = vec![
        count(),
        cursor("$"),
        until(),
        format(
            "`pairs` (the default): a text message with ids and offsets, then a binary one with the bytes; `raw`: a binary message for each entry; `json`: a text message for each",
        ),
    ];
    parameters.extend(pace());
    parameters.push(boolean(
        "ack",
        "wait for any message from the client before the next reply",
    ));
    parameters
}

/// A response with a JSON body.
pub fn json_response(description: &str, schema: Value, example: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema, "example": example } } })
}

/// Schemas, error answers and security schemes. `root` is the relative way to the store's root.
pub fn components(root: &str) -> Value {
    json!({
        "schemas": schemas(),
        "responses": responses(),
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "`Authorization: Bearer …`" },
            "query": { "type": "apiKey", "in": "query", "name": "token", "description": "`?token=…`, for WebSockets and links" },
            "cookie": { "type": "apiKey", "in": "cookie", "name": COOKIE, "description": "set by `/token`; not taken for changes and WebSockets from pages of another origin" },
            "password": { "type": "oauth2", "description": "user name and password", "flows": { "password": { "tokenUrl": format!("{root}token"), "scopes": {} } } },
        },
    })
}

fn responses() -> Value {
    let mut responses = Map::new();
    for (status, description, detail) in ERRORS {
        let mut response = match status {
            307 => continue,
            204 => json!({ "description": description }),
            422 => json_response(
                description,
                json!({ "$ref": "#/components/schemas/ValidationError" }),
                json!({ "detail": [{ "loc": ["query", "count"], "msg": "value is not a valid integer", "type": "type_error.integer" }] }),
            ),
            _ => json_response(
                description,
                json!({ "$ref": "#/components/schemas/Error" }),
                json!({ "detail": detail }),
            ),
        };
        let header = |example: &str| json!({ "schema": { "type": "string" }, "example": example });
        match status {
            401 => response["headers"] = json!({ "WWW-Authenticate": header("Bearer") }),
            415 => response["headers"] = json!({ "Accept-Encoding": header("identity") }),
            426 => response["headers"] = json!({ "Sec-WebSocket-Version": header("13") }),
            503 => response["headers"] = json!({ "Retry-After": header("1") }),
            _ => {}
        }
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn schemas() -> Value {
    let optional = |kind: &str| json!({ "type": [kind, "null"] });
    json!({
        "Error": {
            "type": "object", "required": ["detail"],
            "properties": { "detail": { "type": ["string", "object"], "description": "a sentence that names the cause" } },
        },
        "ValidationError": {
            "type": "object", "required": ["detail"],
            "properties": { "detail": { "type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": { "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "string" } },
                    "msg": { "type": "string" }, "type": { "type": "string" },
                },
            } },
            "hint": { "type": "string", "description": "only where it can be said: what to send instead" } },
        },
        "EntryId": { "type": "string", "pattern": "^[0-9]+-[0-9]+$", "example": "1795456800000-0" },
        "Token": {
            "type": "object", "required": ["access_token", "token_type"],
            "properties": { "access_token": { "type": "string" }, "token_type": { "const": "bearer" } },
        },
        "Health": {
            "type": "object", "required": ["status", "version"],
            "properties": { "status": { "const": "ok" }, "version": { "type": "string" } },
        },
        "StreamDescription": {
            "type": "object", "required": ["id", "description", "metadata", "max_len"],
            "properties": { "id": { "type": "string" }, "description": { "type": "string" },
                "metadata": { "type": "object" }, "max_len": { "type": "integer", "minimum": 1 } },
        },
        "StreamInfo": {
            "type": "object", "required": ["meta", "info"],
            "properties": { "meta": { "type": "object" }, "info": { "anyOf": [{ "type": "object" }, { "const": "no such key" }] } },
        },
        "RedisState": {
            "type": "object", "required": ["state", "since", "detail", "used_memory", "maxmemory", "changes_since_save", "last_save"],
            "properties": {
                "state": { "type": "string", "enum": ["well", "nearly_full", "full", "not_saving", "read_only", "away"] },
                "since": { "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "null" }], "description": "Since when, if that is known." },
                "detail": { "anyOf": [{ "type": "string" }, { "type": "null" }], "description": "A sentence with the numbers; null if all is well." },
                "used_memory": optional("integer"), "maxmemory": optional("integer"),
                "changes_since_save": optional("integer"), "last_save": optional("string"),
            },
        },
        "Activity": {
            "type": "object", "required": ["time", "now", "user", "max_age", "redis", "default_max_len", "streams"],
            "properties": {
                "time": { "type": "string", "format": "date-time", "description": "When the streams were looked at." },
                "now": { "type": "string", "format": "date-time", "description": "When the reply was made." },
                "user": { "type": "string", "description": "Who asks: the `sub` of the token." },
                "max_age": { "type": "number", "minimum": 0.9, "maximum": 5, "description": "Seconds after `time` in which nobody looks again, unless something was changed or pushed through this store: from 0.9 to 5, more with many streams." },
                "redis": { "$ref": "#/components/schemas/RedisState" }, "default_max_len": { "type": "integer" },
                "streams": { "type": "array", "items": {
                    "type": "object", "required": ["id", "description", "max_len", "entries", "entries_added", "newest_id", "newest_bytes", "state"],
                    "properties": {
                        "id": { "type": "string" }, "description": optional("string"), "max_len": { "type": "integer" },
                        "entries": { "type": "integer" }, "entries_added": optional("integer"),
                        "newest_id": optional("string"), "newest_bytes": optional("integer"),
                        "state": { "type": "string", "enum": ["live", "late", "silent", "idle"],
                            "description": "By the median of its last 12 intervals, in whole seconds: `late` when nothing came for 4 of them, `silent` after 12, `idle` after a day of silence. Without 4 intervals it is `live` for 4 seconds and then `idle`." },
                        "error": { "type": "string", "description": "Only where the stream or its description cannot be read: why. What could not be read is 0 or null then." },
                    },
                } },
            },
        },
    })
}
