//! `/asyncapi.json`: the two WebSockets as an AsyncAPI 3.0 document (<https://www.asyncapi.com/docs/reference/specification/v3.0.0>).

use serde_json::{Value, json};

use crate::pages::openapi::parts;

/// The whole document, of a store that its clients see at this host with its port, under this path (`/ptg`, or nothing).
pub fn document(protocol: &str, host: &str, path: &str) -> Value {
    let mut server = json!({
        "host": host,
        "protocol": protocol,
        "description": "this store",
        "security": [{ "$ref": "#/components/securitySchemes/bearer" }],
    });
    if !path.is_empty() {
        server["pathname"] = json!(path);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "PTG Data Store: WebSockets",
            "version": env!("CARGO_PKG_VERSION"),
            "description": concat!(
                "Two WebSockets (RFC 6455), without compression. A token goes into the query, the header `Authorization` or the cookie. ",
                "Before the upgrade errors are plain HTTP replies; afterwards bad input closes the socket with a code and a reason:\n\n",
                "| code | meaning |\n| --- | --- |\n| 1001 | the server is stopping |\n| 1002 | RFC 6455 was broken |\n",
                "| 1003 | a message of the wrong kind |\n| 1007 | a bad header, an id that is not larger than the newest, or text that is not UTF-8 |\n",
                "| 1009 | too large; the reason names the limit |\n| 1011 | the store failed |\n",
                "| 1013 | Redis cannot be reached or is full; try again later |\n| 1000 | a pull has delivered everything up to `until`, or nothing came within `timeout` |\n",
                "| 4001 | `on_gap=close`: retention has trimmed what was not read yet, or the stream begins anew; the reason has the ids `after` and `before` the gap |\n",
            ),
        },
        "defaultContentType": "application/octet-stream",
        "servers": { "store": server },
        "channels": { "push": push_channel(), "pull": pull_channel() },
        "operations": {
            "pushEntry": operation("receive", "push", &["entry"], "Default mode: one message an entry."),
            "pushBatch": operation("receive", "push", &["batchOffsets", "batchBytes"], "`batch=true`: offsets, then bytes, by turns."),
            "acknowledge": operation("send", "push", &["acknowledgement"], "`ack=true`: one for each entry or batch."),
            "refuse": operation("send", "push", &["refusal"], "`on_error=report`: in place of the acknowledgement of a batch that is refused."),
            "pullReply": operation("send", "pull", &["replyOffsets", "replyBytes"], "Offsets, then bytes, by turns; the server waits when there is nothing."),
            "pullRaw": operation("send", "pull", &["entry"], "`format=raw`: the bytes of each entry and nothing else."),
            "pullJson": operation("send", "pull", &["line", "gap"], "`format=json`: a line an entry, and one where retention has trimmed entries that were not read yet, or the stream begins anew."),
            "next": operation("receive", "pull", &["anything"], "`ack=true`: any message lets the next reply out."),
        },
        "components": {
            "messages": messages(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
        },
    })
}

fn push_channel() -> Value {
    let parameters = vec![
        parts::boolean("batch", "entries come in batches"),
        parts::boolean("ack", "answer with entry ids"),
        parts::on_error(),
    ];
    channel(
        "/data/{stream_id}/push",
        &["entry", "batchOffsets", "batchBytes", "acknowledgement", "refusal"],
        &parameters,
    )
}

fn pull_channel() -> Value {
    channel(
        "/data/{stream_id}/pull",
        &["replyOffsets", "replyBytes", "entry", "line", "gap", "anything"],
        &parts::pull(),
    )
}

/// A channel whose query parameters are those of the OpenAPI document.
fn channel(address: &str, messages: &[&str], parameters: &[Value]) -> Value {
    let of_components = |name: &&str| {
        (
            name.to_string(),
            json!({ "$ref": format!("#/components/messages/{name}") }),
        )
    };
    let messages: serde_json::Map<String, Value> = messages.iter().map(of_components).collect();
    let property = |parameter: &Value| {
        let mut schema = parameter["schema"].clone();
        schema["description"] = parameter["description"].clone();
        (parameter["name"].as_str().unwrap_or_default().to_string(), schema)
    };
    let query: serde_json::Map<String, Value> = parameters.iter().map(property).collect();
    json!({
        "address": address,
        "messages": messages,
        "parameters": { "stream_id": { "description": parts::stream_id()["description"], "examples": ["cam0"] } },
        "bindings": { "ws": { "method": "GET", "query": { "type": "object", "properties": query }, "bindingVersion": "0.1.0" } },
    })
}

fn operation(action: &str, channel: &str, messages: &[&str], summary: &str) -> Value {
    let of_channel = |name: &&str| json!({ "$ref": format!("#/channels/{channel}/messages/{name}") });
    let messages: Vec<Value> = messages.iter().map(of_channel).collect();
    json!({ "action": action, "channel": { "$ref": format!("#/channels/{channel}") }, "summary": summary, "messages": messages })
}

fn messages() -> Value {
    let message = |title: &str, kind: &str, summary: &str, example: &str| {
        json!({
            "name": title, "title": title, "contentType": kind, "summary": summary,
            "payload": { "type": "string" },
            "examples": [{ "name": "example", "payload": example }],
        })
    };
    let bytes = "application/octet-stream";
    json!({
        "entry": message("Entry", bytes, "A binary message, or a text message that is taken as its UTF-8 bytes.", "hello"),
        "batchOffsets": message("Header of a batch", "text/plain", "A text message: where each entry starts, `0,5,5`. The first is 0; none decreases, none is past the end. Or JSON: `[offset,…]`, `[[stream,offset],…]`, `[[stream,id,offset],…]`.", "[[\"cam0\",\"1795456800000-0\",0],[\"mic\",null,5]]"),
        "batchBytes": message("Bytes of a batch", bytes, "A binary message: all entries joined.", "helloworld"),
        "acknowledgement": message("Acknowledgement", "text/plain", "A text message: the ids of what is now in Redis.", "1795456800000-0,1795456800000-1"),
        "refusal": message("Refusal", "application/json", "A text message: why nothing of a batch is stored, and the code with which the socket would close.", "{\"error\":\"id 5-1 is not larger than 7-0, the newest of 'cam0'\",\"code\":1007,\"stream\":\"cam0\",\"id\":\"5-1\",\"newest\":\"7-0\"}"),
        "replyOffsets": message("Offsets of a reply", "application/json", "A text message: the id of each entry and where it starts; of several streams, joined by `+`, the name of the stream before the id.", "[[\"1795456800000-0\",0],[\"1795456800000-1\",5]]"),
        "line": message("Line of an entry", "application/json", "A text message: all about one entry.", r#"{"stream":"gaze","id":"1795456800000-0","time":"2026-11-23T18:00:00Z","size":12,"data":{"x":0.5}}"#),
        "gap": message("Gap", "application/json", "A text message: what was missed.", r#"{"stream":"gaze","gap":{"after":"1795456800000-0","before":"1795456800009-0","missed":8}}"#),
        "anything": message("Anything", bytes, "Any message, an empty one too.", ""),
        "replyBytes": message("Bytes of a reply", bytes, "A binary message: those entries joined.", "helloworld"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document("ws", "127.0.0.1:7890", "/ptg");
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let reference = reference.split('"').next().unwrap();
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
