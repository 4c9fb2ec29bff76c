//! Request bodies, limited in size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde_json::Value;

use super::api::Api;
use super::protobuf;
use crate::refusal::Refusal;

/// Largest request body in bytes.
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;
/// Largest stored object in bytes: the limit of etcd.
pub(crate) const OBJECT_LIMIT: usize = 1_536 * 1024;
/// Size in bytes above which a body counts as large. Only a few large bodies are processed at the same time.
const LARGE: u64 = 64 * 1024;
/// Longest time that a client may take to send a body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a body. A body that is too large is also read to its end (up to 16 times the limit), because a
/// client does not read the answer while it is still writing.
pub(crate) async fn read(api: &Api, body: Body) -> Result<Bytes, Refusal> {
    let size = body.size_hint().upper().unwrap_or(u64::MAX);
    let too_slow =
        || Refusal::new(504, "Timeout", format!("the request's body was not complete after {TIMEOUT:?}"));
    let reading = async {
        let _permit = if size > LARGE { api.large_bodies.acquire().await.ok() } else { None };
        collect(body).await
    };
    tokio::time::timeout(TIMEOUT, reading).await.map_err(|_| too_slow())?
}

async fn collect(body: Body) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    let mut total = 0;
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| Refusal::bad_request(format!("cannot read the body: {error}")))?;
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

/// 413: a body or an object is too large.
pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
}

/// The media type of the body without parameters. Default: JSON.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// 415: the media type of the body is not supported.
pub(crate) fn unsupported(accepted: &str) -> Refusal {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    Refusal::new(415, "UnsupportedMediaType", message)
}

/// The object in a body.
pub(crate) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let object = match media_type(headers).as_str() {
        "application/json" => json(body)?,
        "application/yaml" => yaml(body)?,
        "application/vnd.kubernetes.protobuf" => protobuf::object(body)?,
        _ => return Err(unsupported("application/json, application/yaml")),
    };
    if object.is_object() { Ok(object) } else { Err(Refusal::bad_request("the body is not an object")) }
}

pub(crate) fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("the object provided is unrecognized: {error}")))
}

/// Every JSON document is also YAML, but the JSON parser is faster. So it comes first.
pub(crate) fn yaml(body: &[u8]) -> Result<Value, Refusal> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))?;
    serde_saphyr::from_str(text)
        .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))
}
