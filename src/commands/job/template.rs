//! What the settings add to the Job's pod.

use serde_json::{Map, Value, json};

use crate::config::JobSettings;

/// Adds the settings to the pod template of the manifest.
pub(super) fn apply(settings: &JobSettings, template: &mut Value) {
    let JobSettings {
        node_selector,
        tolerations,
        image_pull_secrets,
        priority_class_name,
        labels,
        annotations,
        resources,
    } = settings;
    extend(&mut template["metadata"]["labels"], labels);
    extend(&mut template["metadata"]["annotations"], annotations);
    let pod = &mut template["spec"];
    extend(&mut pod["nodeSelector"], node_selector);
    if !tolerations.is_empty() {
        pod["tolerations"] = json!(tolerations);
    }
    if !image_pull_secrets.is_empty() {
        let names = image_pull_secrets.iter().map(|secret| json!({ "name": secret.name() }));
        pod["imagePullSecrets"] = names.collect();
    }
    if let Some(name) = priority_class_name {
        pod["priorityClassName"] = name.as_str().into();
    }
    let container = &mut pod["containers"][0]["resources"];
    extend(&mut container["requests"], &resources.requests);
    extend(&mut container["limits"], &resources.limits);
    // What nothing was added to is not there, rather than null.
    for part in ["/metadata/annotations", "/spec/nodeSelector"] {
        let (parent, field) = part.rsplit_once('/').unwrap_or_default();
        if let Some(Value::Object(parent)) = template.pointer_mut(parent) {
            parent.retain(|key, value| key != field || !value.is_null());
        }
    }
}

fn extend<'a>(map: &mut Value, more: impl IntoIterator<Item = (&'a String, &'a String)>) {
    for (key, value) in more {
        if !map.is_object() {
            *map = Map::new().into();
        }
        map[key.as_str()] = value.as_str().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::deploy::job;
    use k8s_openapi::api::batch::v1::Job;

    fn pod_template(settings: &str) -> Value {
        let mut manifest = job(&[]).unwrap();
        apply(&Settings::parse(settings).unwrap().job, &mut manifest["spec"]["template"]);
        // It is a Job even so, without a field of the wrong type.
        serde_json::from_value::<Job>(manifest.clone()).unwrap();
        manifest["spec"]["template"].clone()
    }

    #[test]
    fn without_settings_the_manifest_stays_as_it_is() {
        assert_eq!(pod_template("{}"), job(&[]).unwrap()["spec"]["template"]);
    }

    #[test]
    fn each_setting_has_its_place_in_the_pod_and_the_rest_of_the_manifest_stays() {
        let template = pod_template(
            r#"
job:
  nodeSelector: {pool: load}
  tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule, tolerationSeconds: 60}]
  imagePullSecrets: [regcred, {name: other}]
  priorityClassName: batch-low
  labels: {sidecar.istio.io/inject: "false"}
  annotations: {linkerd.io/inject: disabled}
  resources: {requests: {memory: 64Mi}, limits: {cpu: 500m}}
"#,
        );
        let (metadata, pod) = (&template["metadata"], &template["spec"]);
        assert_eq!(metadata["labels"]["sidecar.istio.io/inject"], "false");
        assert_eq!(metadata["labels"]["role"], "driver");
        assert_eq!(metadata["annotations"]["linkerd.io/inject"], "disabled");
        assert_eq!(pod["nodeSelector"], json!({ "pool": "load" }));
        let toleration = json!({ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 60 });
        assert_eq!(pod["tolerations"], json!([toleration]));
        assert_eq!(pod["imagePullSecrets"], json!([{ "name": "regcred" }, { "name": "other" }]));
        assert_eq!(pod["priorityClassName"], "batch-low");
        let resources = &pod["containers"][0]["resources"];
        assert_eq!(resources["requests"], json!({ "cpu": "10m", "memory": "64Mi" }));
        assert_eq!(resources["limits"], json!({ "memory": "128Mi", "cpu": "500m" }));
    }
}
