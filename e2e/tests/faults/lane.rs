//! A cluster on which trials follow each other. It is replaced when a fault has destroyed it, or a trial has left
//! something behind.

use std::path::{Path, PathBuf};

use e2e::namespace::Problem;

use crate::cluster::Cluster;
use crate::embedded::Embedded;
use crate::kind::KindNamespace;
use crate::place::Place;

pub(crate) struct Lane {
    place: Place,
    /// Different for each lane of a place.
    name: String,
    folder: PathBuf,
    started: usize,
    cluster: Option<Box<dyn Cluster>>,
}

impl Lane {
    pub(crate) fn new(place: &Place, name: &str, folder: &Path) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
            folder: folder.to_owned(),
            started: 0,
            cluster: None,
        }
    }

    /// Returns the cluster; starts one if none runs.
    pub(crate) fn cluster(&mut self) -> Result<&dyn Cluster, Problem> {
        let cluster = match self.cluster.take() {
            Some(cluster) => cluster,
            None => self.start()?,
        };
        Ok(&**self.cluster.insert(cluster))
    }

    fn start(&mut self) -> Result<Box<dyn Cluster>, Problem> {
        self.started += 1;
        Ok(match &self.place {
            Place::Embedded => {
                let folder = self.folder.join(format!("cluster-{}", self.started));
                Box::new(Embedded::start(&folder)?)
            }
            Place::Kind(kept) => {
                let name = format!("{}-{}", self.name, self.started);
                Box::new(KindNamespace::start(kept, &name)?)
            }
        })
    }

    /// Waits for the end of a cluster that was killed, and of its pods.
    pub(crate) fn bury(&mut self) -> Result<(), Problem> {
        self.cluster.take().map_or(Ok(()), Cluster::bury)
    }

    /// Ends the cluster.
    pub(crate) fn end(&mut self) -> Result<(), Problem> {
        self.cluster.take().map_or(Ok(()), Cluster::end)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}
