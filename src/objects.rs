//! The names, labels and ports that the manifests give their objects.
//!
//! This module is a leaf, because `deploy` and `cluster` need these names as well as `load`, which stands to
//! their right. A test in `deploy` compares them with the manifests.

/// The Deployment of Locust's master.
pub const MASTER: &str = "locust-master";
/// The Deployment of Locust's workers.
pub const WORKERS: &str = "locust-worker";
/// The port of Locust's web UI and web API in the master's pod.
pub const WEB_PORT: u16 = 8089;
/// The ConfigMap with the locustfile and the module beside it.
pub const SCRIPTS: &str = "locust-scripts";
/// The Job of the driver. The driver's Lease has the same name.
pub const JOB: &str = "locust-load-test-matrix";
/// The ConfigMap from which the Job reads its settings.
pub const JOB_SETTINGS: &str = "locust-matrix-config";

/// The label `app` of everything that generates the load, the driver included.
pub const LOAD_APP: &str = "locust";
/// The label `app` of the objects with a run's results, and of the driver's Lease.
pub const RESULTS_APP: &str = "locust-matrix-results";

/// The label of every object that this program creates. Its value is the program's field manager.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The label selector of the pods that generate the load.
pub const LOAD_PODS: &str = "app=locust";
/// The label selector of the master's pod.
pub const MASTER_PODS: &str = "app=locust,role=master";
/// The label selector of the workers' pods.
pub const WORKER_PODS: &str = "app=locust,role=worker";
/// The label selector of the driver's pods.
pub const DRIVER_PODS: &str = "app=locust,role=driver";
/// The label selector of the stub service's pods.
pub const STUB_PODS: &str = "app=inference";
