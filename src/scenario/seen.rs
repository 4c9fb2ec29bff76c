//! What earlier scenarios of a run have shown, so that later ones need not find it out again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use records::Record;

use crate::cluster::{ContainerFacts, Overdue, PodSummary};
use crate::exit::Error;

/// What earlier scenarios of the run have shown.
#[derive(Debug, Default)]
pub struct Seen {
    /// Pods of the service that were waited for in vain.
    pub(super) overdue: Overdue,
    images: Mutex<Images>,
    /// The last failure to reach every replica through the service's address.
    unroutable: Mutex<Option<String>>,
}

/// The digests of each container's image.
#[derive(Debug, Default)]
struct Images {
    /// All of them. A tag that runs on nodes of several architectures has several.
    all: BTreeMap<String, BTreeSet<String>>,
    /// The one that each node runs: a node has one architecture, and so one digest.
    of_node: BTreeMap<(String, String), String>,
}

impl Seen {
    /// What the records of a run that is resumed say.
    pub fn of(records: &[Record]) -> Self {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (label, ids) in records.iter().flat_map(|record| &record.environment.image_ids) {
            all.entry(label.clone()).or_default().extend(ids.iter().cloned());
        }
        let images = Images { all, ..Images::default() };
        Self { images: Mutex::new(images), ..Self::default() }
    }

    /// Notes the images that the service's pods run.
    ///
    /// # Errors
    /// Exit code 2: a container runs none of the images that it ran before, or a node runs two. Rows of two builds
    /// do not belong into one run. Different images on different nodes may be those of two architectures.
    pub fn note_images(&self, pods: &[PodSummary]) -> Result<(), Error> {
        let mut seen = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, ids) in image_ids(pods) {
            let known = seen.all.entry(label.clone()).or_default();
            if !known.is_empty() && known.is_disjoint(&ids) {
                let list = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>().join(", ");
                return Err(changed(&label, &list(known), &list(&ids)));
            }
            known.extend(ids);
        }
        // A tag that has moved is first seen beside the old image, when replicas are added.
        for pod in pods {
            let Some(node) = &pod.node else { continue };
            for one in own_images(pod) {
                let place = (one.label.clone(), node.clone());
                let known = seen.of_node.entry(place).or_insert_with(|| one.image_id.clone());
                if *known != one.image_id {
                    return Err(changed(&one.label, known, &one.image_id));
                }
            }
        }
        Ok(())
    }

    /// Notes why the service's address does not lead to every replica.
    pub(super) fn note_unroutable(&self, problem: &str) {
        *self.unroutable.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.to_owned());
    }

    /// The last such problem.
    pub(super) fn unroutable(&self) -> Option<String> {
        self.unroutable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn changed(label: &str, before: &str, now: &str) -> Error {
    let message = format!("the image of {label} has changed since the run began: {before} is now {now}");
    Error::usage(message).next(
        "start a new run, or put the image back and use --resume; name the image by its digest, or by a tag that does \
         not move",
    )
}

/// The containers of the service's own template whose image is known.
fn own_images(pod: &PodSummary) -> impl Iterator<Item = &ContainerFacts> {
    pod.containers.iter().filter(|one| one.is_in_template && !one.image_id.is_empty())
}

/// The images of the containers of the service's own template, by the containers' names in records.
pub(super) fn image_ids(pods: &[PodSummary]) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in pods.iter().flat_map(own_images) {
        ids.entry(one.label.clone()).or_default().insert(one.image_id.clone());
    }
    ids
}

/// The limits of the containers, by their names in records. Pods with different limits are told apart.
pub fn limits(pods: &[PodSummary]) -> BTreeMap<String, String> {
    let mut limits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in pods.iter().flat_map(|pod| &pod.containers).filter(|one| !one.limits.is_empty()) {
        limits.entry(one.label.clone()).or_default().insert(one.limits.clone());
    }
    let joined = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" or ");
    limits.into_iter().map(|(label, all)| (label, joined(all))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use crate::record::tests::record;

    fn pod(label: &str, id: &str, is_in_template: bool) -> PodSummary {
        let facts = ContainerFacts {
            label: label.into(),
            is_in_template,
            image_id: id.into(),
            limits: String::new(),
        };
        PodSummary { containers: vec![facts], ..PodSummary::default() }
    }

    #[test]
    fn a_second_image_that_comes_with_more_replicas_is_noticed_on_a_node_that_ran_another() {
        let on = |node: &str, id| PodSummary { node: Some(node.into()), ..pod("bert", id, true) };
        let seen = Seen::default();
        let arm = on("arm-1", "bert@sha256:arm");
        assert_eq!(
            seen.note_images(&[on("node-1", "bert@sha256:1"), arm.clone()]),
            Ok(()),
            "two architectures"
        );
        let error = seen.note_images(&[arm, on("node-1", "bert@sha256:1"), on("node-1", "bert@sha256:2")]);
        let error = error.unwrap_err();
        assert!(error.message.contains("bert@sha256:1 is now bert@sha256:2"), "{error}");
        // Also if it comes after the old one has left.
        assert!(seen.note_images(&[on("node-1", "bert@sha256:arm")]).is_err());
    }

    #[test]
    fn a_tag_that_has_moved_is_noticed_within_a_run_and_by_a_resumed_one() {
        let seen = Seen::default();
        assert_eq!(seen.note_images(&[pod("bert", "bert@sha256:1", true)]), Ok(()));
        assert_eq!(seen.note_images(&[pod("bert", "bert@sha256:1", true)]), Ok(()));
        let error = seen.note_images(&[pod("bert", "bert@sha256:2", true)]).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        assert!(error.message.contains("bert@sha256:1 is now bert@sha256:2"), "{error}");

        let mut earlier = record(0, 1, 20, 80);
        earlier.environment.image_ids = image_ids(&[pod("bert", "bert@sha256:1", true)]);
        let resumed = Seen::of(&[earlier]);
        assert!(resumed.note_images(&[pod("bert", "bert@sha256:2", true)]).is_err());
        assert_eq!(resumed.note_images(&[pod("bert", "bert@sha256:1", true)]), Ok(()));
    }

    #[test]
    fn nodes_of_two_architectures_an_injected_proxy_and_a_pod_without_an_image_are_no_change() {
        let seen = Seen::default();
        let (amd, arm) = (pod("bert", "bert@sha256:amd", true), pod("bert", "bert@sha256:arm", true));
        for pods in [vec![amd.clone()], vec![amd.clone(), arm.clone()], vec![arm]] {
            assert_eq!(seen.note_images(&pods), Ok(()));
        }
        for id in ["proxy@sha256:1", "proxy@sha256:2"] {
            assert_eq!(seen.note_images(&[pod("bert/istio-proxy", id, false)]), Ok(()));
        }
        assert_eq!(seen.note_images(&[pod("bert", "", true)]), Ok(()));
    }
}
