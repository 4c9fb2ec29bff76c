//! Malformed requests: the answer is always a `Status`, and the server goes on.

use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Cluster, DEADLINE, config_map, deployment, pod};

/// A JSON value of any shape.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inside| {
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z$/]{0,8}|metadata|spec|status|name", inside, 0..4)
                .prop_map(|map| json!(map)),
        ]
    })
}

/// A valid object with one random value in one place.
fn damaged_object() -> impl Strategy<Value = Value> {
    let good = prop_oneof![Just(deployment("a")), Just(pod("a")), Just(config_map("a"))];
    let places = vec![
        "",
        "/metadata",
        "/metadata/name",
        "/metadata/labels",
        "/metadata/managedFields",
        "/metadata/ownerReferences",
        "/metadata/finalizers",
        "/kind",
        "/apiVersion",
        "/data",
        "/data/a",
        "/spec",
        "/spec/replicas",
        "/spec/selector",
        "/spec/strategy",
        "/spec/template",
        "/spec/template/metadata",
        "/spec/template/spec",
        "/spec/containers",
        "/spec/containers/0",
        "/spec/template/spec/containers",
        "/spec/template/spec/containers/0",
        "/spec/template/spec/volumes",
        "/status",
        "/status/conditions",
    ];
    (good, prop::sample::select(places), anything()).prop_map(|(mut object, place, value)| {
        match place.rsplit_once('/') {
            None => object = value,
            Some((parent, field)) => {
                if let Some(Value::Object(map)) = object.pointer_mut(parent) {
                    map.insert(field.into(), value);
                } else if let Some(there) = object.pointer_mut(place) {
                    *there = value;
                }
            }
        }
        object
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let operations =
        prop::collection::vec(anything(), 0..4).prop_map(|all| json!(all).to_string().into_bytes());
    prop_oneof![
        4 => damaged_object().prop_map(|object| object.to_string().into_bytes()),
        1 => anything().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| [b"k8s\0".to_vec(), bytes].concat()),
        1 => operations,
        1 => (0..2000_usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn request() -> impl Strategy<Value = (Method, String, String, Vec<u8>)> {
    let method = prop::sample::select(vec![
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ]);
    let collection = prop::sample::select(vec![
        "/api/v1/namespaces/default/pods",
        "/api/v1/namespaces/default/configmaps",
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/api/v1/namespaces",
        "/apis/batch/v1/namespaces/default/jobs",
    ]);
    let rest = prop::sample::select(vec![
        "",
        "/a",
        "/a/status",
        "/a/scale",
        "/a/log",
        "/a/portforward",
        "/a/token",
        "/a/b/c",
        "/%00",
        "/a%2Fb",
    ]);
    let query = prop_oneof![
        4 => Just(String::new()),
        1 => "[a-zA-Z=&%+(),!]{0,20}",
        1 => prop::sample::select(vec![
            "watch=1&resourceVersion=x", "watch=1&timeoutSeconds=-1", "labelSelector=((", "fieldSelector=a", "fieldManager=m",
            "fieldManager=m&force=true", "dryRun=x", "fieldValidation=x", "dryRun=All&fieldManager=m", "continue=x", "ports=0,a",
            "watch=1&timeoutSeconds=0&resourceVersion=18446744073709551615", "gracePeriodSeconds=-5",
        ]).prop_map(Into::into),
    ];
    let media = prop::sample::select(vec![
        "application/json",
        "application/json",
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
    ]);
    (method, collection, rest, query, media, body()).prop_map(
        |(method, collection, rest, query, media, body)| {
            (method, format!("{collection}{rest}?{query}&timeoutSeconds=0"), media.to_owned(), body)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_request_gets_an_answer_and_every_refusal_is_a_status(requests in prop::collection::vec(request(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::start().await;
            let client = cluster.http();
            for object in [deployment("a"), pod("a"), config_map("a")] {
                let place = match object["kind"].as_str().unwrap() {
                    "Deployment" => "/apis/apps/v1/namespaces/default/deployments",
                    "Pod" => "/api/v1/namespaces/default/pods",
                    _ => "/api/v1/namespaces/default/configmaps",
                };
                assert_eq!(cluster.post(place, &object).await.0, 201);
            }
            for (method, path, media, body) in &requests {
                let request = client.request(method.clone(), cluster.url(path)).bearer_auth(cluster.tokens.admin());
                let sent = request.header("content-type", media).body(body.clone()).send();
                let shown = format!("{method} {path} {media} {}", String::from_utf8_lossy(body));
                let response = tokio::time::timeout(DEADLINE, sent).await.expect(&shown).expect(&shown);
                let code = response.status().as_u16();
                let bytes = tokio::time::timeout(DEADLINE, response.bytes()).await.expect(&shown).expect(&shown);
                assert!((200..500).contains(&code) || code == 504, "{code}: {shown}");
                if code >= 400 {
                    let status: Value = serde_json::from_slice(&bytes).expect(&shown);
                    assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)), "{shown}");
                    assert!(!status["message"].as_str().unwrap().is_empty(), "{shown}");
                }
            }
            assert_eq!(cluster.get("/api/v1/namespaces/default/configmaps").await.0, 200);
        });
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn connections_that_do_not_speak_http_are_closed() {
    let cluster = Cluster::start().await;
    for nonsense in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000)),
        "BREW /pot\r\n\r\n".into(),
    ] {
        let mut stream = cluster.connect().await;
        // The server may close the connection before everything is sent.
        let _ = stream.write_all(nonsense.as_bytes()).await;
        let mut answer = Vec::new();
        let end = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "still open after {} bytes", answer.len());
    }
    // A client without TLS does not disturb the others either.
    let mut plain = tokio::net::TcpStream::connect(cluster.address).await.unwrap();
    plain.write_all(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(cluster.get("/version").await.0, 200);
}
