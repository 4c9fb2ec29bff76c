//! What deploy and cleanup do with objects of other people, against a scripted API server.

mod api_server;
mod pod_security;
mod policies;

use api_server::{ApiServer, without_label};
use serde_json::Value;

use super::object::title;
use super::{Overlay, apply, approve, delete, job, objects};
use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::exit::{Error, ExitCode};

/// Every object that `deploy` can apply.
fn all() -> Vec<Value> {
    let mut all = objects(Overlay::Kind, &[], None).unwrap();
    all.extend(objects(Overlay::NetworkPolicy, &[], None).unwrap());
    all
}

async fn deploy(cluster: &Cluster, objects: Vec<Value>) -> Result<(), Error> {
    let approved = approve(cluster, objects).await?;
    apply(cluster, &approved).await
}

#[tokio::test]
async fn deploy_creates_every_object_replaces_its_own_and_cleanup_deletes_them() {
    let (server, cluster) = ApiServer::start();
    for _ in 0..2 {
        deploy(&cluster, all()).await.unwrap();
        assert_eq!(std::mem::take(&mut server.state().changes).len(), all().len());
    }
    let shown = delete(&cluster, &all(), true).await.unwrap();
    assert!(server.state().changes.is_empty());
    let deletion = delete(&cluster, &all(), false).await.unwrap();
    assert_eq!(deletion, shown);
    assert_eq!(deletion.left, []);
    assert!(server.state().objects.is_empty() && deletion.deleted.len() == all().len());
}

#[tokio::test]
async fn a_foreign_object_of_any_kind_is_refused_by_name_and_kept() {
    for foreign in all() {
        for (manager, operation) in
            [("kubectl-create", "Update"), ("kubectl", "Apply"), (FIELD_MANAGER, "Update")]
        {
            let (server, cluster) = ApiServer::start();
            let path = server.create(&foreign, manager, operation);
            let error = deploy(&cluster, all()).await.unwrap_err();
            assert_eq!(error.code, ExitCode::Preflight);
            assert!(error.message.contains(&title(&foreign)), "{error}");
            assert_eq!(server.state().changes, [""; 0], "nothing is applied");
            let deletion = delete(&cluster, &all(), false).await.unwrap();
            assert_eq!(deletion.deleted, [""; 0]);
            assert_eq!(deletion.left.len(), 1);
            assert_eq!(deletion.left[0].0, title(&foreign));
            assert!(server.state().objects.contains_key(&path));
        }
    }
}

#[tokio::test]
async fn all_foreign_objects_are_named_at_once() {
    let (server, cluster) = ApiServer::start();
    for object in all() {
        server.create(&object, "kubectl-create", "Update");
    }
    let error = deploy(&cluster, all()).await.unwrap_err();
    for object in all() {
        assert!(error.message.contains(&title(&object)), "{error}");
    }
    assert!(!error.message.contains('\n') && error.next.is_some());
}

#[tokio::test]
async fn objects_of_a_version_without_the_label_are_replaced_and_deleted() {
    let (server, cluster) = ApiServer::start();
    for object in all() {
        server.create(&without_label(&object), FIELD_MANAGER, "Apply");
    }
    deploy(&cluster, all()).await.unwrap();
    let deletion = delete(&cluster, &all(), false).await.unwrap();
    assert_eq!((deletion.deleted.len(), deletion.left.len()), (all().len(), 0));

    let job = job(&[]).unwrap();
    for object in [job.clone(), without_label(&job)] {
        server.create(&object, FIELD_MANAGER, "Update");
        let deletion = delete(&cluster, std::slice::from_ref(&job), false).await.unwrap();
        assert_eq!(deletion.deleted, [title(&job)], "Jobs are created, and not applied");
    }
}

#[tokio::test]
async fn if_the_server_refuses_any_object_nothing_is_applied() {
    for object in all() {
        let (server, cluster) = ApiServer::start();
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
        let place = format!("{plural}/{}", object["metadata"]["name"].as_str().unwrap());
        server.state().refuses = vec![(place.leak(), 403, "exceeded quota:\n objects")];
        let error = deploy(&cluster, all()).await.unwrap_err();
        assert_eq!(error.code, ExitCode::Preflight);
        let expected = format!("{}: exceeded quota: objects", title(&object));
        assert!(error.message.contains(&expected), "{error}");
        assert!(server.state().objects.is_empty() && server.state().changes.is_empty());
    }
}

#[tokio::test]
async fn a_missing_namespace_is_named_once_with_the_command_that_creates_it() {
    let (server, cluster) = ApiServer::start();
    server.state().refuses = vec![("services/inference", 404, "namespaces \"load\" not found")];
    let error = deploy(&cluster, all()).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert_eq!(error.message, "https://test: namespaces \"load\" not found");
    assert_eq!(error.next.as_deref(), Some("create it: kubectl create namespace load"));
}

/// A user who may not grant every right gets "not found" from a dry run of a binding whose Role is not created.
#[tokio::test]
async fn a_binding_waits_for_the_role_that_is_created_with_it() {
    let (server, cluster) = ApiServer::start();
    let binding = "rolebindings/locust-driver-rolebinding";
    server.state().refuses = vec![(binding, 404, "roles \"locust-driver-role\" not found")];
    approve(&cluster, all()).await.unwrap();
    let without_role = all().into_iter().filter(|object| object["kind"] != "Role").collect();
    let error = approve(&cluster, without_role).await.unwrap_err();
    assert!(error.message.contains("RoleBinding/locust-driver-rolebinding"), "{error}");

    server.state().refuses.clear();
    deploy(&cluster, all()).await.unwrap();
    let changes = server.state().changes.clone();
    let at = |what: &str| changes.iter().position(|change| change.contains(what)).unwrap();
    assert!(at("roles/locust-driver-role") < at(binding) && at(binding) < at("deployments/"), "{changes:?}");
}

#[tokio::test]
async fn an_object_that_somebody_creates_after_the_check_is_not_taken_over() {
    let (server, cluster) = ApiServer::start();
    let approved = approve(&cluster, all()).await.unwrap();
    let service = all().into_iter().find(|object| object["kind"] == "Service").unwrap();
    let path = server.create(&service, "kubectl-create", "Update");
    let before = server.state().objects[&path].clone();
    let error = apply(&cluster, &approved).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert_eq!(server.state().objects[&path], before);
}

#[tokio::test]
async fn an_object_that_somebody_takes_over_before_its_deletion_is_left() {
    let (server, cluster) = ApiServer::start();
    deploy(&cluster, all()).await.unwrap();
    server.state().taken_over_before_delete = Some("services/inference");
    let deletion = delete(&cluster, &all(), false).await.unwrap();
    assert_eq!(deletion.deleted.len(), all().len() - 1);
    assert_eq!(deletion.left, [("Service/inference".into(), "kubectl apply manages it".into())]);
    assert_eq!(server.state().objects.len(), 1);
}
