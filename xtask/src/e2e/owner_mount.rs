//! What makes a cluster known for ours, even when our own files are gone: its node mounts an
//! empty folder of ours. kind can put no label of its caller's on a container.

use std::path::{Path, PathBuf};

use crate::engine::Container;

/// Where the node has it.
const DESTINATION: &str = "/.locust-matrix";
/// What it is, in the cluster's folder.
pub(crate) const FOLDER: &str = "mark";

/// kind's configuration. One node does for eight replicas with the small requests of the kind
/// overlay.
pub(crate) fn kind_config(folder: &Path) -> String {
    // A JSON string is a YAML string, whatever the path has in it.
    let source = serde_json::Value::from(folder.join(FOLDER).display().to_string());
    format!(
        "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraMounts:
      - hostPath: {source}
        containerPath: {DESTINATION}
        readOnly: true
"
    )
}

/// The folder of the cluster that this node belongs to, if `cargo xtask e2e` made it.
pub(crate) fn owner(node: &Container) -> Option<PathBuf> {
    let (source, _) = node.mounts.iter().find(|(_, destination)| destination == Path::new(DESTINATION))?;
    (source.file_name()? == FOLDER).then(|| source.parent().map(Path::to_path_buf))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(source: &str, destination: &str) -> Container {
        Container { mounts: vec![(source.into(), destination.into())], ..Container::default() }
    }

    #[test]
    fn a_node_says_whose_it_is() {
        let config = kind_config(Path::new("/w/a \"b\"/target/e2e/x"));
        assert!(config.contains(r#"hostPath: "/w/a \"b\"/target/e2e/x/mark""#), "{config}");
        assert_eq!(owner(&node("/w/target/e2e/x/mark", DESTINATION)), Some("/w/target/e2e/x".into()));
        assert_eq!(owner(&node("/w/target/e2e/x/mark", "/var")), None);
        assert_eq!(owner(&node("/lib/modules", DESTINATION)), None);
        assert_eq!(owner(&Container::default()), None);
    }
}
