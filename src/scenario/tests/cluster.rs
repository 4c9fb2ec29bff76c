//! An API server with the two Deployments and the pods of a [`World`].

use std::future::pending;
use std::time::Duration;

use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tower::service_fn;

use super::world::{MASTER, State, WORKERS, World};
use crate::cluster::Cluster;

/// Pods that were scaled down and use all of their grace period.
#[derive(Clone)]
pub(super) struct Leaving {
    pods: Vec<Value>,
    until: Instant,
}

/// A cluster whose API server is the world.
pub(super) fn cluster(world: &World) -> Cluster {
    let world = world.clone();
    let service = service_fn(move |request: Request<Body>| {
        let world = world.clone();
        async move {
            let (parts, body) = request.into_parts();
            if !world.state().api_answers() {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
            }
            let query = parts.uri.query().unwrap_or_default().to_owned();
            if query.contains("watch=true") {
                let leaving = world.state().leaving.clone();
                return match leaving.filter(|leaving| leaving.are_watched(parts.uri.path(), &query)) {
                    Some(leaving) => Ok(Response::new(Body::from(leaving.departures().await))),
                    // Nothing else changes by itself here, so a list is complete.
                    None => pending().await,
                };
            }
            let patch = body.collect_bytes().await.unwrap_or_default();
            let answer = answer(&mut world.state(), &parts.method, parts.uri.path(), &query, &patch);
            Ok(Response::new(Body::from(answer.to_string().into_bytes())))
        }
    });
    let client = Client::new(service, "default");
    Cluster { client, namespace: "default".into(), server: "test".into() }
}

impl Leaving {
    /// The pods of the service from `replicas` to `before`, which are told to leave now.
    fn begin(state: &State, replicas: u32, before: u32) -> Self {
        let grace = state.script.leaves_after;
        let by = Timestamp::now() + SignedDuration::from_secs(grace.into());
        let leave = |at| {
            let mut pod = pod(state, "inference", at);
            pod["metadata"]["deletionTimestamp"] = by.to_string().into();
            pod["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            pod
        };
        let until = Instant::now() + Duration::from_secs(grace.into());
        Self { pods: (replicas..before).map(leave).collect(), until }
    }

    fn are_there(&self) -> bool {
        Instant::now() < self.until
    }

    fn are_watched(&self, path: &str, query: &str) -> bool {
        path.ends_with("/pods") && query.contains("inference") && self.are_there()
    }

    /// The events of a watch on these pods, when they have left.
    async fn departures(&self) -> Vec<u8> {
        sleep_until(self.until).await;
        let left = self.pods.iter().map(|pod| json!({ "type": "DELETED", "object": pod }).to_string() + "\n");
        left.collect::<String>().into_bytes()
    }
}

fn answer(state: &mut State, method: &Method, path: &str, query: &str, patch: &[u8]) -> Value {
    let last = path.rsplit('/').next().unwrap_or_default();
    let named =
        |text: &str| [MASTER, WORKERS].into_iter().find(|name| text.contains(name)).unwrap_or("inference");
    if last == "scale" && *method == Method::PATCH {
        let patch: Value = serde_json::from_slice(patch).unwrap();
        let replicas = u32::try_from(patch["spec"]["replicas"].as_u64().unwrap()).unwrap();
        let name = named(path).to_owned();
        if name == "inference" {
            state.scales += 1;
            let before = state.replicas[&name];
            if replicas < before {
                state.leaving = Some(Leaving::begin(state, replicas, before));
            }
        }
        state.replicas.insert(name.clone(), replicas);
        return json!({
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name}, "spec": {"replicas": replicas},
        });
    }
    if *method == Method::DELETE {
        // Whichever pod of the load generator is replaced: the workers that run come back as new ones.
        state.restart();
        *state.lives.entry(last.to_owned()).or_default() += 1;
        return json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": last } });
    }
    if last == "version" {
        return json!({
            "major": "1", "minor": "34", "gitVersion": "v1.34.0", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        });
    }
    if path.contains("/leases/") {
        if *method == Method::PATCH {
            let patch: Value = serde_json::from_slice(patch).unwrap();
            json_patch::merge(&mut state.lease, &json!({ "spec": patch["spec"] }));
        }
        return state.lease.clone();
    }
    if path.contains("/deployments/") {
        return deployment(state, named(path));
    }
    let name = named(query);
    let (kind, version, items) = match last {
        "events" => ("EventList", "v1", Vec::new()),
        "deployments" => ("DeploymentList", "apps/v1", vec![deployment(state, name)]),
        "pods" => {
            let made = if state.script.refused { 0 } else { state.replicas[name] };
            let pods = (0..made).map(|at| pod(state, name, at));
            // A pod of somebody else, with the same labels.
            let other = (name == MASTER).then(|| {
                let mut other = pod(state, name, made);
                other["metadata"]["ownerReferences"][0]["uid"] = "other".into();
                other["metadata"]["ownerReferences"][0]["kind"] = "Job".into();
                other
            });
            let leaving = state.leaving.iter().filter(|leaving| name == "inference" && leaving.are_there());
            let leaving = leaving.flat_map(|leaving| leaving.pods.clone());
            ("PodList", "v1", pods.chain(other).chain(leaving).collect())
        }
        other => panic!("{method} {path} ({other}) is not served here"),
    };
    json!({"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": "1"}, "items": items})
}

fn deployment(state: &State, name: &str) -> Value {
    let replicas = state.replicas[name];
    let is_rescaled = state.script.rescaled.is_some_and(|(_, to)| name == "inference" && replicas == to);
    let other = state.script.other_scaler.filter(|(_, times)| name == "inference" && state.scales <= *times);
    let ready = if state.script.unplaced || state.script.refused { 0 } else { replicas };
    let conditions = if state.script.refused {
        json!([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}])
    } else {
        json!([])
    };
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": name, "resourceVersion": "1", "generation": 1,
            "managedFields": other.map(|_| ()).or(is_rescaled.then_some(())).map(|()| json!([{
                "manager": "kubectl", "operation": "Update", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }])).unwrap_or_default(),
        },
        "spec": {
            "replicas": other.map_or(replicas, |(to, _)| to), "selector": {"matchLabels": {"app": name}},
            "template": template(name, state.scales > state.script.template_changes_after),
        },
        "status": {
            "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": ready, "availableReplicas": ready, "conditions": conditions,
        },
    })
}

fn template(name: &str, is_changed: bool) -> Value {
    let variables = if is_changed { json!([{"name": "MODE", "value": "fast"}]) } else { json!([]) };
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": "image:1", "env": variables}]},
    })
}

fn pod(state: &State, name: &str, at: u32) -> Value {
    let pod = format!("{name}-{at}");
    let build = if state.scales > state.script.image_moves_after { 2 } else { 1 };
    let life = state.lives.get(&pod).copied().unwrap_or(0);
    let gate = state.script.gate.filter(|_| name == "inference");
    let conditions = if let Some(gate) = gate {
        let message = format!("corresponding condition of pod readiness gate \"{gate}\" does not exist.");
        json!([{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": message}])
    } else if state.script.unplaced {
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}])
    } else {
        json!([{"type": "Ready", "status": "True"}])
    };
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": name, "controller": true});
    json!({
        "metadata": {
            "name": pod, "namespace": "default", "uid": format!("{pod}-{life}"), "resourceVersion": "1",
            "ownerReferences": [owner],
        },
        "spec": {
            "containers": [{"name": name, "resources": {"limits": {"cpu": "200m"}}}],
            "readinessGates": gate.map(|gate| json!([{"conditionType": gate}])).unwrap_or_default(),
        },
        "status": {
            "conditions": conditions, "podIP": "10.0.0.1",
            "containerStatuses": [{
                "name": name, "image": "image:1", "imageID": format!("image@sha256:{build}"), "ready": true,
                "restartCount": 0, "state": {"running": {}},
            }],
        },
    })
}
