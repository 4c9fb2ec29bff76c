//! Functions that read and write the parts that all kinds of objects share.
//!
//! The controllers, the kubelet and the load balancer use these functions, so that none of them imports from
//! another.

pub(crate) mod conditions;
pub(crate) mod events;
pub(crate) mod labels;
pub(crate) mod metadata;
pub(crate) mod new_pods;
pub(crate) mod node;
pub(crate) mod owners;
pub(crate) mod pods;
pub(crate) mod ports;
pub(crate) mod quantity;
pub(crate) mod schedule;
