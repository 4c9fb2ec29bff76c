//! From a container's spec to a program with its arguments and environment variables.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::environment::{self, Environment};
use super::hosts::HostsFiles;
use super::process::Launch;
use super::substitute::Substitution;
use super::{service_names, volumes};
use crate::addresses::Addresses;
use crate::files::write_secret;
use crate::kinds;
use crate::kubelet::images::catalog::Program;
use crate::kubelet::images::command::find;
use crate::object::metadata::meta;
use crate::store::{Key, Store};

/// Environment variables that a container inherits from this program.
const INHERITED: [&str; 5] = ["LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE"];

/// Returns the kubeconfig of a ServiceAccount, given by namespace and name.
pub(crate) type AccountKubeconfig = Box<dyn Fn(&str, &str) -> Result<String, String> + Send + Sync>;

/// What the start of a container depends on, besides its own spec and image.
pub(crate) struct PodContext<'a> {
    /// The pod as it was when the kubelet first saw it.
    pub(crate) pod: &'a Value,
    /// The pod as it is in the store now.
    pub(crate) current: &'a Value,
    /// The pod's address.
    pub(crate) address: Ipv4Addr,
    /// The pod's folder.
    pub(crate) folder: &'a Path,
    /// Folders of the pod's volumes, by volume name.
    pub(crate) volumes: &'a BTreeMap<String, PathBuf>,
    pub(crate) store: &'a Store,
    pub(crate) addresses: &'a Addresses,
    pub(crate) hosts: &'a HostsFiles,
    /// `None` until the API server has its address.
    pub(crate) kubeconfig: Option<&'a AccountKubeconfig>,
}

/// Decides how a container is started.
///
/// # Errors
/// In Kubernetes' words: what is invalid or still missing.
pub(crate) fn prepare(context: &PodContext<'_>, index: usize, program: &Program) -> Result<Launch, String> {
    let (pod, namespace) = (context.pod, meta(context.pod, "namespace"));
    if pod["spec"]["initContainers"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err("initContainers: this cluster does not run init containers".into());
    }
    let container = &pod["spec"]["containers"][index];
    let name = container["name"].as_str().unwrap_or_default();
    let folder = context.folder.join(format!("{name}.folder"));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mounts = volumes::mounts(container, context.volumes)?;
    let temporary = mounts.get("/tmp").cloned().unwrap_or_else(|| folder.clone());
    let names = service_names::substitution(context.store, context.addresses, namespace, context.address);
    let substitution = Substitution { mounts, ..names };

    let mut environment = Environment::default();
    for name in INHERITED {
        if let Ok(value) = std::env::var(name) {
            environment.set(name, value);
        }
    }
    environment.set("PATH", path(program));
    environment.set("HOSTNAME", meta(pod, "name"));
    environment.set("HOME", folder.display().to_string());
    environment.set("TMPDIR", temporary.display().to_string());
    for (name, value) in &program.environment {
        environment.set(name, value);
    }
    for (name, value) in context.hosts.environment(namespace) {
        environment.set(name, value);
    }
    if pod["spec"]["enableServiceLinks"] != false {
        let mut services = service_names::all(context.store, context.addresses);
        services.retain(|service| service.namespace == namespace);
        environment::add_services(&mut environment, &services);
    }
    if let Some(kubeconfig) = write_kubeconfig(context)? {
        environment.set("KUBECONFIG", kubeconfig.display().to_string());
    }
    environment::add_declared(&mut environment, context.store, context.current, container, &substitution)?;

    let arguments_in = |field: &str| -> Vec<String> {
        let words = container[field].as_array().into_iter().flatten();
        let words: Vec<String> = words.filter_map(|word| Some(environment.expand(word.as_str()?))).collect();
        substitution.arguments(&words)
    };
    let (program, mut arguments) =
        entry(program, &arguments_in("command"), environment.get("PATH").unwrap_or_default())?;
    arguments.extend(arguments_in("args"));
    let folder = match container["workingDir"].as_str() {
        Some(wanted) => PathBuf::from(substitution.value("", wanted)),
        None => folder,
    };
    Ok(Launch { program, arguments, environment: environment.into_pairs(), folder })
}

/// The program and its first arguments: those of the image, unless the container has a `command`.
fn entry(program: &Program, command: &[String], path: &str) -> Result<(PathBuf, Vec<String>), String> {
    let [first, rest @ ..] = command else {
        return Ok((program.path.clone(), program.arguments.clone()));
    };
    if Path::new(first).file_name() == program.path.file_name() {
        return Ok((program.path.clone(), rest.to_vec()));
    }
    match find(first, path) {
        Some(found) => Ok((found, rest.to_vec())),
        None => Err(format!("exec: \"{first}\": executable file not found in $PATH")),
    }
}

/// The variable `PATH`: the commands of the image come before those of the machine.
fn path(program: &Program) -> String {
    let own = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    let first = program.folder.clone().or_else(|| program.path.parent().map(Path::to_path_buf));
    first.map_or_else(|| own.clone(), |folder| format!("{}:{own}", folder.display()))
}

/// Writes the kubeconfig of the pod's ServiceAccount into the pod's folder. `None` if the pod does not mount
/// the account's token.
fn write_kubeconfig(context: &PodContext<'_>) -> Result<Option<PathBuf>, String> {
    let (spec, namespace) = (&context.pod["spec"], meta(context.pod, "namespace"));
    let name = spec["serviceAccountName"].as_str().unwrap_or("default");
    let account = context.store.get(&Key::new(&kinds::SERVICE_ACCOUNTS, namespace, name));
    let automount = |object: &Value| object["automountServiceAccountToken"].as_bool();
    if automount(spec).or_else(|| account.as_deref().and_then(automount)) == Some(false) {
        return Ok(None);
    }
    if account.is_none() {
        return Err(format!("serviceaccount \"{name}\" not found"));
    }
    let path = context.folder.join("kubeconfig");
    let kubeconfig = context.kubeconfig.ok_or("the API server has not started yet")?;
    let text = kubeconfig(namespace, name)?;
    write_secret(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(path))
}
