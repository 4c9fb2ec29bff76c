//! Licences, sources and duplicate versions of the dependencies, by the rules of `deny.toml`.
//!
//! This is the part of cargo-deny that needs only `cargo metadata`. Building cargo-deny itself takes minutes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::licence;

/// The file with the rules. It is also cargo-deny's, which knows more keys than these.
pub(super) const RULES: &str = "deny.toml";

#[derive(Deserialize)]
pub(super) struct Rules {
    pub(super) graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
pub(super) struct Graph {
    /// Dependencies of other platforms are not looked at.
    pub(super) targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// A duplicate version that is accepted, and who needs it.
#[derive(Deserialize)]
struct Skip {
    /// `name@version`; the version may have fewer parts.
    #[serde(rename = "crate")]
    package: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// The output of `cargo metadata`.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for a member of the workspace.
    source: Option<String>,
}

/// Every dependency that breaks a rule, and every exception that is not needed any more.
pub(super) fn check(rules: &Rules, metadata: &[Metadata]) -> Vec<String> {
    let packages: Vec<_> = metadata.iter().flat_map(|one| &one.packages).collect();
    let mut problems: BTreeSet<String> =
        packages.iter().filter_map(|package| licence_problem(rules, package)).collect();
    problems.extend(packages.iter().filter_map(|package| source_problem(rules, package)));
    problems.extend(duplicates(&rules.bans, &packages));
    problems.into_iter().collect()
}

fn licence_problem(rules: &Rules, Package { name, version, license, .. }: &Package) -> Option<String> {
    let subject = format!("Cargo.lock: {name} {version}");
    let Some(expression) = license else { return Some(format!("{subject}: names no licence")) };
    match licence::is_allowed(expression, &rules.licenses.allow) {
        Some(true) => None,
        Some(false) => {
            Some(format!("{subject}: licence {expression}: use another crate, or add the licence to {RULES}"))
        }
        None => Some(format!("{subject}: licence '{expression}' is not an SPDX expression")),
    }
}

fn source_problem(rules: &Rules, Package { name, version, source, .. }: &Package) -> Option<String> {
    let source = source.as_ref()?;
    let registry = source.strip_prefix("registry+");
    let is_allowed =
        registry.is_some_and(|one| rules.sources.allow_registry.iter().any(|known| known == one));
    (!is_allowed)
        .then(|| format!("Cargo.lock: {name} {version}: comes from {source}, which {RULES} does not allow"))
}

fn duplicates(bans: &Bans, packages: &[&Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let mut problems = Vec::new();
    for (name, versions) in &versions {
        let is_skipped =
            |version: &&&str| bans.skip.iter().any(|skip| is_meant(&skip.package, name, version));
        let left: Vec<_> = versions.iter().filter(|version| !is_skipped(version)).copied().collect();
        if left.len() > 1 {
            let left = left.join(" and ");
            problems.push(format!(
                "Cargo.lock: {name} is there as {left}: use one version, or add the older one to `skip` in {RULES} \
                 with the reason"
            ));
        }
    }
    for Skip { package, reason } in &bans.skip {
        let is_duplicate = versions.iter().any(|(name, versions)| {
            versions.len() > 1 && versions.iter().any(|version| is_meant(package, name, version))
        });
        if !is_duplicate {
            problems.push(format!("{RULES}: {package} is no duplicate any more: remove it from `skip`"));
        }
        if reason.trim().is_empty() {
            problems.push(format!("{RULES}: {package} in `skip` has no reason"));
        }
    }
    problems
}

/// Whether `name@version` means this package.
fn is_meant(spec: &str, name: &str, version: &str) -> bool {
    let Some((wanted, prefix)) = spec.split_once('@') else { return spec == name };
    let rest = version.strip_prefix(prefix);
    wanted == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn problems(packages: &[(&str, &str, Option<&str>, Option<&str>)]) -> Vec<String> {
        let rules = r#"
            [graph]
            targets = ["x86_64-unknown-linux-gnu"]
            [licenses]
            allow = ["MIT", "Apache-2.0"]
            [bans]
            skip = [{ crate = "syn@2", reason = "macros" }]
            [sources]
            allow-registry = ["https://github.com/rust-lang/crates.io-index"]
        "#;
        let packages = packages.iter().map(|(name, version, license, source)| Package {
            name: (*name).into(),
            version: (*version).into(),
            license: license.map(Into::into),
            source: source.map(Into::into),
        });
        check(&toml::from_str(rules).unwrap(), &[Metadata { packages: packages.collect() }])
    }

    /// `syn` as the rules accept it.
    const SYN: [(&str, &str, Option<&str>, Option<&str>); 2] =
        [("syn", "2.0.119", Some("MIT"), Some(REGISTRY)), ("syn", "3.0.9", Some("MIT"), Some(REGISTRY))];

    #[test]
    fn dependencies_that_keep_to_the_rules_are_no_problem() {
        let own = ("xtask", "0.1.0", Some("Apache-2.0"), None);
        assert_eq!(problems(&[SYN[0], SYN[1], own]), [""; 0]);
    }

    #[test]
    fn each_broken_rule_is_a_problem() {
        for (name, version, licence, source, expected) in [
            ("a", "1.0.0", Some("GPL-3.0-only"), REGISTRY, "a 1.0.0: licence GPL-3.0-only"),
            ("a", "1.0.0", Some("MIT OR"), REGISTRY, "a 1.0.0: licence 'MIT OR' is not an SPDX expression"),
            ("a", "1.0.0", None, REGISTRY, "a 1.0.0: names no licence"),
            ("a", "1.0.0", Some("MIT"), "git+https://github.com/a/a?rev=1#1", "a 1.0.0: comes from git+"),
            (
                "a",
                "1.0.0",
                Some("MIT"),
                "registry+https://other.example/index",
                "a 1.0.0: comes from registry+",
            ),
            ("syn", "20.0.0", Some("MIT"), REGISTRY, "syn is there as 20.0.0 and 3.0.9"),
        ] {
            let found = problems(&[SYN[0], SYN[1], (name, version, licence, Some(source))]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("Cargo.lock: {expected}")), "{found:?}");
        }
        let stale = ["deny.toml: syn@2 is no duplicate any more: remove it from `skip`"];
        assert_eq!(problems(&SYN[1..]), stale);
    }
}
