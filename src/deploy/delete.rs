//! Deletes the objects that this program created.

use kube::Error as KubeError;
use kube::api::{DeleteParams, Preconditions};
use serde_json::Value;

use super::object::{api_of, creating_operations, title};
use crate::cluster::{Cluster, explain, why_foreign};
use crate::exit::{Error, Result};

/// How often an object that changes before its deletion is judged again.
const ATTEMPTS: usize = 5;

/// What a deletion did, as `Kind/name`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Deleted, or with a dry run, would be deleted.
    pub deleted: Vec<String>,
    /// Exists and was left alone, each with the reason.
    pub left: Vec<(String, String)>,
}

enum Outcome {
    Deleted,
    Absent,
    Left(String),
}

/// Deletes those of `objects` that exist in the cluster's namespace and that this program created. With
/// `dry_run`, deletes nothing.
///
/// # Errors
/// Exit code 3 if a permission is missing, else 4.
pub async fn delete(cluster: &Cluster, objects: &[Value], dry_run: bool) -> Result<Deletion> {
    let mut deletion = Deletion::default();
    for object in objects {
        match delete_one(cluster, object, dry_run).await? {
            Outcome::Absent => {}
            Outcome::Deleted => deletion.deleted.push(title(object)),
            Outcome::Left(why) => deletion.left.push((title(object), why)),
        }
    }
    Ok(deletion)
}

async fn delete_one(cluster: &Cluster, object: &Value, dry_run: bool) -> Result<Outcome> {
    let (api, kind, name) = api_of(cluster, object);
    let subject = format!("{kind} {}/{name}", cluster.namespace);
    for _ in 0..ATTEMPTS {
        let existing = match api.get_opt(&name).await {
            Ok(Some(existing)) => existing,
            Ok(None) => return Ok(Outcome::Absent),
            // Few people need this permission, and who lacks it cannot have deployed the policies.
            Err(KubeError::Api(status)) if status.code == 403 && kind == "NetworkPolicy" => {
                return Ok(Outcome::Left("the permission to read it is missing".into()));
            }
            Err(error) => return Err(explain(&subject, &error)),
        };
        if let Some(why) = why_foreign(&existing, creating_operations(&kind)) {
            return Ok(Outcome::Left(why));
        }
        if dry_run {
            return Ok(Outcome::Deleted);
        }
        // Exactly what was judged is deleted: not an object of the same name that came later, and not one that
        // somebody else has taken over since.
        let preconditions = Preconditions {
            uid: existing.metadata.uid.clone(),
            resource_version: existing.metadata.resource_version.clone(),
        };
        let params = DeleteParams::background().preconditions(preconditions);
        match api.delete(&name, &params).await {
            Ok(_) => return Ok(Outcome::Deleted),
            Err(KubeError::Api(status)) if status.code == 404 => return Ok(Outcome::Absent),
            Err(KubeError::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(explain(&format!("delete {subject}"), &error)),
        }
    }
    Err(Error::cluster(format!("delete {subject}: it changed {ATTEMPTS} times while it was being deleted"))
        .next("run the cleanup again"))
}
