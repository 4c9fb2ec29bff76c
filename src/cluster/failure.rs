//! Failed calls to the API server, explained with a next step.

use kube::Error as KubeError;
use kube::core::Status;

use crate::exit::Error;
use crate::wait::with_causes;

/// Explains why `action` failed. A missing permission, login or object has exit code 3, every other failure
/// exit code 4.
pub fn explain(action: &str, error: &KubeError) -> Error {
    match error {
        KubeError::Api(status) if is_admission(status) => {
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
        KubeError::Api(status) if status.message.contains(WEBHOOK_FAILED) => {
            Error::cluster(format!("{action}: {} ({})", status.message, status.code)).next(
                "ask the cluster's owners about this webhook: kubectl get \
                 mutatingwebhookconfigurations,validatingwebhookconfigurations",
            )
        }
        KubeError::Api(status) => Error::cluster(format!("{action}: {} ({})", status.message, status.code))
            .next("look at the object with kubectl describe"),
        other => Error::cluster(format!("{action}: the API server does not answer: {}", with_causes(other)))
            .next("check that the cluster runs: kubectl get --raw /readyz"),
    }
}

/// What the API server says of a webhook that does not answer.
const WEBHOOK_FAILED: &str = "failed calling webhook";

/// Whether a refusal comes from a webhook, a policy, a quota or a limit.
fn is_admission(status: &Status) -> bool {
    // Their authors choose the status: a policy without a reason has 422, and Kyverno answers 400.
    const CHOSEN: [&str; 2] = ["admission webhook", "ValidatingAdmissionPolicy"];
    // These have the status of a missing permission.
    const FORBIDDEN: [&str; 6] = [
        "violates PodSecurity",
        "exceeded quota",
        "failed quota",
        "minimum ",
        "maximum ",
        "limit to request ratio",
    ];
    let has = |rules: &[&str]| rules.iter().any(|rule| status.message.contains(rule));
    has(&CHOSEN) || status.code == 403 && has(&FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    fn status(code: u16) -> KubeError {
        KubeError::Api(
            Status { code, message: "deployments.apps \"x\" …".into(), ..Status::default() }.boxed(),
        )
    }

    #[test]
    fn a_rule_of_the_cluster_is_not_a_missing_permission() {
        let refusal = |code: u16, message: &str| {
            let status = Status { code, message: message.into(), ..Status::default() };
            explain("create Job a", &KubeError::Api(status.boxed())).to_string()
        };
        for (code, rule) in [
            (403, "admission webhook \"policy.example\" denied the request: label team is missing"),
            (400, "admission webhook \"validate.kyverno.svc-fail\" denied the request: team is missing"),
            (
                422,
                "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            ),
            (
                403,
                "pods \"a\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=20, limited: pods=20",
            ),
            (403, "pods \"a\" is forbidden: minimum memory usage per Container is 64Mi, but request is 32Mi"),
        ] {
            let text = refusal(code, rule);
            assert!(
                text.contains("rules refuse it") && text.contains(rule) && !text.contains("permission"),
                "{text}"
            );
        }
        let rbac =
            "jobs.batch is forbidden: User \"me\" cannot create resource \"jobs\" in API group \"batch\"";
        assert!(refusal(403, rbac).contains("permission is missing"));
        let silent = "Internal error occurred: failed calling webhook \"inject.example\": connection refused";
        assert!(refusal(500, silent).contains("mutatingwebhookconfigurations"));
        assert!(!refusal(422, "Job.batch \"a\" is invalid: maximum is 10").contains("rules refuse it"));
    }

    #[test]
    fn missing_permissions_and_objects_have_exit_code_3_and_other_failures_4() {
        assert_eq!(explain("scale x", &status(403)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(404)).code, ExitCode::Preflight);
        assert_eq!(explain("scale x", &status(500)).code, ExitCode::Cluster);
        assert!(explain("scale x", &status(403)).message.contains("deployments.apps"));
    }
}
