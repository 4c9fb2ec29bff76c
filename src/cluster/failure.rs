//! Failed calls to the API server, explained with a next step.

use kube::Error as KubeError;

use crate::exit::Error;
use crate::wait::with_causes;

/// Explains why `action` failed. A missing permission, login or object has exit code 3, every other failure
/// exit code 4.
pub fn explain(action: &str, error: &KubeError) -> Error {
    match error {
        KubeError::Api(status) if status.code == 403 => {
            Error::preflight(format!("{action}: permission is missing: {}", status.message))
                .next("apply the Role of the manifests (rbac.yaml), or ask for this permission")
        }
        KubeError::Api(status) if status.code == 401 => {
            Error::preflight(format!("{action}: not logged in: {}", status.message))
                .next("renew the credentials of the kubeconfig")
        }
        KubeError::Api(status) if status.code == 404 => {
            Error::preflight(format!("{action}: {}", status.message))
                .next("apply the manifests first: locust-matrix deploy")
        }
        KubeError::Api(status) => Error::cluster(format!("{action}: {} ({})", status.message, status.code))
            .next("look at the object with kubectl describe"),
        other => Error::cluster(format!("{action}: the API server does not answer: {}", with_causes(other)))
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
    fn missing_permissions_and_objects_have_exit_code_3_and_other_failures_4() {
        assert_eq!(explain("scale x", &status(403)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(404)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(500)).code, ExitCode::Cluster);
        assert!(explain("scale x", &status(403)).message.contains("deployments.apps"));
    }
}
