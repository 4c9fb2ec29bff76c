//! The environment variables of a container.

use serde_json::Value;

use super::service_names::NamedService;
use super::substitute::Substitution;
use super::volumes::files;
use crate::kinds::{self, Kind};
use crate::object::metadata::meta;
use crate::object::quantity::thousandths;
use crate::store::Store;

/// Environment variables. Setting a variable again replaces its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(Vec<(String, String)>);

impl Environment {
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, present)) => *present = value,
            None => self.0.push((name, value)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// Replaces `$(NAME)` by the value of the variable, and `$$` by a dollar sign. A reference to an unknown
    /// variable stays as it is.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                result.push('$');
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
                match self.get(name) {
                    Some(value) => result.push_str(value),
                    None => result.extend(["$(", name, ")"]),
                }
                rest = after;
            } else {
                result.push('$');
            }
        }
        result.push_str(rest);
        result
    }
}

/// Adds the variables of the container's spec.
///
/// # Errors
/// In Kubernetes' words: the object or key that a variable refers to and that does not exist.
pub(crate) fn add_declared(
    environment: &mut Environment,
    store: &Store,
    pod: &Value,
    container: &Value,
    substitution: &Substitution,
) -> Result<(), String> {
    let namespace = meta(pod, "namespace");
    for source in container["envFrom"].as_array().into_iter().flatten() {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        for (kind, reference) in references(source, "configMapRef", "secretRef") {
            for (key, value) in entries(store, kind, namespace, reference)?.unwrap_or_default() {
                let name = format!("{prefix}{key}");
                let value = substitution.value(&name, &value);
                environment.set(name, value);
            }
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        let from = &variable["valueFrom"];
        if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
            environment.set(name, field(pod, path)?);
        } else if from["resourceFieldRef"].is_object() {
            environment.set(name, resource(&from["resourceFieldRef"], container)?);
        } else if from.is_object() {
            for (kind, reference) in references(from, "configMapKeyRef", "secretKeyRef") {
                if let Some(value) = key(store, kind, namespace, reference)? {
                    environment.set(name, substitution.value(name, &value));
                }
            }
        } else {
            let value = environment.expand(variable["value"].as_str().unwrap_or_default());
            environment.set(name, substitution.value(name, &value));
        }
    }
    Ok(())
}

/// Adds the variables that describe services, such as `NAME_SERVICE_HOST` and `NAME_PORT_80_TCP`.
pub(crate) fn add_services(environment: &mut Environment, services: &[NamedService]) {
    for service in services {
        let address = service.address.to_string();
        let prefix = service.name.to_uppercase().replace(['-', '.'], "_");
        let ports = service.object["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, port) in ports.iter().enumerate() {
            let (number, protocol) = (port["port"].to_string(), port["protocol"].as_str().unwrap_or("TCP"));
            let link = format!("{}://{address}:{number}", protocol.to_lowercase());
            if index == 0 {
                environment.set(format!("{prefix}_SERVICE_HOST"), &address);
                environment.set(format!("{prefix}_SERVICE_PORT"), &number);
                environment.set(format!("{prefix}_PORT"), &link);
            }
            if let Some(port_name) = port["name"].as_str() {
                let port_name = port_name.to_uppercase().replace('-', "_");
                environment.set(format!("{prefix}_SERVICE_PORT_{port_name}"), &number);
            }
            let long_prefix = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
            environment.set(&long_prefix, &link);
            environment.set(format!("{long_prefix}_PROTO"), protocol.to_lowercase());
            environment.set(format!("{long_prefix}_PORT"), &number);
            environment.set(format!("{long_prefix}_ADDR"), &address);
        }
    }
}

/// The references to a ConfigMap or a Secret in a source of values.
fn references<'a>(
    source: &'a Value,
    map: &str,
    secret: &str,
) -> impl Iterator<Item = (&'static Kind, &'a Value)> + use<'a> {
    let pairs = [(&kinds::CONFIG_MAPS, &source[map]), (&kinds::SECRETS, &source[secret])];
    pairs.into_iter().filter(|(_, reference)| reference.is_object())
}

/// All entries of a ConfigMap or a Secret. `None` if it is optional and does not exist.
fn entries(
    store: &Store,
    kind: &'static Kind,
    namespace: &str,
    reference: &Value,
) -> Result<Option<Vec<(String, String)>>, String> {
    let name = reference["name"].as_str().unwrap_or_default();
    match files(store, kind, namespace, name) {
        Some(files) => {
            let text = |(key, bytes): (String, Vec<u8>)| (key, String::from_utf8_lossy(&bytes).into_owned());
            Ok(Some(files.into_iter().map(text).collect()))
        }
        None if reference["optional"] == true => Ok(None),
        None => Err(format!("{} \"{name}\" not found", kind.singular)),
    }
}

/// The value of one key. `None` if it is optional and does not exist.
fn key(
    store: &Store,
    kind: &'static Kind,
    namespace: &str,
    reference: &Value,
) -> Result<Option<String>, String> {
    let wanted = reference["key"].as_str().unwrap_or_default();
    let found =
        entries(store, kind, namespace, reference)?.into_iter().flatten().find(|(key, _)| key == wanted);
    match found {
        Some((_, value)) => Ok(Some(value)),
        None if reference["optional"] == true => Ok(None),
        None => {
            let name = reference["name"].as_str().unwrap_or_default();
            Err(format!("couldn't find key {wanted} in {} {namespace}/{name}", kind.kind))
        }
    }
}

/// The field of the pod that a `fieldRef` names.
fn field(pod: &Value, path: &str) -> Result<String, String> {
    for map in ["labels", "annotations"] {
        let key = path.strip_prefix("metadata.").and_then(|path| path.strip_prefix(map));
        if let Some(key) = key.and_then(|key| key.strip_prefix("['")?.strip_suffix("']")) {
            return Ok(pod["metadata"][map][key].as_str().unwrap_or_default().to_owned());
        }
    }
    let pointer = match path {
        "metadata.name"
        | "metadata.namespace"
        | "metadata.uid"
        | "spec.nodeName"
        | "spec.serviceAccountName"
        | "status.podIP"
        | "status.hostIP" => format!("/{}", path.replace('.', "/")),
        "status.podIPs" => "/status/podIP".to_owned(),
        _ => return Err(format!("fieldPath {path}: not supported by this cluster")),
    };
    Ok(pod.pointer(&pointer).and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The amount that a `resourceFieldRef` names, such as `limits.memory`, in units of `divisor`.
fn resource(reference: &Value, container: &Value) -> Result<String, String> {
    let path = reference["resource"].as_str().unwrap_or_default();
    let (what, name) = path.split_once('.').unwrap_or((path, ""));
    let divisor = thousandths(&reference["divisor"]).filter(|divisor| *divisor > 0).unwrap_or(1000);
    let value = thousandths(&container["resources"][what][name])
        .ok_or_else(|| format!("resource {path}: the container does not set it"))?;
    Ok(((value + divisor - 1) / divisor).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(env: &Value) -> Result<Environment, String> {
        let store = Store::new();
        let map = json!({ "metadata": { "name": "m", "namespace": "default" }, "data": { "k": "v" } });
        store.create(&kinds::CONFIG_MAPS, map).unwrap();
        let pod = json!({
            "metadata": { "name": "p", "namespace": "default", "labels": { "a/b": "l" } },
            "status": { "podIP": "127.64.0.1" },
        });
        let container = json!({ "env": env, "resources": { "limits": { "memory": "1Gi", "cpu": "1500m" } } });
        let mut environment = Environment::default();
        add_declared(&mut environment, &store, &pod, &container, &Substitution::default())?;
        Ok(environment)
    }

    #[test]
    fn values_come_from_fields_config_maps_secrets_and_resources() {
        let environment = declared(&json!([
            { "name": "A", "value": "1" },
            { "name": "B", "value": "$(A)-$(NONE)-$$(A)" },
            { "name": "L", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['a/b']" } } },
            { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
            { "name": "K", "valueFrom": { "configMapKeyRef": { "name": "m", "key": "k" } } },
            { "name": "O", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k", "optional": true } } },
            { "name": "M", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": "1Mi" } } },
            { "name": "C", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
        ]))
        .unwrap();
        let expected = [
            ("A", Some("1")),
            ("B", Some("1-$(NONE)-$(A)")),
            ("L", Some("l")),
            ("IP", Some("127.64.0.1")),
            ("K", Some("v")),
            ("O", None),
            ("M", Some("1024")),
            ("C", Some("2")),
        ];
        for (name, value) in expected {
            assert_eq!(environment.get(name), value, "{name}");
        }
    }

    #[test]
    fn a_missing_object_or_key_is_named() {
        let refer = |name: &str, key: &str| {
            declared(
                &json!([{ "name": "X", "valueFrom": { "configMapKeyRef": { "name": name, "key": key } } }]),
            )
        };
        assert_eq!(refer("none", "k").unwrap_err(), "configmap \"none\" not found");
        assert_eq!(refer("m", "none").unwrap_err(), "couldn't find key none in ConfigMap default/m");
    }

    #[test]
    fn services_are_described_by_variables() {
        let service = json!({ "spec": { "ports": [{ "name": "web-ui", "port": 80 }] } });
        let mut environment = Environment::default();
        let service = NamedService {
            namespace: "default".into(),
            name: "my-svc".into(),
            address: [127, 64, 128, 1].into(),
            object: service.into(),
        };
        add_services(&mut environment, &[service]);
        assert_eq!(environment.get("MY_SVC_SERVICE_HOST"), Some("127.64.128.1"));
        assert_eq!(environment.get("MY_SVC_SERVICE_PORT_WEB_UI"), Some("80"));
        assert_eq!(environment.get("MY_SVC_PORT_80_TCP"), Some("tcp://127.64.128.1:80"));
    }
}
