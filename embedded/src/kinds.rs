//! The kinds of objects that this cluster knows.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// One kind of object: its names, and how the store treats its objects.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub struct Kind {
    /// API group. Empty for the core group.
    pub group: &'static str,
    /// Version in that group.
    pub version: &'static str,
    /// The name in the field `kind`, for example `Deployment`.
    pub kind: &'static str,
    /// The name in a URL, for example `deployments`.
    pub plural: &'static str,
    /// The singular name in lower case.
    pub singular: &'static str,
    /// Short names that `kubectl` accepts.
    pub short_names: &'static [&'static str],
    /// `all` for the kinds that `kubectl get all` shows.
    pub categories: &'static [&'static str],
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// Names of its subresources.
    pub subresources: &'static [&'static str],
    /// Fields whose changes `metadata.generation` counts. Empty for a kind without a generation.
    pub generation_fields: &'static [&'static str],
    /// Whether a deletion orphans the dependents unless the client asks for something else.
    pub orphans_dependents: bool,
    /// Whether a deletion first waits until the kubelet has ended the object's processes.
    pub ends_gracefully: bool,
    /// Whether other objects live in it, and are deleted with it.
    pub contains_objects: bool,
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
    generation_fields: &[],
    orphans_dependents: false,
    ends_gracefully: false,
    contains_objects: false,
};

/// Pods.
pub static PODS: Kind = Kind {
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    short_names: &["po"],
    categories: &["all"],
    subresources: &["eviction", "log", "portforward", "status"],
    generation_fields: &["spec"],
    ends_gracefully: true,
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
    contains_objects: true,
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
/// Events of the core group.
pub static EVENTS: Kind =
    Kind { kind: "Event", plural: "events", singular: "event", short_names: &["ev"], ..PLAIN };
/// Deployments.
pub static DEPLOYMENTS: Kind = Kind {
    group: "apps",
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    short_names: &["deploy"],
    categories: &["all"],
    subresources: &["scale", "status"],
    generation_fields: &["spec"],
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
    generation_fields: &["spec"],
    ..PLAIN
};
/// StatefulSets.
pub static STATEFUL_SETS: Kind = Kind {
    group: "apps",
    kind: "StatefulSet",
    plural: "statefulsets",
    singular: "statefulset",
    short_names: &["sts"],
    categories: &["all"],
    subresources: &["scale", "status"],
    generation_fields: &["spec"],
    ..PLAIN
};
/// HorizontalPodAutoscalers. They are stored, and nothing acts on them.
pub static HORIZONTAL_POD_AUTOSCALERS: Kind = Kind {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    singular: "horizontalpodautoscaler",
    short_names: &["hpa"],
    categories: &["all"],
    subresources: &["status"],
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
    generation_fields: &["spec"],
    orphans_dependents: true,
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
    generation_fields: &["spec"],
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
    // A slice has no spec.
    generation_fields: &["endpoints", "ports"],
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

/// All kinds, in the order in which discovery lists them.
pub static ALL: [&Kind; 18] = [
    &CONFIG_MAPS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PODS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &SERVICES,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &STATEFUL_SETS,
    &HORIZONTAL_POD_AUTOSCALERS,
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

    /// The kind of object that this kind's objects live in, if they live in one.
    pub fn container(&self) -> Option<&'static Self> {
        self.namespaced.then_some(&NAMESPACES)
    }

    /// `v1` or `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Plural and group, as most messages name a kind: `deployments.apps`.
    pub fn qualified(&self) -> String {
        dotted(self.plural, self.group)
    }

    /// Name and group, as messages about invalid fields name a kind: `Deployment.apps`.
    pub fn qualified_kind(&self) -> String {
        dotted(self.kind, self.group)
    }
}

fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() { name.into() } else { format!("{name}.{group}") }
}

// There is exactly one value of `Kind` per kind, so group and plural identify it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_differences_names_every_kind() {
        let differences = include_str!("../differences.md");
        let (_, sentence) = differences.split_once("The kinds are ").unwrap();
        let (sentence, _) = sentence.split_once('.').unwrap();
        let mut named: Vec<&str> = sentence.split([',', ' ', '\n']).collect();
        named.retain(|word| !word.is_empty() && *word != "and");
        named.sort_unstable();
        let mut known: Vec<&str> = ALL.iter().map(|kind| kind.kind).collect();
        known.sort_unstable();
        assert_eq!(named, known);
    }
}
