//! Container ports.

use serde_json::Value;

/// The number of a container port that is given by number, or by its name in a pod's spec.
pub(crate) fn container_port(spec: &Value, port: &Value) -> Option<u16> {
    if let Some(number) = port.as_u64() {
        return u16::try_from(number).ok();
    }
    let name = port.as_str()?;
    let containers = spec["containers"].as_array()?;
    let ports = containers.iter().flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let number = ports.into_iter().find(|port| port["name"] == name)?["containerPort"].as_u64();
    u16::try_from(number?).ok()
}
