//! Request bodies: bounded in size and time, JSON or YAML.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde_json::Value;

use super::Api;
use crate::status::Status;

/// The largest body, bytes. What is kept must be smaller still.
pub(super) const LIMIT: usize = 3 * 1024 * 1024;
/// The largest object that is kept, bytes: what etcd takes.
pub(super) const OBJECT_LIMIT: usize = 1_536 * 1024;
/// Bodies above this wait for a place, so that many large ones at once need bounded memory.
const LARGE: u64 = 64 * 1024;
const TIME: Duration = Duration::from_secs(30);

/// Reads all of a body. One that is too large is read to its end all the same (or given up after a while),
/// because a client that still writes does not see the answer.
pub(super) async fn read(api: &Api, body: Body) -> Result<Bytes, Status> {
    let size = body.size_hint().upper().unwrap_or(u64::MAX);
    let too_slow =
        || Status::new(504, "Timeout", format!("the request's body was not complete after {TIME:?}"));
    let reading = async {
        let _place = if size > LARGE { api.large_bodies.acquire().await.ok() } else { None };
        collect(body).await
    };
    tokio::time::timeout(TIME, reading).await.map_err(|_| too_slow())?
}

async fn collect(body: Body) -> Result<Bytes, Status> {
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    let mut total = 0;
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| Status::bad_request(format!("cannot read the body: {error}")))?;
        total += part.len();
        if total > 16 * LIMIT {
            break;
        }
        if total <= LIMIT {
            read.extend_from_slice(&part);
        } else {
            read = BytesMut::new();
        }
    }
    if total > LIMIT { Err(too_large(LIMIT)) } else { Ok(read.freeze()) }
}

pub(super) fn too_large(limit: usize) -> Status {
    Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
}

/// The media type of the body, without parameters; JSON if it does not say.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn unsupported(accepted: &str) -> Status {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    Status::new(415, "UnsupportedMediaType", message)
}

/// An object in JSON or YAML.
pub(super) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Value, Status> {
    let object = match media_type(headers).as_str() {
        "application/json" => json(body)?,
        "application/yaml" => yaml(body)?,
        "application/vnd.kubernetes.protobuf" => super::protobuf::object(body)?,
        _ => return Err(unsupported("application/json, application/yaml")),
    };
    if object.is_object() { Ok(object) } else { Err(Status::bad_request("the body is no object")) }
}

pub(super) fn json(body: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(body)
        .map_err(|error| Status::bad_request(format!("the object provided is unrecognized: {error}")))
}

/// JSON is YAML, too, and quicker to read.
pub(super) fn yaml(body: &[u8]) -> Result<Value, Status> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    serde_saphyr::from_str(text).map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))
}
