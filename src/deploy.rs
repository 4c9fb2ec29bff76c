//! The manifests, and what is done with them in a cluster: apply, compare, delete. This program applies the
//! same objects as `kubectl apply -k`.

mod apply;
mod approve;
mod bundle;
mod checksum;
mod delete;
mod diff;
mod kustomize;
mod manifests;
mod object;
mod scripts;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use approve::{Approved, approve, refuse_foreign};
pub use delete::{Deletion, delete};
pub use diff::diff;
pub use kustomize::Image;
pub use manifests::{Overlay, allow_scaling, job, objects};
pub use scripts::Scripts;
