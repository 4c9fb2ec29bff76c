//! The files of the folder `manifests/`, compiled into the binary.

macro_rules! manifests {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../manifests/", $path)))),+]
    };
}

/// Path in the folder, and text.
const FILES: &[(&str, &str)] = manifests![
    "kustomization.yaml",
    "base/kustomization.yaml",
    "base/config.yaml",
    "base/locust-master.yaml",
    "base/locust-worker.yaml",
    "base/locust_matrix.py",
    "base/locust_matrix_bind.py",
    "base/locust_matrix_errors.py",
    "base/locust_matrix_health.py",
    "base/locust_matrix_open.py",
    "base/locust_matrix_samples.py",
    "base/locust_matrix_script.py",
    "base/locustfile.py",
    "base/rbac.yaml",
    "base/results.yaml",
    "job/kustomization.yaml",
    "job/locust-driver-job.yaml",
    "job-simple/kustomization.yaml",
    "job-simple/locust-driver-job-simple.yaml",
    "kind/kustomization.yaml",
    "network-policy/kustomization.yaml",
    "network-policy/driver.yaml",
    "network-policy/inference.yaml",
    "network-policy/locust.yaml",
    "nodeport/kustomization.yaml",
    "nodeport/locust-master-nodeport.yaml",
    "stub/kustomization.yaml",
    "stub/inference.yaml",
    "weekly/kustomization.yaml",
    "weekly/locust-driver-weekly.yaml",
];

/// The text of the file at `path`, relative to `manifests/`.
pub(super) fn read(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

/// The paths of all files.
#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(path, _)| *path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_manifest_and_script_is_in_the_binary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "py") {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.retain(|path| !path.contains("__pycache__"));
        found.sort();
        let mut known: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        known.sort();
        assert_eq!(found, known);
    }
}
