//! Checks before an apply, so that either all objects are applied or none.

use futures::future::{join_all, try_join_all};
use kube::Error as KubeError;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;

use super::object::{api_of, creating_operations, in_namespace, title};
use crate::cluster::{Cluster, FIELD_MANAGER, explain, why_foreign};
use crate::exit::{Error, Result};

/// An object that may be applied, because this program created it, or because it does not exist.
#[derive(Debug)]
pub struct Approved {
    /// The object of the manifests.
    pub object: Value,
    exists: bool,
}

impl Approved {
    /// Parameters of a server-side apply.
    ///
    /// It takes over the fields of objects that this program created, because a run that scales a Deployment
    /// owns its field `replicas` under another operation, and people change values by hand. A new object is
    /// not forced: if somebody else creates it at this moment, that is a conflict.
    pub(super) fn apply_params(&self) -> PatchParams {
        let params = PatchParams::apply(FIELD_MANAGER);
        if self.exists { params.force() } else { params }
    }
}

/// Refuses `objects` if any of them exists and was not created by this program, and then if the API server
/// would refuse any of them: it applies all of them as a dry run. Changes nothing.
///
/// # Errors
/// Exit code 3, naming every object that is refused, or the namespace if that is missing; 4: the API server
/// failed.
pub async fn approve(cluster: &Cluster, objects: Vec<Value>) -> Result<Vec<Approved>> {
    let existing = refuse_foreign(cluster, &objects).await?;
    let approved = objects.into_iter().zip(existing);
    let approved = approved.map(|(object, existing)| Approved { object, exists: existing.is_some() });
    let approved: Vec<_> = approved.collect();
    refuse_inadmissible(cluster, &approved).await?;
    Ok(approved)
}

/// Refuses `objects` if any of them exists and was not created by this program. Returns each as it is in the
/// cluster.
///
/// # Errors
/// Exit code 3, naming every foreign object, or if a permission is missing; 4: the API server failed.
pub async fn refuse_foreign(cluster: &Cluster, objects: &[Value]) -> Result<Vec<Option<DynamicObject>>> {
    let existing = try_join_all(objects.iter().map(|object| async move {
        let (api, kind, name) = api_of(cluster, object);
        let subject = format!("{kind} {}/{name}", cluster.namespace);
        api.get_opt(&name).await.map_err(|error| explain(&subject, &error))
    }))
    .await?;
    let foreign = objects.iter().zip(&existing).filter_map(|(object, existing)| {
        let kind = object["kind"].as_str().unwrap_or_default();
        let why = why_foreign(existing.as_ref()?, creating_operations(kind))?;
        Some(format!("{} ({why})", title(object)))
    });
    let foreign: Vec<_> = foreign.collect();
    if foreign.is_empty() {
        return Ok(existing);
    }
    let subject = format!("namespace {} of {}", cluster.namespace, cluster.server);
    let what = "has objects of these names that locust-matrix did not create";
    Err(Error::preflight(format!("{subject} {what}; nothing was applied: {}", foreign.join(", ")))
        .next("choose another --namespace or --overlay, or delete these objects if nobody needs them"))
}

/// Applies all objects as a dry run.
async fn refuse_inadmissible(cluster: &Cluster, approved: &[Approved]) -> Result<()> {
    let answers = join_all(approved.iter().map(|one| async move {
        let (api, _, name) = api_of(cluster, &one.object);
        let object = in_namespace(cluster, &one.object)?;
        Ok(api.patch(&name, &one.apply_params().dry_run(), &Patch::Apply(&object)).await)
    }))
    .await;
    let mut refusals = Vec::new();
    for (one, answer) in approved.iter().zip(answers) {
        match answer? {
            Ok(_) => {}
            Err(KubeError::Api(status)) if status.code == 404 && names(&status.details, "namespaces") => {
                return Err(Error::preflight(format!("{}: {}", cluster.server, status.message))
                    .next(format!("create it: kubectl create namespace {}", cluster.namespace)));
            }
            Err(KubeError::Api(status)) if status.code == 404 && waits_for_its_role(one, approved) => {}
            Err(KubeError::Api(status)) if matches!(status.code, 400..=499) && status.code != 429 => {
                let message = status.message.split_whitespace().collect::<Vec<_>>().join(" ");
                refusals.push(format!("{}: {message}", title(&one.object)));
            }
            Err(error) => return Err(explain(&format!("dry run of {}", title(&one.object)), &error)),
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    let subject = format!("namespace {} of {}", cluster.namespace, cluster.server);
    Err(Error::preflight(format!(
        "{subject}: the API server refuses these objects, so nothing was applied: {}",
        refusals.join("; ")
    ))
    .next("change what it names: a missing permission, a quota, or a rule of admission"))
}

fn names(details: &Option<kube::core::response::StatusDetails>, kind: &str) -> bool {
    details.as_ref().is_some_and(|details| details.kind == kind)
}

/// Whether the object binds a Role that this apply creates. A dry run creates no Role, and then the API server
/// cannot find out whether the user may grant its rights.
fn waits_for_its_role(binding: &Approved, approved: &[Approved]) -> bool {
    let is_its_role = |one: &Approved| {
        one.object["kind"] == binding.object["roleRef"]["kind"]
            && one.object["metadata"]["name"] == binding.object["roleRef"]["name"]
    };
    binding.object["kind"] == "RoleBinding" && approved.iter().any(|one| !one.exists && is_its_role(one))
}
