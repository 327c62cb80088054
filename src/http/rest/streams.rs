//! `/streams/`: which streams there are, what each is, creating and deleting them.

use serde_json::{Value, json};

use crate::request::call::PutStream;
use crate::store::{Nobody, Session};
use crate::words::error::Error;
use crate::words::http::Reply;
use crate::words::ids::StreamId;

/// What `info` says of a stream without entries; Redis's words, which clients know.
const NO_SUCH_KEY: &str = "no such key";

/// `GET /streams/`.
pub fn list(session: &mut Session) -> Result<Reply, Error> {
    let streams = session.streams()?;
    let names: Value = streams.iter().map(StreamId::as_str).collect();
    Ok(Reply::json(&names))
}

/// `GET /streams/{id}`.
pub fn get(session: &mut Session, stream: &StreamId, report_error: bool) -> Result<Reply, Error> {
    let info = session.info(stream, &mut Nobody)?.filter(|info| info.length > 0);
    let meta = session.description(stream, &mut Nobody)?.unwrap_or_default();
    let found = info.is_some();
    let info = info.map_or(json!(NO_SUCH_KEY), |info| Value::Object(info.fields));
    // Not through a `Value`: the numbers of a description keep all their digits.
    let both = format!(r#"{{"meta":{meta},"info":{info}}}"#);
    Ok(match found || !report_error {
        true => Reply::json_text(200, both),
        false => Reply::json_text(400, format!(r#"{{"detail":{both}}}"#)),
    })
}

/// `PUT /streams/{id}`.
pub fn put(session: &mut Session, put: &PutStream) -> Result<Reply, Error> {
    let stream = &put.stream;
    session.check_is_stream(stream)?;
    let description = session.describe(stream, put.replaces(), |stored| put.on(stored))?;
    let description = description.ok_or_else(|| {
        let sentence = format!("The stream '{stream}' already exists and 'override' is not specified.");
        Error::refused(400, sentence)
    })?;
    Ok(Reply::json_text(200, description.to_string()))
}

/// `DELETE /streams/{id}`.
pub fn delete(session: &mut Session, stream: &StreamId, force: bool) -> Result<Reply, Error> {
    session.check_is_stream(stream)?;
    let description = session.description(stream, &mut Nobody)?;
    if !session.delete(stream)? && !force {
        return Err(Error::refused(
            400,
            format!("The requested stream '{stream}' does not exist."),
        ));
    }
    Ok(Reply::json_text(
        200,
        description.map_or("null".into(), |description| description.to_string()),
    ))
}
