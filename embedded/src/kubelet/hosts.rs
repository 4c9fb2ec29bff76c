//! Names of services for Python programs, which look them up while they run.
//!
//! Nothing on the machine is changed and no right is needed: a module that Python imports at its start
//! looks into a file of ours before it asks the machine. Programs in other languages get addresses where
//! [`super::substitute`] can see the names.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::substitute::names_of;
use crate::kubelet::addresses::Addresses;
use crate::object::meta;
use crate::store::{Store, kinds};

const MODULE: &str = include_str!("sitecustomize.py");

/// The folders and files that Python programs are given.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    folder: PathBuf,
}

impl Hosts {
    /// Writes the module into a folder of this cluster.
    pub(super) fn create(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("sitecustomize.py"), MODULE)?;
        Ok(Self { folder })
    }

    /// The variables for a Python program in this namespace.
    pub(super) fn environment(&self, namespace: &str) -> Vec<(String, String)> {
        vec![
            ("PYTHONPATH".into(), self.folder.display().to_string()),
            ("EMBEDDED_HOSTS".into(), self.file(namespace).display().to_string()),
        ]
    }

    /// Writes what a namespace's pods can look up.
    pub(super) fn write(&self, store: &Store, addresses: &Addresses, namespace: &str) -> io::Result<()> {
        let mut text = String::new();
        for service in store.list(&kinds::SERVICES, None).0 {
            let (its, name) = (meta(&service, "namespace"), meta(&service, "name"));
            let names = names_of(name, its, namespace).join(" ");
            let _ = writeln!(text, "{} {names}", addresses.of_service(its, name));
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
    fn a_namespace_s_own_services_have_short_names_there() {
        let folder = tempfile::tempdir().unwrap();
        let (store, addresses) = (Store::new(), Addresses::claim().unwrap());
        let service = json!({ "metadata": { "name": "web", "namespace": "default" } });
        store.create(&kinds::SERVICES, service).unwrap();
        let hosts = Hosts::create(folder.path().into()).unwrap();
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
