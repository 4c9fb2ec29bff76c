//! The flags of `--cluster existing`.

use crate::failure::{Failure, USAGE};

/// The flags that only `--cluster existing` has.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Existing cluster")]
pub(crate) struct ExistingFlags {
    /// Context of the kubeconfig; needed, so that it is never the wrong one by chance
    #[arg(long, value_name = "NAME")]
    pub(in crate::e2e) context: Option<String>,
    /// Namespace [default: the context's own]
    #[arg(long, value_name = "NAME")]
    pub(in crate::e2e) namespace: Option<String>,
    /// Image of the driver, where the cluster can pull it
    #[arg(long, value_name = "IMAGE")]
    pub(in crate::e2e) driver_image: Option<String>,
    /// Image of the stub, where the cluster can pull it
    #[arg(long, value_name = "IMAGE")]
    pub(in crate::e2e) stub_image: Option<String>,
    /// Push the images built here below this, for example registry.example/team
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::e2e) registry: Option<String>,
    /// Deploy the stub too, in the service's place
    #[arg(long)]
    pub(in crate::e2e) stub: bool,
    /// Ask for little CPU and memory, for a cluster on one machine
    #[arg(long, requires = "stub")]
    pub(in crate::e2e) small: bool,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long)]
    pub(in crate::e2e) yes: bool,
}

impl ExistingFlags {
    /// Nothing of a cluster that was not asked for by name is touched.
    pub(in crate::e2e) fn check(&self, existing: bool) -> Result<(), Failure> {
        let refuse = |what: &str, next: &str| Err(Failure::new(USAGE, what, next));
        if !existing {
            let given = [
                (self.context.is_some(), "--context"),
                (self.namespace.is_some(), "--namespace"),
                (self.driver_image.is_some(), "--driver-image"),
                (self.stub_image.is_some(), "--stub-image"),
                (self.registry.is_some(), "--registry"),
                (self.small, "--small"),
                (self.stub, "--stub"),
                (self.yes, "--yes"),
            ];
            return match given.into_iter().find(|(given, _)| *given) {
                Some((_, flag)) => refuse(
                    &format!("{flag}: is for a cluster that is there already"),
                    "add --cluster existing, or leave it out",
                ),
                None => Ok(()),
            };
        }
        if self.context.as_ref().is_none_or(String::is_empty) {
            return refuse(
                "--cluster existing: which one is not said",
                "add --context NAME; `kubectl config get-contexts` lists what there is",
            );
        }
        if self.registry.is_none() && self.driver_image.is_none() {
            return refuse(
                "--cluster existing: where it can pull the driver's image is not said",
                "add --registry PREFIX to push the image built here, or --driver-image IMAGE",
            );
        }
        if self.stub && self.registry.is_none() && self.stub_image.is_none() {
            return refuse(
                "--stub: where the cluster can pull its image is not said",
                "add --registry PREFIX to push the image built here, or --stub-image IMAGE",
            );
        }
        Ok(())
    }

    /// The cluster, for people and as the driver's flags.
    pub(in crate::e2e) fn describe(&self) -> (String, Vec<String>) {
        let context = self.context.clone().unwrap_or_default();
        let mut flags = vec!["--context".to_owned(), context.clone()];
        let namespace = match &self.namespace {
            Some(namespace) => {
                flags.extend(["--namespace".to_owned(), namespace.clone()]);
                namespace.as_str()
            }
            None => "the context's own",
        };
        (format!("context {context}, namespace {namespace}"), flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> ExistingFlags {
        ExistingFlags {
            context: Some("c".into()),
            registry: Some("r.example/team/".into()),
            ..ExistingFlags::default()
        }
    }

    #[test]
    fn a_cluster_is_named_and_its_images_can_be_pulled() {
        assert!(flags().check(true).is_ok());
        assert!(ExistingFlags { stub: true, ..flags() }.check(true).is_ok());
        for (wrong, word) in [
            (ExistingFlags { context: None, ..flags() }, "--context"),
            (ExistingFlags { context: Some(String::new()), ..flags() }, "--context"),
            (ExistingFlags { registry: None, ..flags() }, "--driver-image"),
            (
                ExistingFlags { registry: None, driver_image: Some("d".into()), stub: true, ..flags() },
                "--stub-image",
            ),
        ] {
            let failure = wrong.check(true).unwrap_err();
            assert_eq!(failure.code, USAGE);
            assert!(failure.next.contains(word), "{failure:?}");
        }
    }

    #[test]
    fn its_flags_are_refused_where_they_would_do_nothing() {
        assert!(ExistingFlags::default().check(false).is_ok());
        let failure = ExistingFlags { yes: true, ..ExistingFlags::default() }.check(false).unwrap_err();
        assert!(failure.what.starts_with("--yes"), "{failure:?}");
    }

    #[test]
    fn the_namespace_is_shown_and_passed_on() {
        let named = ExistingFlags { namespace: Some("n".into()), ..flags() };
        assert_eq!(named.describe().0, "context c, namespace n");
        assert_eq!(named.describe().1, ["--context", "c", "--namespace", "n"]);
        assert_eq!(flags().describe().1, ["--context", "c"]);
    }
}
