//! The objects of the manifests, changed as the user asked: images, the locustfile, the service's name.

use serde_json::{Value, json};

use super::kustomize::Image;
use super::{bundle, checksum, kustomize};
use crate::cluster::FIELD_MANAGER;
use crate::config::WorkloadName;
use crate::exit::{Error, ExitCode, Result};
use crate::objects::MANAGED_BY;

/// The Deployment that the Role of the manifests names.
const DEFAULT_DEPLOYMENT: &str = "inference";

/// A part of the manifests that can be applied by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Overlay {
    /// Locust, its scripts and the driver's permissions; no service, no load
    Base,
    /// The base and the stub service, small enough for one machine
    Kind,
    /// The stub service alone
    Stub,
    /// Policies that limit who connects to Locust and to the stub
    NetworkPolicy,
}

impl Overlay {
    const fn folder(self) -> &'static str {
        match self {
            Self::Base => ".",
            Self::Kind => "kind",
            Self::Stub => "stub",
            Self::NetworkPolicy => "network-policy",
        }
    }
}

/// The objects of an overlay. `images` replace those of the manifests, `locustfile` is the text of another
/// locustfile; pods that use the scripts carry their checksum.
///
/// # Errors
/// Exit code 1: the manifests in this binary are damaged.
pub fn objects(overlay: Overlay, images: &[Image], locustfile: Option<&str>) -> Result<Vec<Value>> {
    build(overlay.folder(), images, locustfile)
}

/// The Job of the driver.
///
/// # Errors
/// As [`objects`].
pub fn job(images: &[Image]) -> Result<Value> {
    let objects = build("job-simple", images, None)?;
    let job = objects.into_iter().find(|object| object["kind"] == "Job");
    let mut job = job.ok_or_else(|| damaged("job-simple has no Job"))?;
    job["metadata"]["labels"][MANAGED_BY] = FIELD_MANAGER.into();
    Ok(job)
}

/// Changes the driver's Role so that it permits reading and scaling `target` instead of the service `inference` of
/// the manifests, and with `pauses` also pausing its autoscaler.
pub fn allow_scaling(objects: &mut [Value], target: &WorkloadName, pauses: bool) {
    let roles = objects.iter_mut().filter(|object| object["kind"] == "Role");
    for rules in roles.filter_map(|role| role["rules"].as_array_mut()) {
        for rule in rules.iter_mut() {
            let is_about = |kinds: &[&str]| {
                let resources = rule["resources"].as_array().into_iter().flatten();
                resources.filter_map(Value::as_str).any(|one| kinds.contains(&one))
            };
            if is_about(&["deployments", "deployments/scale", "statefulsets", "statefulsets/scale"]) {
                let names = rule["resourceNames"].as_array_mut().into_iter().flatten();
                names
                    .filter(|name| *name == DEFAULT_DEPLOYMENT)
                    .for_each(|name| *name = target.name.clone().into());
            } else if pauses && is_about(&["horizontalpodautoscalers", "scaledobjects"]) {
                rule["verbs"] = json!(["list", "patch"]);
            }
        }
        rules.extend(rules_of_custom_kind(target));
    }
}

/// The rules for a kind that is not built into Kubernetes.
fn rules_of_custom_kind(target: &WorkloadName) -> Vec<Value> {
    let (Some(kind), Some(group)) = (&target.kind, &target.group) else { return Vec::new() };
    if group == "apps" {
        return Vec::new();
    }
    // A Role names the plural. kubectl accepts both, and so does the setting.
    let plural = if kind.ends_with('s') { kind.clone() } else { format!("{kind}s") };
    let rule = |resource: String, verbs: &[&str]| json!({ "apiGroups": [group], "resources": [resource], "resourceNames": [target.name], "verbs": verbs });
    vec![rule(format!("{plural}/scale"), &["get", "patch"]), rule(plural, &["get", "list", "watch"])]
}

fn build(folder: &str, images: &[Image], locustfile: Option<&str>) -> Result<Vec<Value>> {
    let mut objects = kustomize::build(&bundle::read, folder).map_err(|problem| damaged(&problem))?;
    kustomize::replace_images(&mut objects, images);
    if let Some(text) = locustfile {
        checksum::replace_locustfile(&mut objects, text);
    }
    checksum::annotate(&mut objects);
    Ok(objects)
}

fn damaged(problem: &str) -> Error {
    Error::new(ExitCode::Bug, format!("manifests: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(objects: &[Value]) -> Vec<String> {
        let role = objects.iter().find(|object| object["kind"] == "Role").unwrap();
        role["rules"].as_array().unwrap().iter().map(Value::to_string).collect()
    }

    #[test]
    fn the_role_names_the_given_workload_and_nothing_else_changes() {
        let plain = objects(Overlay::Base, &[], None).unwrap();
        let mut changed = plain.clone();
        allow_scaling(&mut changed, &"shop".parse().unwrap(), false);
        let expected: Vec<_> =
            rules(&plain).iter().map(|rule| rule.replace("\"inference\"", "\"shop\"")).collect();
        assert_eq!(rules(&changed), expected);
        for kind in ["deployments", "deployments/scale", "statefulsets", "statefulsets/scale"] {
            let names = |rule: &&String| rule.contains(&format!("[\"{kind}\"]")) && rule.contains("shop");
            assert_eq!(rules(&changed).iter().filter(names).count(), 1, "{kind}");
        }
    }

    #[test]
    fn a_custom_kind_and_the_pause_of_autoscalers_get_their_rules_and_only_then() {
        let mut changed = objects(Overlay::Base, &[], None).unwrap();
        let patches = |objects: &[Value]| {
            rules(objects).iter().any(|rule| rule.contains("autoscalers") && rule.contains("patch"))
        };
        assert!(!patches(&changed));
        allow_scaling(&mut changed, &"rollout.argoproj.io/bert".parse().unwrap(), true);
        assert!(patches(&changed));
        let added = rules(&changed);
        let added = &added[added.len() - 2..];
        assert!(added[0].contains(r#""rollouts/scale""#) && added[0].contains("patch"), "{added:?}");
        assert!(added[1].contains(r#""argoproj.io""#) && added[1].contains("watch"), "{added:?}");
    }

    #[test]
    fn the_manifests_have_the_names_labels_and_ports_that_the_driver_uses() {
        use crate::objects::*;
        let mut all = objects(Overlay::Kind, &[], None).unwrap();
        all.push(job(&[]).unwrap());
        let find = |kind: &str, name: &str| {
            let same = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
            all.iter().find(same).unwrap_or_else(|| panic!("there is no {kind} {name}"))
        };
        let pods = |kind: &str, name: &str| {
            let labels = &find(kind, name)["spec"]["template"]["metadata"]["labels"];
            let role = labels["role"].as_str().map(|role| format!(",role={role}")).unwrap_or_default();
            format!("app={}{role}", labels["app"].as_str().unwrap())
        };
        assert_eq!(pods("Deployment", MASTER), MASTER_PODS);
        assert_eq!(pods("Deployment", WORKERS), WORKER_PODS);
        assert_eq!(pods("Deployment", DEFAULT_DEPLOYMENT), STUB_PODS);
        assert_eq!(pods("Job", JOB), DRIVER_PODS);
        for selector in [MASTER_PODS, WORKER_PODS, DRIVER_PODS] {
            assert!(selector.starts_with(LOAD_PODS));
        }
        assert_eq!(LOAD_PODS, format!("app={LOAD_APP}"));
        let scripts = find("ConfigMap", SCRIPTS);
        assert!(scripts["data"]["locustfile.py"].as_str().unwrap().contains("\"User-Agent\""));
        assert_eq!(find("ConfigMap", JOB_SETTINGS)["metadata"]["labels"]["app"], LOAD_APP);
        assert!(all.iter().any(|object| object["metadata"]["labels"]["app"] == RESULTS_APP));
        let ports = &find("Deployment", MASTER)["spec"]["template"]["spec"]["containers"][0]["ports"];
        assert!(ports.as_array().unwrap().iter().any(|port| port["containerPort"] == WEB_PORT), "{ports}");
    }

    #[test]
    fn every_object_has_the_label_of_what_this_program_creates() {
        let mut all = vec![job(&[]).unwrap()];
        for folder in [".", "kind", "stub", "weekly", "network-policy"] {
            all.extend(build(folder, &[], None).unwrap());
        }
        for object in all {
            assert_eq!(object["metadata"]["labels"][MANAGED_BY], FIELD_MANAGER, "{object}");
        }
        let nodeport = bundle::read("nodeport/locust-master-nodeport.yaml").unwrap();
        assert!(
            nodeport.contains(&format!("    {MANAGED_BY}: {FIELD_MANAGER}\n")),
            "a component: {nodeport}"
        );
    }

    #[test]
    fn the_manifests_carry_the_checksum_of_their_scripts() {
        let plain = kustomize::build(&bundle::read, ".").unwrap();
        assert_eq!(
            plain,
            objects(Overlay::Base, &[], None).unwrap(),
            "a script has changed: put its checksum into the manifests"
        );
    }

    #[test]
    fn another_locustfile_changes_the_pod_templates() {
        let templates = |locustfile: Option<&str>| -> Vec<Value> {
            let objects = objects(Overlay::Base, &[], locustfile).unwrap();
            let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
            deployments.map(|object| object["spec"]["template"].clone()).collect()
        };
        let (before, after) = (templates(None), templates(Some("pass\n")));
        assert_eq!(after.len(), 2);
        assert!(after.iter().zip(&before).all(|(new, old)| new != old));
    }
}
