//! Failed calls to the API server, explained with a next step.

use kube::Error as KubeError;

use crate::exit::Error;
use crate::wait::with_causes;

/// Explains why `action` failed. A missing permission, login or object has exit code 3, every other failure
/// exit code 4.
pub fn explain(action: &str, error: &KubeError) -> Error {
    match error {
        KubeError::Api(status) if status.code == 403 && is_admission(&status.message) => {
            Error::preflight(format!("{action}: the cluster's rules refuse it: {}", status.message)).next(
                "change what the sentence names (for the driver's Job: `job` in the settings), or ask the \
                 namespace's owners",
            )
        }
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

/// Whether a refusal comes from a webhook, a policy, a quota or a limit. Those have the status of a missing permission.
fn is_admission(message: &str) -> bool {
    const RULES: [&str; 8] = [
        "admission webhook",
        "ValidatingAdmissionPolicy",
        "violates PodSecurity",
        "exceeded quota",
        "failed quota",
        "minimum ",
        "maximum ",
        "limit to request ratio",
    ];
    RULES.iter().any(|rule| message.contains(rule))
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
    fn a_rule_of_the_cluster_is_not_a_missing_permission() {
        let refusal = |message: &str| {
            let status = Status { code: 403, message: message.into(), ..Status::default() };
            explain("create Job a", &KubeError::Api(status.boxed())).to_string()
        };
        for rule in [
            "admission webhook \"policy.example\" denied the request: label team is missing",
            "pods \"a\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=20, limited: pods=20",
            "pods \"a\" is forbidden: minimum memory usage per Container is 64Mi, but request is 32Mi",
        ] {
            let text = refusal(rule);
            assert!(
                text.contains("rules refuse it") && text.contains(rule) && !text.contains("permission"),
                "{text}"
            );
        }
        let rbac =
            "jobs.batch is forbidden: User \"me\" cannot create resource \"jobs\" in API group \"batch\"";
        assert!(refusal(rbac).contains("permission is missing"));
    }

    #[test]
    fn missing_permissions_and_objects_have_exit_code_3_and_other_failures_4() {
        assert_eq!(explain("scale x", &status(403)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(404)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(500)).code, ExitCode::Cluster);
        assert!(explain("scale x", &status(403)).message.contains("deployments.apps"));
    }
}
