//! The manifests: what `kubectl apply -k` and this program both apply.

mod apply;
mod checksum;
mod diff;
mod embedded;
mod kustomize;
mod remove;
mod service;

use serde_json::Value;

pub use apply::{apply, refuse_foreign};
pub use diff::diff;
pub use kustomize::Image;
pub use remove::remove;

use crate::exit::{Error, Result};

/// A part of the manifests that can be applied by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Overlay {
    /// Locust, its scripts and the driver's permissions; no service, no load
    Base,
    /// The base and the stub service, small enough for one machine
    Kind,
    /// The stub service alone
    Stub,
}

impl Overlay {
    const fn folder(self) -> &'static str {
        match self {
            Self::Base => ".",
            Self::Kind => "kind",
            Self::Stub => "stub",
        }
    }
}

/// The objects of an overlay, with images replaced and the scripts' checksum in the pods that use them.
///
/// # Errors
/// Exit code 1: the manifests in this binary are damaged.
pub fn objects(overlay: Overlay, images: &[Image], locustfile: Option<&str>) -> Result<Vec<Value>> {
    build(overlay.folder(), images, locustfile)
}

/// Lets the driver's Role name the Deployment `name` in place of the manifests' own.
pub fn permit(objects: &mut [Value], name: &str) {
    service::permit(objects, name);
}

/// The Job of the driver.
///
/// # Errors
/// As [`objects`].
pub fn job(images: &[Image]) -> Result<Value> {
    let objects = build("job-simple", images, None)?;
    objects.into_iter().find(|object| object["kind"] == "Job").ok_or_else(|| damaged("job-simple has no Job"))
}

fn build(folder: &str, images: &[Image], locustfile: Option<&str>) -> Result<Vec<Value>> {
    let mut objects = kustomize::build(&embedded::read, folder).map_err(|problem| damaged(&problem))?;
    kustomize::replace_images(&mut objects, images);
    if let Some(text) = locustfile {
        checksum::use_locustfile(&mut objects, text);
    }
    checksum::stamp(&mut objects);
    Ok(objects)
}

fn damaged(problem: &str) -> Error {
    Error::new(crate::exit::ExitCode::Bug, format!("manifests: {problem}"))
}
