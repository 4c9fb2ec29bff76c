//! A cluster on which trials follow each other. It is replaced when a fault has destroyed it, or a trial has left
//! something behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::embedded::{EmbeddedCluster, Problem};

/// How long the pods of a new cluster may take to be ready, on a busy machine.
const SETTLES_WITHIN: Duration = Duration::from_mins(1);

pub(crate) struct Lane {
    folder: PathBuf,
    started: usize,
    cluster: Option<EmbeddedCluster>,
}

impl Lane {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), started: 0, cluster: None }
    }

    /// Returns the cluster; starts one if none runs.
    pub(crate) fn cluster(&mut self) -> Result<&EmbeddedCluster, Problem> {
        let cluster = match self.cluster.take() {
            Some(cluster) => cluster,
            None => self.start()?,
        };
        Ok(self.cluster.insert(cluster))
    }

    fn start(&mut self) -> Result<EmbeddedCluster, Problem> {
        self.started += 1;
        let folder = self.folder.join(format!("cluster-{}", self.started));
        let cluster = EmbeddedCluster::start(&folder)?;
        cluster.settle(SETTLES_WITHIN)?;
        Ok(cluster)
    }

    /// Waits for the end of a cluster that was killed, and of its pods.
    pub(crate) fn bury(&mut self) -> Result<(), Problem> {
        let Some(mut cluster) = self.cluster.take() else { return Ok(()) };
        cluster.wait();
        cluster.nothing_runs(Duration::from_secs(10))
    }

    /// Ends the cluster.
    pub(crate) fn end(&mut self) -> Result<(), Problem> {
        self.cluster.take().map_or(Ok(()), EmbeddedCluster::end)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}
