//! The name of what is scaled: `bert`, `statefulset/bert`, `rollouts.argoproj.io/bert`.

use std::fmt;
use std::str::FromStr;

/// What is scaled, as `kubectl scale` names it. Without a kind, the cluster is searched for the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadName {
    /// The kind in lower case, in the singular, the plural or short: `deployment`, `statefulsets`, `sts`.
    pub kind: Option<String>,
    /// The API group; `None` if the name leaves it open.
    pub group: Option<String>,
    /// The object's name.
    pub name: String,
    /// Whether a Deployment of this name is meant even if something else has the name, too.
    pub deployment_first: bool,
}

impl WorkloadName {
    /// The Deployment of this name.
    pub fn deployment(name: &str) -> Self {
        Self {
            kind: Some("deployment".into()),
            group: Some("apps".into()),
            name: name.to_owned(),
            deployment_first: true,
        }
    }
}

impl FromStr for WorkloadName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (resource, name) = match text.split_once('/') {
            Some((resource, name)) => (Some(resource), name),
            None => (None, text),
        };
        let is_name = |text: &str| {
            let may_be = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            !text.is_empty() && text.chars().all(may_be)
        };
        let resource = resource.map(str::to_lowercase);
        if !is_name(name) || resource.as_deref().is_some_and(|resource| !is_name(resource)) {
            return Err(format!("'{text}' names no workload"));
        }
        let (kind, group) = match resource.as_deref().map(|resource| resource.split_once('.')) {
            None => (None, None),
            Some(None) => (resource, None),
            Some(Some((kind, group))) => (Some(kind.to_owned()), Some(group.to_owned())),
        };
        Ok(Self { kind, group, name: name.to_owned(), deployment_first: false })
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = &self.kind {
            f.write_str(kind)?;
            if let Some(group) = &self.group {
                write!(f, ".{group}")?;
            }
            f.write_str("/")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_named_as_kubectl_names_it() {
        for (text, kind, group, name) in [
            ("bert", None, None, "bert"),
            ("statefulset/bert", Some("statefulset"), None, "bert"),
            ("StatefulSet/bert", Some("statefulset"), None, "bert"),
            ("rollouts.argoproj.io/bert", Some("rollouts"), Some("argoproj.io"), "bert"),
            ("deployments.apps/my.bert-2", Some("deployments"), Some("apps"), "my.bert-2"),
        ] {
            let read: WorkloadName = text.parse().unwrap();
            assert_eq!(
                (read.kind.as_deref(), read.group.as_deref(), read.name.as_str()),
                (kind, group, name)
            );
            assert_eq!(read.to_string().to_lowercase(), text.to_lowercase());
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "/bert", "statefulset/", "a/b/c", "http://bert", "bert v2", "Bert"] {
            assert!(text.parse::<WorkloadName>().is_err(), "{text}");
        }
    }
}
