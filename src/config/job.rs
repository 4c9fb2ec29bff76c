//! What the driver's Job needs in a cluster that others run: where its pod may run, and what admission asks of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exit::{Error, Result};

/// Settings of the Job's pod. Their keys are those of a pod's manifest, so that they can be copied from one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct JobSettings {
    /// Labels of the nodes that the pod may run on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// The taints of nodes that the pod tolerates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Secrets with the credentials of the driver image's registry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<SecretName>,
    /// The pod's priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// More labels of the pod, such as `sidecar.istio.io/inject: "false"`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// More annotations of the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Requests and limits of the driver's container; amounts that are not given stay those of the manifests.
    #[serde(skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
}

/// A taint that the pod tolerates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key; without one, every taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` or `Exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The taint's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// How long a taint with the effect `NoExecute` is tolerated, s.
    #[serde(rename = "tolerationSeconds", skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// The name of a secret, alone or as in a pod's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretName {
    /// `regcred`
    Plain(String),
    /// `{name: regcred}`
    InManifest {
        /// The secret's name.
        name: String,
    },
}

impl SecretName {
    /// The secret's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Plain(name) | Self::InManifest { name } => name,
        }
    }
}

/// Amounts of resources, as Kubernetes writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// What the container gets for certain, such as `memory: 64Mi`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What it gets at most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

impl Resources {
    /// Whether no amount is given.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

impl JobSettings {
    /// # Errors
    /// Exit code 2: a label that the Job itself needs is changed, or a name is empty.
    pub(super) fn check(&self) -> Result<()> {
        for (label, why) in [
            ("app", "the policies and `kubectl delete -l app=locust` select the driver by it"),
            ("role", "the policies select the driver by it"),
        ] {
            if self.labels.contains_key(label) {
                return Err(Error::usage(format!("job.labels: {label} cannot be changed: {why}"))
                    .next("leave this label out"));
            }
        }
        let empty = [
            ("job.imagePullSecrets", self.image_pull_secrets.iter().any(|secret| secret.name().is_empty())),
            ("job.priorityClassName", self.priority_class_name.as_ref().is_some_and(String::is_empty)),
        ];
        if let Some((key, _)) = empty.iter().find(|(_, is_empty)| *is_empty) {
            return Err(Error::usage(format!("{key}: a name is empty")).next("give it, or leave the key out"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::SecretName;

    const TEXT: &str = r#"
job:
  nodeSelector: {pool: load}
  tolerations: [{key: dedicated, operator: Equal, value: load, effect: NoSchedule}]
  imagePullSecrets: [regcred, {name: other}]
  priorityClassName: batch-low
  labels: {sidecar.istio.io/inject: "false"}
  annotations: {linkerd.io/inject: disabled}
  resources: {requests: {memory: 64Mi}}
"#;

    #[test]
    fn the_jobs_settings_have_the_keys_of_a_manifest_and_survive_the_way_to_the_pod() {
        let settings = Settings::parse(TEXT).unwrap();
        let names: Vec<_> = settings.job.image_pull_secrets.iter().map(SecretName::name).collect();
        assert_eq!(names, ["regcred", "other"]);
        assert_eq!(settings.job.tolerations[0].effect.as_deref(), Some("NoSchedule"));
        assert_eq!(Settings::parse(&settings.to_yaml().unwrap()).unwrap(), settings);
    }

    #[test]
    fn a_misspelt_key_and_a_label_that_the_job_needs_are_refused() {
        for (text, word) in [
            ("job: {nodeselector: {a: b}}", "nodeselector"),
            ("job: {tolerations: [{keys: a}]}", "keys"),
            ("job: {labels: {role: other}}", "job.labels: role"),
            ("job: {priorityClassName: \"\"}", "job.priorityClassName"),
        ] {
            let error = Settings::parse(text).and_then(Settings::complete).unwrap_err();
            assert!(error.message.contains(word), "{text}: {error}");
        }
    }
}
