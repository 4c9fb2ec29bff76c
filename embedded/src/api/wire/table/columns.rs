//! The columns of the table of each kind.

use crate::kinds::Kind;

/// The names of the columns, and whether only `-o wide` shows them.
pub(crate) fn of(kind: &Kind) -> Vec<(&'static str, bool)> {
    let template = "Containers,Images,Selector";
    let (plain, wide) = match kind.kind {
        "Pod" => ("Name,Ready,Status,Restarts,Age", "IP,Node,Nominated Node,Readiness Gates"),
        "Deployment" => ("Name,Ready,Up-to-date,Available,Age", template),
        "ReplicaSet" => ("Name,Desired,Current,Ready,Age", template),
        "StatefulSet" => ("Name,Ready,Age", "Containers,Images"),
        "HorizontalPodAutoscaler" => ("Name,Reference,MinPods,MaxPods,Age", ""),
        "Job" => ("Name,Status,Completions,Duration,Age", template),
        "CronJob" => ("Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age", template),
        "Service" => ("Name,Type,Cluster-IP,External-IP,Port(s),Age", "Selector"),
        "EndpointSlice" => ("Name,AddressType,Ports,Endpoints,Age", ""),
        "ConfigMap" => ("Name,Data,Age", ""),
        "Secret" => ("Name,Type,Data,Age", ""),
        "Role" => ("Name,Created At", ""),
        "RoleBinding" => ("Name,Role,Age", "Users,Groups,ServiceAccounts"),
        "Lease" => ("Name,Holder,Age", ""),
        "Namespace" => ("Name,Status,Age", ""),
        "Node" => (
            "Name,Status,Roles,Age,Version",
            "Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime",
        ),
        "Event" => ("Last Seen,Type,Reason,Object,Message", "Subobject,Source,First Seen,Count,Name"),
        _ => ("Name,Age", ""),
    };
    let named = |list: &'static str, wide| {
        list.split(',').filter(|name| !name.is_empty()).map(move |name| (name, wide))
    };
    named(plain, false).chain(named(wide, true)).collect()
}
