//! The table of kinds: everything that can be kept.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// One kind of object and how it is spoken of.
#[derive(Debug)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version in that group.
    pub version: &'static str,
    /// The name in `kind`, for example `Deployment`.
    pub kind: &'static str,
    /// The name in a URL, for example `deployments`.
    pub plural: &'static str,
    /// The name for one, lower case.
    pub singular: &'static str,
    /// What people type.
    pub short_names: &'static [&'static str],
    /// `all`, where `kubectl get all` shows it.
    pub categories: &'static [&'static str],
    /// Lives in a namespace.
    pub namespaced: bool,
    /// Its parts with URLs of their own.
    pub subresources: &'static [&'static str],
    /// Counts changes of its spec in `metadata.generation`.
    pub generation: bool,
    /// Leaves its dependents behind when a deletion does not say otherwise.
    pub orphans: bool,
}

const PLAIN: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    subresources: &[],
    generation: false,
    orphans: false,
};

/// Pods.
pub static PODS: Kind = Kind {
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    short_names: &["po"],
    categories: &["all"],
    subresources: &["log", "portforward", "status"],
    generation: true,
    ..PLAIN
};
/// Services.
pub static SERVICES: Kind = Kind {
    kind: "Service",
    plural: "services",
    singular: "service",
    short_names: &["svc"],
    categories: &["all"],
    subresources: &["status"],
    ..PLAIN
};
/// ConfigMaps.
pub static CONFIG_MAPS: Kind =
    Kind { kind: "ConfigMap", plural: "configmaps", singular: "configmap", short_names: &["cm"], ..PLAIN };
/// Secrets.
pub static SECRETS: Kind = Kind { kind: "Secret", plural: "secrets", singular: "secret", ..PLAIN };
/// ServiceAccounts.
pub static SERVICE_ACCOUNTS: Kind = Kind {
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    singular: "serviceaccount",
    short_names: &["sa"],
    subresources: &["token"],
    ..PLAIN
};
/// Namespaces.
pub static NAMESPACES: Kind = Kind {
    kind: "Namespace",
    plural: "namespaces",
    singular: "namespace",
    short_names: &["ns"],
    namespaced: false,
    subresources: &["status"],
    ..PLAIN
};
/// Nodes.
pub static NODES: Kind = Kind {
    kind: "Node",
    plural: "nodes",
    singular: "node",
    short_names: &["no"],
    namespaced: false,
    subresources: &["status"],
    ..PLAIN
};
/// Events of the core group, which controllers write and `kubectl describe` reads.
pub static EVENTS: Kind =
    Kind { kind: "Event", plural: "events", singular: "event", short_names: &["ev"], ..PLAIN };
/// Endpoints, the older form of EndpointSlices.
pub static ENDPOINTS: Kind =
    Kind { kind: "Endpoints", plural: "endpoints", singular: "endpoints", short_names: &["ep"], ..PLAIN };
/// Deployments.
pub static DEPLOYMENTS: Kind = Kind {
    group: "apps",
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    short_names: &["deploy"],
    categories: &["all"],
    subresources: &["scale", "status"],
    generation: true,
    ..PLAIN
};
/// ReplicaSets.
pub static REPLICA_SETS: Kind = Kind {
    group: "apps",
    kind: "ReplicaSet",
    plural: "replicasets",
    singular: "replicaset",
    short_names: &["rs"],
    categories: &["all"],
    subresources: &["scale", "status"],
    generation: true,
    ..PLAIN
};
/// Jobs.
pub static JOBS: Kind = Kind {
    group: "batch",
    kind: "Job",
    plural: "jobs",
    singular: "job",
    categories: &["all"],
    subresources: &["status"],
    generation: true,
    orphans: true,
    ..PLAIN
};
/// CronJobs.
pub static CRON_JOBS: Kind = Kind {
    group: "batch",
    kind: "CronJob",
    plural: "cronjobs",
    singular: "cronjob",
    short_names: &["cj"],
    categories: &["all"],
    subresources: &["status"],
    generation: true,
    ..PLAIN
};
/// Leases.
pub static LEASES: Kind =
    Kind { group: "coordination.k8s.io", kind: "Lease", plural: "leases", singular: "lease", ..PLAIN };
/// EndpointSlices.
pub static ENDPOINT_SLICES: Kind = Kind {
    group: "discovery.k8s.io",
    kind: "EndpointSlice",
    plural: "endpointslices",
    singular: "endpointslice",
    generation: true,
    ..PLAIN
};
/// Roles.
pub static ROLES: Kind =
    Kind { group: "rbac.authorization.k8s.io", kind: "Role", plural: "roles", singular: "role", ..PLAIN };
/// RoleBindings.
pub static ROLE_BINDINGS: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    kind: "RoleBinding",
    plural: "rolebindings",
    singular: "rolebinding",
    ..PLAIN
};

/// Every kind, in the order in which discovery lists them.
pub static ALL: [&Kind; 17] = [
    &CONFIG_MAPS,
    &ENDPOINTS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PODS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &SERVICES,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &CRON_JOBS,
    &JOBS,
    &LEASES,
    &ENDPOINT_SLICES,
    &ROLE_BINDINGS,
    &ROLES,
];

impl Kind {
    /// The kind with this group and plural.
    pub fn find(group: &str, plural: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|kind| kind.group == group && kind.plural == plural)
    }

    /// `v1` or `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as messages name it.
    pub fn qualified(&self) -> String {
        dotted(self.plural, self.group)
    }

    /// `Deployment.apps`, as messages about wrong fields name it.
    pub fn qualified_kind(&self) -> String {
        dotted(self.kind, self.group)
    }
}

fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() { name.into() } else { format!("{name}.{group}") }
}

// There is one value for each kind, so its group and plural are its identity.
impl Kind {
    fn identity(&self) -> (&'static str, &'static str) {
        (self.group, self.plural)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}
