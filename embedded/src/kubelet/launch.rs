//! From a container's specification to a program with its arguments and variables.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::environment::{self, Environment};
use super::images::{self, Program};
use super::pod::Pod;
use super::process::Launch;
use super::substitute::{Substitution, names_of};
use super::volumes;
use crate::object::meta;
use crate::store::{Key, kinds};

/// Variables of this program that a container gets, too.
const INHERITED: [&str; 5] = ["LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE"];

/// What to start for a container.
///
/// # Errors
/// In the words of Kubernetes, what is wrong or not there (yet).
pub(super) fn of(pod: &Pod, index: usize, program: &Program) -> Result<Launch, String> {
    if pod.spec["spec"]["initContainers"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err("initContainers: this cluster does not run any".into());
    }
    let container = &pod.spec["spec"]["containers"][index];
    let name = container["name"].as_str().unwrap_or_default();
    let folder = pod.folder.join(format!("{name}.folder"));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mounts = volumes::mounts(container, &pod.volumes())?;
    let temporary = mounts.get("/tmp").cloned().unwrap_or_else(|| folder.clone());
    let substitution = Substitution { mounts, ..names(pod) };

    let mut environment = Environment::default();
    for name in INHERITED {
        if let Ok(value) = std::env::var(name) {
            environment.set(name, value);
        }
    }
    environment.set("PATH", path(program));
    environment.set("HOSTNAME", pod.name());
    environment.set("HOME", folder.display().to_string());
    environment.set("TMPDIR", temporary.display().to_string());
    for (name, value) in &program.environment {
        environment.set(name, value);
    }
    for (name, value) in pod.kubelet.hosts.environment(pod.namespace()) {
        environment.set(name, value);
    }
    if pod.spec["spec"]["enableServiceLinks"] != false {
        environment::add_services(&mut environment, &services(pod));
    }
    if let Some(kubeconfig) = account(pod)? {
        environment.set("KUBECONFIG", kubeconfig.display().to_string());
    }
    environment::add_declared(
        &mut environment,
        &pod.kubelet.store,
        &pod.current(),
        container,
        &substitution,
    )?;

    let words = |field: &str| -> Vec<String> {
        let words = container[field].as_array().into_iter().flatten();
        let words: Vec<String> = words.filter_map(|word| Some(environment.expand(word.as_str()?))).collect();
        substitution.arguments(&words)
    };
    let (program, mut arguments) =
        entry(program, &words("command"), environment.get("PATH").unwrap_or_default())?;
    arguments.extend(words("args"));
    let folder = match container["workingDir"].as_str() {
        Some(wanted) => PathBuf::from(substitution.value("", wanted)),
        None => folder,
    };
    Ok(Launch { program, arguments, environment: environment.into_pairs(), folder })
}

/// The program: the image's own, unless the container names a command.
fn entry(program: &Program, command: &[String], path: &str) -> Result<(PathBuf, Vec<String>), String> {
    let [first, rest @ ..] = command else {
        return Ok((program.path.clone(), program.arguments.clone()));
    };
    let named = Path::new(first).file_name();
    if named == program.path.file_name() {
        return Ok((program.path.clone(), rest.to_vec()));
    }
    match images::find(first, path) {
        Some(found) => Ok((found, rest.to_vec())),
        None => Err(format!("exec: \"{first}\": executable file not found in $PATH")),
    }
}

fn path(program: &Program) -> String {
    let own = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    let beside = program.folder.clone().or_else(|| program.path.parent().map(Path::to_path_buf));
    beside.map_or_else(|| own.clone(), |folder| format!("{}:{own}", folder.display()))
}

/// Every service with the address that it has in this cluster.
fn all_services(pod: &Pod) -> Vec<(String, String, std::net::Ipv4Addr, std::sync::Arc<Value>)> {
    let (services, _) = pod.kubelet.store.list(&kinds::SERVICES, None);
    let address = |service: std::sync::Arc<Value>| {
        let (namespace, name) = (meta(&service, "namespace").to_owned(), meta(&service, "name").to_owned());
        let address = pod.kubelet.addresses.of_service(&namespace, &name);
        (namespace, name, address, service)
    };
    services.into_iter().filter(|service| service["spec"]["clusterIP"] != "None").map(address).collect()
}

/// What stands for the pod's own address and for services, before anything is mounted.
pub(super) fn names(pod: &Pod) -> Substitution {
    let mut substitution = Substitution { address: Some(pod.address), ..Substitution::default() };
    for (namespace, name, address, _) in all_services(pod) {
        for known_as in names_of(&name, &namespace, pod.namespace()) {
            substitution.names.insert(known_as, address);
        }
    }
    substitution
}

fn services(pod: &Pod) -> Vec<(String, String, Value)> {
    let own = all_services(pod).into_iter().filter(|(namespace, ..)| namespace == pod.namespace());
    own.map(|(_, name, address, service)| (name, address.to_string(), Value::clone(&service))).collect()
}

/// The way to the API server for a pod whose ServiceAccount's token is mounted.
fn account(pod: &Pod) -> Result<Option<PathBuf>, String> {
    let spec = &pod.spec["spec"];
    let name = spec["serviceAccountName"].as_str().unwrap_or("default");
    let key = Key::new(&kinds::SERVICE_ACCOUNTS, pod.namespace(), name);
    let account = pod.kubelet.store.get(&key);
    let wish = |object: &Value| object["automountServiceAccountToken"].as_bool();
    let mounted = wish(spec).or_else(|| account.as_deref().and_then(wish)).unwrap_or(true);
    if !mounted {
        return Ok(None);
    }
    if account.is_none() {
        return Err(format!("serviceaccount \"{name}\" not found"));
    }
    let path = pod.folder.join("kubeconfig");
    let kubeconfig = pod.kubelet.kubeconfig.get().ok_or("the API server is not up yet")?;
    let text = kubeconfig(pod.namespace(), name)?;
    crate::files::write_secret(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(path))
}
