//! The embedded cluster: a small server of the Kubernetes API whose pods are processes of this machine.
//!
//! One [`store::Store`] contains all objects. The API server answers requests from it over HTTP. The
//! controllers, the kubelet and the load balancer watch it and change its objects directly.
//!
//! The cluster is a tool for development. It supports what the manifests, the driver and everyday `kubectl`
//! commands need. Other requests are refused with a `Status` that gives the reason.
//!
#![doc = include_str!("../differences.md")]

mod addresses;
pub mod api;
pub mod args;
pub mod cluster;
mod control_loop;
mod controllers;
mod files;
pub mod kinds;
pub mod kubelet;
mod object;
mod proxy;
pub mod refusal;
pub mod runtime;
pub mod store;
mod tasks;
mod time;
mod version;
