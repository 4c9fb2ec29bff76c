//! What the API server refused, in words with a next step.

use kube::Error as KubeError;

use crate::exit::Error;
use crate::wait::seen;

/// Explains a failed call: a missing permission or object ends with 3, all else with 4.
pub fn explain(what: &str, error: &KubeError) -> Error {
    match error {
        KubeError::Api(status) if status.code == 403 => {
            Error::preflight(format!("{what}: permission is missing: {}", status.message))
                .next("apply the Role of the manifests (rbac.yaml), or ask for this permission")
        }
        KubeError::Api(status) if status.code == 401 => {
            Error::preflight(format!("{what}: not logged in: {}", status.message))
                .next("renew the credentials of the kubeconfig")
        }
        KubeError::Api(status) if status.code == 404 => {
            Error::preflight(format!("{what}: {}", status.message))
                .next("apply the manifests first: locust-matrix deploy")
        }
        KubeError::Api(status) => Error::cluster(format!("{what}: {} ({})", status.message, status.code))
            .next("look at the object with kubectl describe"),
        other => Error::cluster(format!("{what}: the API server does not answer: {}", seen(other)))
            .next("check that the cluster runs: kubectl get --raw /readyz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use kube::core::Status;

    fn status(code: u16) -> KubeError {
        KubeError::Api(
            Status { code, message: "deployments.apps \"x\" …".into(), ..Status::default() }.boxed(),
        )
    }

    #[test]
    fn a_missing_permission_is_a_preflight_failure() {
        assert_eq!(explain("scale x", &status(403)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(404)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(500)).code, ExitCode::Cluster);
        assert!(explain("scale x", &status(403)).message.contains("deployments.apps"));
    }
}
