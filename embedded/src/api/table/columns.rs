//! The columns of each kind.

use crate::store::Kind;

/// Name, format, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, bool);

const NAME: Column = ("Name", "name", false);
const AGE: Column = ("Age", "", false);

const fn plain(name: &'static str) -> Column {
    (name, "", false)
}

const fn wide(name: &'static str) -> Column {
    (name, "", true)
}

pub(super) fn of(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Pod" => {
            const {
                &[
                    NAME,
                    plain("Ready"),
                    plain("Status"),
                    plain("Restarts"),
                    AGE,
                    wide("IP"),
                    wide("Node"),
                    wide("Nominated Node"),
                    wide("Readiness Gates"),
                ]
            }
        }
        "Deployment" => {
            const {
                &[
                    NAME,
                    plain("Ready"),
                    plain("Up-to-date"),
                    plain("Available"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        "ReplicaSet" => {
            const {
                &[
                    NAME,
                    plain("Desired"),
                    plain("Current"),
                    plain("Ready"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        "Job" => {
            const {
                &[
                    NAME,
                    plain("Status"),
                    plain("Completions"),
                    plain("Duration"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        "CronJob" => {
            const {
                &[
                    NAME,
                    plain("Schedule"),
                    plain("Timezone"),
                    plain("Suspend"),
                    plain("Active"),
                    plain("Last Schedule"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        "Service" => {
            const {
                &[
                    NAME,
                    plain("Type"),
                    plain("Cluster-IP"),
                    plain("External-IP"),
                    plain("Port(s)"),
                    AGE,
                    wide("Selector"),
                ]
            }
        }
        "Endpoints" => const { &[NAME, plain("Endpoints"), AGE] },
        "EndpointSlice" => const { &[NAME, plain("AddressType"), plain("Ports"), plain("Endpoints"), AGE] },
        "ConfigMap" => const { &[NAME, plain("Data"), AGE] },
        "Secret" => const { &[NAME, plain("Type"), plain("Data"), AGE] },
        "Role" => const { &[NAME, plain("Created At")] },
        "RoleBinding" => {
            const { &[NAME, plain("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")] }
        }
        "Lease" => const { &[NAME, plain("Holder"), AGE] },
        "Namespace" => const { &[NAME, plain("Status"), AGE] },
        "Node" => {
            const {
                &[
                    NAME,
                    plain("Status"),
                    plain("Roles"),
                    AGE,
                    plain("Version"),
                    wide("Internal-IP"),
                    wide("External-IP"),
                    wide("OS-Image"),
                    wide("Kernel-Version"),
                    wide("Container-Runtime"),
                ]
            }
        }
        "Event" => {
            const {
                &[
                    plain("Last Seen"),
                    plain("Type"),
                    plain("Reason"),
                    plain("Object"),
                    wide("Subobject"),
                    wide("Source"),
                    plain("Message"),
                    wide("First Seen"),
                    wide("Count"),
                    ("Name", "name", true),
                ]
            }
        }
        _ => const { &[NAME, AGE] },
    }
}
