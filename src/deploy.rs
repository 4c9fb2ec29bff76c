//! The manifests, and what is done with them in a cluster: apply, compare, delete. This program applies the
//! same objects as `kubectl apply -k`.

mod apply;
mod bundle;
mod checksum;
mod diff;
mod kustomize;
mod manifests;

pub use apply::{apply, delete, refuse_foreign};
pub use diff::diff;
pub use kustomize::Image;
pub use manifests::{Overlay, allow_scaling, job, objects};
