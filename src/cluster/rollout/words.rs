//! What a wait tells about the pods that are not ready.

use k8s_openapi::api::core::v1::Pod;

use super::super::evidence;
use super::super::pod_state::{Cause, why_not_ready};
use super::Wait;

impl Wait<'_> {
    /// The state that was seen last, with what the cluster says about the first pod that is not ready.
    pub(super) async fn in_words(&self) -> String {
        let Some((pod, cause)) = self.first_unready(false) else { return self.last_seen.clone() };
        let explained = evidence::explained(self.cluster, pod, &cause).await;
        match explained.split_once(&cause.words) {
            Some((_, more)) if self.last_seen.contains(&cause.words) => format!("{}{more}", self.last_seen),
            _ => self.last_seen.clone(),
        }
    }

    pub(super) async fn broken(&self) -> String {
        match self.first_unready(true) {
            Some((pod, cause)) => evidence::explained(self.cluster, pod, &cause).await,
            None => self.last_seen.clone(),
        }
    }

    fn first_unready(&self, only_permanent: bool) -> Option<(&Pod, Cause)> {
        let staying = self.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let mut unready = staying.filter_map(|pod| Some((pod, why_not_ready(pod)?)));
        unready.find(|(_, cause)| cause.is_hopeless(self.without_load_from) || !only_permanent)
    }
}
