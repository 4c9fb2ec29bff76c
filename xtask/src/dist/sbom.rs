//! The list of the crates in the programs, in CycloneDX's JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::build::Place;
use crate::failure::{Failure, PREFLIGHT};
use crate::image::sha256_hex;
use crate::run::Session;

/// The packages with a program in the release.
const ROOTS: [&str; 3] = ["locust-matrix", "fake-inference", "embedded"];

pub(super) async fn make(
    session: &Session,
    place: &Place,
    triple: &str,
    version: &str,
    time: u64,
) -> Result<Vec<u8>, Failure> {
    let words = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", triple];
    let listed = place.command(&words)?.run(session).await?;
    let listed = listed.require_success(session, PREFLIGHT, "read what cargo says above")?;
    let metadata: Value = serde_json::from_str(&listed.stdout)
        .map_err(|error| Failure::bug(format!("`cargo metadata`: {error}")))?;
    let path = place.source.join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))?;
    let seconds = i64::try_from(time).unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
    let list = list(&metadata, &checksums(&lock), version, &time);
    serde_json::to_vec_pretty(&list).map_err(|error| Failure::bug(format!("the list of crates: {error}")))
}

/// The checksum of each crate, by `name@version`.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let table: toml::Table = lock.parse().unwrap_or_default();
    let packages = table.get("package").and_then(toml::Value::as_array);
    let checksum = |package: &toml::Value| {
        let word = |key: &str| package.get(key)?.as_str().map(str::to_owned);
        Some((format!("{}@{}", word("name")?, word("version")?), word("checksum")?))
    };
    packages.into_iter().flatten().filter_map(checksum).collect()
}

fn list(metadata: &Value, checksums: &BTreeMap<String, String>, version: &str, time: &str) -> Value {
    let empty = Vec::new();
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let needs: BTreeMap<&str, Vec<&str>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, in_programs(node))))
        .collect();
    let roots: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| {
            package["source"].is_null() && ROOTS.iter().any(|root| package["name"] == *root)
        })
        .map(|(id, _)| *id)
        .collect();
    let mut reached = BTreeSet::new();
    let mut open = roots.clone();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(needs.get(id).into_iter().flatten());
        }
    }
    let purl = |id: &str| {
        let package = packages.get(id).copied().unwrap_or(&Value::Null);
        let word = |key: &str| package[key].as_str().unwrap_or_default();
        format!("pkg:cargo/{}@{}", word("name"), word("version"))
    };
    let mut components: Vec<Value> = reached
        .iter()
        .filter_map(|id| {
            let package = packages.get(id)?;
            let name = format!("{}@{}", package["name"].as_str()?, package["version"].as_str()?);
            let mut component = json!({
                "type": if roots.contains(id) { "application" } else { "library" },
                "bom-ref": purl(id),
                "name": package["name"],
                "version": package["version"],
                "purl": purl(id),
            });
            if let Some(licence) = package["license"].as_str() {
                component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
            }
            if let Some(checksum) = checksums.get(&name) {
                component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
            }
            Some(component)
        })
        .collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    let dependencies: Vec<Value> = reached
        .iter()
        .map(|id| {
            let mut on: Vec<_> = needs.get(id).into_iter().flatten().map(|id| purl(id)).collect();
            on.sort();
            on.dedup();
            json!({ "ref": purl(id), "dependsOn": on })
        })
        .collect();
    let serial = sha256_hex(json!([components, dependencies]).to_string().as_bytes());
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        // The same crates give the same number: version 8 of RFC 9562, whose bits are free.
        "serialNumber": format!(
            "urn:uuid:{}-{}-8{}-8{}-{}",
            &serial[..8], &serial[8..12], &serial[12..15], &serial[15..18], &serial[18..30]
        ),
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "application", "name": "locust-matrix", "version": version, "bom-ref": "release",
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// The packages that a node needs in its program: neither for its build script only nor for its tests only.
fn in_programs(node: &Value) -> Vec<&str> {
    let kinds = |dependency: &Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| kinds(dependency))
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_crates_of_the_programs_with_checksum_and_licence() {
        let package = |id: &str, name: &str, source: Value| json!({ "id": id, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "source": source });
        let needs = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("a", "locust-matrix", Value::Null),
                package("b", "serde", json!("registry")),
                package("c", "proptest", json!("registry")),
                package("d", "unrelated", json!("registry")),
            ],
            "resolve": { "nodes": [
                { "id": "a", "deps": [needs("b", Value::Null), needs("c", json!("dev"))] },
                { "id": "b", "deps": [] },
            ]},
        });
        let checksums = checksums("[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n");
        let list = list(&metadata, &checksums, "0.1.0", "1970-01-01T00:00:00Z");
        let names: Vec<_> = list["components"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["locust-matrix", "serde"]);
        assert_eq!(list["components"][1]["hashes"][0]["content"], "abc");
        assert_eq!(list["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(list["dependencies"][0]["dependsOn"], json!(["pkg:cargo/serde@1.0.0"]));
    }
}
