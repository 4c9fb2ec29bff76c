//! What all pods of the kubelet use.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::container::hosts::HostsFiles;
use super::container::launch::AccountKubeconfig;
use super::container::watchdog::Watchdog;
use super::images::catalog::Images;
use crate::addresses::Addresses;
use crate::store::Store;

/// What all pods of the kubelet use.
pub(crate) struct Shared {
    pub(crate) store: Store,
    /// The folder that contains the folders of the pods.
    pub(crate) folder: PathBuf,
    pub(crate) images: Images,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) hosts: HostsFiles,
    pub(crate) watchdog: Arc<Watchdog>,
    /// Set as soon as the API server has its address.
    pub(crate) kubeconfig: OnceLock<AccountKubeconfig>,
}

impl Shared {
    pub(crate) fn new(
        store: Store,
        folder: PathBuf,
        lock: File,
        images: Images,
        addresses: Arc<Addresses>,
    ) -> io::Result<Self> {
        let hosts = HostsFiles::create(folder.join("hosts"))?;
        let watchdog = Arc::new(Watchdog::start(&folder, lock)?);
        Ok(Self { store, folder, images, addresses, hosts, watchdog, kubeconfig: OnceLock::new() })
    }
}
