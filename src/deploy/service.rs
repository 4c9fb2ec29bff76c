//! The driver's permissions for a service of another name.

use serde_json::Value;

/// The name that the Role of the manifests has.
const DEFAULT: &str = "inference";

/// Lets the Role name this Deployment where it names the manifests' own, so that the Job may read and
/// scale it, and no other.
pub(super) fn permit(objects: &mut [Value], deployment: &str) {
    let roles = objects.iter_mut().filter(|object| object["kind"] == "Role");
    let rules = roles.filter_map(|role| role["rules"].as_array_mut()).flatten();
    let of_deployments = |rule: &&mut Value| {
        let resources = rule["resources"].as_array();
        resources.is_some_and(|all| all.iter().any(|one| one == "deployments" || one == "deployments/scale"))
    };
    let names = rules.filter(of_deployments).filter_map(|rule| rule["resourceNames"].as_array_mut());
    for name in names.flatten().filter(|name| *name == DEFAULT) {
        *name = deployment.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::{Overlay, objects};

    #[test]
    fn the_role_names_the_service_and_nothing_else_changes() {
        let plain = objects(Overlay::Base, &[], None).unwrap();
        let mut changed = plain.clone();
        permit(&mut changed, "shop");
        let names = |objects: &[Value]| -> Vec<String> {
            let role = objects.iter().find(|object| object["kind"] == "Role").unwrap();
            role["rules"].as_array().unwrap().iter().map(|rule| rule["resourceNames"].to_string()).collect()
        };
        assert!(names(&changed)[0].contains("shop") && names(&changed)[1].contains("shop"), "{changed:?}");
        assert_eq!(
            serde_json::to_string(&changed).unwrap(),
            serde_json::to_string(&plain).unwrap().replace("\"inference\",\"locust-", "\"shop\",\"locust-")
        );
    }
}
