//! Marks a kind cluster as made by `cargo xtask e2e`: its node mounts an empty folder of ours. So the cluster is
//! recognised even if our own files about it are gone. kind cannot put a label of its caller on a container.

use std::path::{Path, PathBuf};

use crate::engine::Container;

/// Where the node mounts the folder.
const DESTINATION: &str = "/.locust-matrix";
/// The name of the mounted folder, in the cluster's folder.
pub(crate) const FOLDER: &str = "mark";

/// The configuration file for kind. One node is enough for eight replicas, because the kind overlay requests
/// little CPU and memory.
pub(crate) fn kind_config(folder: &Path) -> String {
    // Quoted as JSON, which is valid YAML for every path.
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

/// The folder of the cluster that this node belongs to, if `cargo xtask e2e` has made it.
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
    fn the_owner_of_a_node_is_read_from_its_mount() {
        let config = kind_config(Path::new("/w/a \"b\"/target/e2e/x"));
        assert!(config.contains(r#"hostPath: "/w/a \"b\"/target/e2e/x/mark""#), "{config}");
        assert_eq!(owner(&node("/w/target/e2e/x/mark", DESTINATION)), Some("/w/target/e2e/x".into()));
        assert_eq!(owner(&node("/w/target/e2e/x/mark", "/var")), None);
        assert_eq!(owner(&node("/lib/modules", DESTINATION)), None);
        assert_eq!(owner(&Container::default()), None);
    }
}
