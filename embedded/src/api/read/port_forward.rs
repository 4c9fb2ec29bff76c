//! The subresource `pods/portforward`, over a WebSocket and in the protocol of the library kube. Each port
//! has a channel for data and a channel for errors. The first message of each channel contains the port.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::SplitStream;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::api::wire::call::Call;
use crate::refusal::Refusal;
use crate::store::Key;

const PROTOCOL: &str = "v4.channel.k8s.io";
const OLDER_PROTOCOL: &str = "portforward.k8s.io";
const BUFFER: usize = 64 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Starts to forward the ports of a running pod.
pub(crate) fn forward(call: &Call<'_>, key: &Key, request: &mut Request) -> Result<Response, Refusal> {
    let pod = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
    let accept = accept_key(&call.headers)?;
    let protocol = protocol(&call.headers)?;
    let ports = ports(call)?;
    if pod["status"]["phase"] != "Running" {
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        return Err(Refusal::bad_request(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let targets: Vec<_> = ports
        .into_iter()
        .map(|port| (port, call.api.runtime.address(&key.namespace, &key.name, port)))
        .collect();
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let config = WebSocketConfig::default().max_message_size(Some(4 * 1024 * 1024));
        let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        run(socket, targets).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    Ok(response)
}

fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    key.filter(|_| upgrade.eq_ignore_ascii_case("websocket")).ok_or_else(|| {
        Refusal::bad_request(format!(
            "Upgrade request required: this cluster forwards ports only over WebSockets, not over {upgrade:?}"
        ))
    })
}

fn protocol(headers: &HeaderMap) -> Result<&'static str, Refusal> {
    let offered: Vec<&str> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    [PROTOCOL, OLDER_PROTOCOL].into_iter().find(|known| offered.contains(known)).ok_or_else(|| {
        Refusal::new(403, "Forbidden", format!("unable to upgrade: this cluster supports {PROTOCOL}, not {offered:?}; use a client that supports it, such as `locust-matrix run`, or connect to the address of the pod"))
    })
}

fn ports(call: &Call<'_>) -> Result<Vec<u16>, Refusal> {
    let text = call.query.get("ports").unwrap_or_default();
    let ports: Option<Vec<u16>> =
        text.split(',').map(|port| port.parse().ok().filter(|port| *port > 0)).collect();
    ports.filter(|ports| ports.len() <= 64).ok_or_else(|| {
        Refusal::bad_request(format!(
            "query parameter \"ports\" is required: {text:?} is not a list of ports"
        ))
    })
}

/// Connects each port, and forwards bytes until all pods have closed their connections or the client has
/// gone.
async fn run(socket: Socket, targets: Vec<(u16, Option<std::net::SocketAddr>)>) {
    let (mut sink, messages) = socket.split();
    // A small buffer, so that a slow client slows the pods down instead of filling the memory.
    let (sender, mut outgoing) = mpsc::channel::<Message>(4);
    let mut writers = Vec::new();
    let mut readers = tokio::task::JoinSet::new();
    for (i, (port, address)) in targets.into_iter().enumerate() {
        let channel = u8::try_from(2 * i).unwrap_or(u8::MAX - 1);
        let first = port.to_le_bytes();
        for channel in [channel, channel + 1] {
            if sender.send(message(channel, &first)).await.is_err()
                || flush(&mut outgoing, &mut sink).await.is_err()
            {
                return;
            }
        }
        let connected = match address {
            Some(address) => TcpStream::connect(address).await.map_err(|error| error.to_string()),
            None => Err("the pod does not listen there".into()),
        };
        match connected {
            Ok(stream) => {
                // Do not delay small messages. If this fails, the connection is broken and reading fails,
                // too.
                let _ = stream.set_nodelay(true);
                let (read, write) = stream.into_split();
                writers.push(Some(write));
                readers.spawn(from_pod(channel, read, sender.clone()));
            }
            Err(error) => {
                writers.push(None);
                let text = format!("error forwarding port {port}: {error}");
                if sender.send(message(channel + 1, text.as_bytes())).await.is_err()
                    || flush(&mut outgoing, &mut sink).await.is_err()
                {
                    return;
                }
            }
        }
    }
    drop(sender);
    let sending = async {
        while let Some(message) = outgoing.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
        // All pods have closed their connections.
        let _ = sink.close().await;
    };
    tokio::select! {
        () = sending => {}
        () = to_pods(messages, writers) => {}
    }
}

async fn flush(
    outgoing: &mut mpsc::Receiver<Message>,
    sink: &mut (impl SinkExt<Message> + Unpin),
) -> Result<(), ()> {
    while let Ok(message) = outgoing.try_recv() {
        sink.send(message).await.map_err(|_| ())?;
    }
    Ok(())
}

fn message(channel: u8, data: &[u8]) -> Message {
    let mut bytes = BytesMut::with_capacity(data.len() + 1);
    bytes.put_u8(channel);
    bytes.put_slice(data);
    Message::Binary(bytes.freeze())
}

/// Forwards from a pod to the client.
async fn from_pod(channel: u8, mut reader: OwnedReadHalf, sender: mpsc::Sender<Message>) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        if sender.send(message(channel, &buffer[..length])).await.is_err() {
            return;
        }
    }
}

/// Forwards from the client to the pods.
async fn to_pods(mut messages: SplitStream<Socket>, mut writers: Vec<Option<OwnedWriteHalf>>) {
    while let Some(Ok(message)) = messages.next().await {
        let data: Bytes = match message {
            Message::Binary(data) => data,
            Message::Close(_) => return,
            _ => continue,
        };
        let Some((channel, data)) = data.split_first() else { continue };
        // Odd channels are for errors, which only this server sends.
        let slot = if channel % 2 == 0 { writers.get_mut(usize::from(channel / 2)) } else { None };
        if let Some(writer) = slot
            && let Some(open) = writer
            && open.write_all(data).await.is_err()
        {
            *writer = None;
        }
    }
}
