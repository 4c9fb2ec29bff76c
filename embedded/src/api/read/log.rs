//! The subresource `pods/log`.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::api::wire::call::Call;
use crate::refusal::Refusal;
use crate::store::Key;

type Lines = futures::stream::BoxStream<'static, io::Result<Bytes>>;

/// Largest size of the lines that `tailLines` keeps in memory, in bytes.
const TAIL_LIMIT: usize = 16 * 1024 * 1024;

/// Answers with the log of a container.
pub(crate) async fn read(call: &Call<'_>, key: &Key) -> Result<Response, Refusal> {
    let pod = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
    if call.query.get("stream").is_some_and(|stream| stream != "All") {
        return Err(Refusal::bad_request(
            "stream: this cluster does not keep the two streams of a container apart",
        ));
    }
    let filter = Filter { since: since(call)?, timestamps: call.query.flag("timestamps") };
    let container = container(call, &pod, &key.name)?;
    let number = |name: &str| -> Result<Option<usize>, Refusal> {
        let wrong = |text: &str| {
            Refusal::bad_request(format!(
                "{name}: Invalid value: {text:?}: must be a number greater than or equal to 0"
            ))
        };
        call.query.get(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    };
    let (tail, limit) = (number("tailLines")?, number("limitBytes")?);
    let previous = call.query.flag("previous");
    let logs = call.api.runtime.logs(&key.namespace, &key.name, &container, previous).ok_or_else(|| {
        let pod = &key.name;
        Refusal::bad_request(if previous {
            format!("previous terminated container \"{container}\" in pod \"{pod}\" not found")
        } else {
            format!("container \"{container}\" in pod \"{pod}\" is waiting to start: ContainerCreating")
        })
    })?;
    let so_far: Lines = match tail {
        Some(lines) => {
            let last = last_lines(logs.so_far, lines).await;
            let last = last
                .map_err(|error| Refusal::new(500, "InternalError", format!("reading the log: {error}")))?;
            futures::stream::iter(last.into_iter().map(Ok)).boxed()
        }
        None => lines(logs.so_far),
    };
    let all = match logs.following.filter(|_| call.query.flag("follow")) {
        Some(following) => so_far.chain(lines(following)).boxed(),
        None => so_far,
    };
    let all =
        all.filter_map(move |line| futures::future::ready(line.map(|line| filter.apply(line)).transpose()));
    let mut response = Response::new(Body::from_stream(limited(all.boxed(), limit)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// Selects lines by their time, and removes the time if the client does not want it.
#[derive(Clone, Copy, Debug)]
struct Filter {
    since: Option<Timestamp>,
    timestamps: bool,
}

impl Filter {
    fn apply(self, line: Bytes) -> Option<Bytes> {
        let space = line.iter().position(|byte| *byte == b' ').map_or(line.len(), |at| at + 1);
        let time = || std::str::from_utf8(&line[..space]).ok()?.trim_end().parse::<Timestamp>().ok();
        if self.since.is_some_and(|since| time().is_some_and(|time| time < since)) {
            return None;
        }
        Some(if self.timestamps { line } else { line.slice(space..) })
    }
}

/// The time from which on the client wants lines.
fn since(call: &Call<'_>) -> Result<Option<Timestamp>, Refusal> {
    let wrong = |name: &str, text: &str| Refusal::bad_request(format!("{name}: Invalid value: {text:?}"));
    if let Some(text) = call.query.get("sinceTime") {
        return text.parse().map(Some).map_err(|_| wrong("sinceTime", text));
    }
    let Some(text) = call.query.get("sinceSeconds") else { return Ok(None) };
    let seconds = text.parse::<u32>().map_err(|_| wrong("sinceSeconds", text))?;
    Ok(Some(Timestamp::now() - Duration::from_secs(seconds.into())))
}

fn lines(reader: impl AsyncRead + Send + Unpin + 'static) -> Lines {
    let lines = futures::stream::unfold(BufReader::new(reader), |mut reader| async move {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(line)), reader)),
            Err(error) => Some((Err(error), reader)),
        }
    });
    lines.boxed()
}

/// The container that the client names. It may omit the name if the pod has only one.
fn container(call: &Call<'_>, pod: &Value, name: &str) -> Result<String, Refusal> {
    let names: Vec<&str> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten())
        .filter_map(|container| container["name"].as_str())
        .collect();
    match (call.query.get("container"), names.as_slice()) {
        (Some(wanted), _) if names.contains(&wanted) => Ok(wanted.into()),
        (Some(wanted), _) => {
            Err(Refusal::bad_request(format!("container {wanted} is not valid for pod {name}")))
        }
        (None, [only]) => Ok((*only).into()),
        (None, many) => Err(Refusal::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            many.join(" ")
        ))),
    }
}

/// The last `count` lines. Fewer if they exceed the size limit.
async fn last_lines(reader: impl AsyncRead + Unpin, count: usize) -> io::Result<VecDeque<Bytes>> {
    let mut reader = BufReader::new(reader);
    let mut lines = VecDeque::new();
    let mut bytes = 0;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(lines);
        }
        bytes += line.len();
        lines.push_back(Bytes::from(line));
        while lines.len() > count || (bytes > TAIL_LIMIT && lines.len() > 1) {
            bytes -= lines.pop_front().map_or(0, |line: Bytes| line.len());
        }
    }
}

/// Ends the log after `limit` bytes.
fn limited(all: Lines, limit: Option<usize>) -> Lines {
    let Some(limit) = limit else { return all };
    let limited = all.scan(limit, |left, part| {
        let part = part.map(|part| part.slice(..part.len().min(*left)));
        let done = *left == 0;
        *left -= part.as_ref().map_or(0, Bytes::len);
        futures::future::ready((!done).then_some(part))
    });
    limited.boxed()
}
