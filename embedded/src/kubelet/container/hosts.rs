//! Names of services for Python programs, which look them up while they run.
//!
//! This changes nothing on the machine and needs no rights: Python imports a module of ours at its start, and
//! that module reads a file of ours before it asks the machine's resolver. Programs in other languages only
//! get the addresses that [`super::substitute`] writes into their arguments and variables.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::substitute::names_of;
use crate::addresses::Addresses;
use crate::kinds;
use crate::object::metadata::meta;
use crate::store::Store;

const MODULE: &str = include_str!("sitecustomize.py");

/// The folder with the Python module, and one file of names for each namespace.
#[derive(Clone, Debug)]
pub(crate) struct HostsFiles {
    folder: PathBuf,
}

impl HostsFiles {
    /// Creates the folder and writes the module.
    pub(crate) fn create(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("sitecustomize.py"), MODULE)?;
        Ok(Self { folder })
    }

    /// The environment variables for a Python program in this namespace.
    pub(crate) fn environment(&self, namespace: &str) -> Vec<(String, String)> {
        vec![
            ("PYTHONPATH".into(), self.folder.display().to_string()),
            ("EMBEDDED_HOSTS".into(), self.file(namespace).display().to_string()),
        ]
    }

    /// Writes the names that pods of a namespace can look up.
    pub(crate) fn write(&self, store: &Store, addresses: &Addresses, namespace: &str) -> io::Result<()> {
        let mut text = String::new();
        for service in store.list(&kinds::SERVICES, None).0 {
            let (its_namespace, name) = (meta(&service, "namespace"), meta(&service, "name"));
            let names = names_of(name, its_namespace, namespace).join(" ");
            let _ = writeln!(text, "{} {names}", addresses.of_service(its_namespace, name));
        }
        replace(&self.file(namespace), &text)
    }

    fn file(&self, namespace: &str) -> PathBuf {
        self.folder.join(format!("hosts.{namespace}"))
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, text)?;
    std::fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn services_have_short_names_only_in_their_own_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let (store, addresses) = (Store::new(), Addresses::claim().unwrap());
        let service = json!({ "metadata": { "name": "web", "namespace": "default" } });
        store.create(&kinds::SERVICES, service).unwrap();
        let hosts = HostsFiles::create(folder.path().into()).unwrap();
        let text = |namespace: &str| {
            hosts.write(&store, &addresses, namespace).unwrap();
            std::fs::read_to_string(folder.path().join(format!("hosts.{namespace}"))).unwrap()
        };
        let long = "web.default web.default.svc web.default.svc.cluster.local\n";
        let address = addresses.of_service("default", "web");
        assert_eq!(text("default"), format!("{address} web {long}"));
        assert_eq!(text("kube-system"), format!("{address} {long}"));
    }
}
