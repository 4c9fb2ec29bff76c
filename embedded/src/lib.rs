//! The embedded cluster: a small server of the Kubernetes API whose pods are local processes.
//!
//! One [`store::Store`] keeps all objects. The API server answers for it over HTTP, the controllers and
//! the kubelet work on it directly. It is a tool for development: what the manifests, the driver and
//! everyday `kubectl` use is here, and every other call gets a `Status` that says so.

pub mod api;
pub mod args;
pub mod cluster;
mod controllers;
mod files;
pub mod kubelet;
mod object;
mod proxy;
pub mod runtime;
pub mod status;
pub mod store;
