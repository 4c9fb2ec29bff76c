//! The flags of `--cluster existing`.

use crate::failure::{Failure, USAGE};

/// The flags that only `--cluster existing` has.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Existing cluster")]
pub(crate) struct ExistingFlags {
    /// Context of the kubeconfig; required, so that no other cluster is used by mistake
    #[arg(long, value_name = "NAME")]
    pub(in crate::e2e) context: Option<String>,
    /// Namespace [default: the context's own]
    #[arg(long, value_name = "NAME")]
    pub(in crate::e2e) namespace: Option<String>,
    /// Image of the driver that the cluster can pull
    #[arg(long, value_name = "IMAGE")]
    pub(in crate::e2e) driver_image: Option<String>,
    /// Image of the stub that the cluster can pull
    #[arg(long, value_name = "IMAGE")]
    pub(in crate::e2e) stub_image: Option<String>,
    /// Push the images that are built here with this prefix, for example registry.example/team
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::e2e) registry: Option<String>,
    /// Deploy the stub as well, as the service to load
    #[arg(long)]
    pub(in crate::e2e) stub: bool,
    /// Request little CPU and memory, for a cluster on one machine
    #[arg(long, requires = "stub")]
    pub(in crate::e2e) small: bool,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long)]
    pub(in crate::e2e) yes: bool,
}

impl ExistingFlags {
    /// Refuses flags that do not belong together, so that only a cluster that was named is changed.
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
                    &format!("{flag}: only for a cluster that exists already"),
                    "add --cluster existing, or leave this flag out",
                ),
                None => Ok(()),
            };
        }
        if self.context.as_ref().is_none_or(String::is_empty) {
            return refuse(
                "--cluster existing: no cluster is named",
                "add --context NAME; `kubectl config get-contexts` lists the contexts",
            );
        }
        if self.registry.is_none() && self.driver_image.is_none() {
            return refuse(
                "--cluster existing: no image of the driver that it can pull is named",
                "add --registry PREFIX to push the image that is built here, or --driver-image IMAGE",
            );
        }
        if self.stub && self.registry.is_none() && self.stub_image.is_none() {
            return refuse(
                "--stub: no image of the stub that the cluster can pull is named",
                "add --registry PREFIX to push the image that is built here, or --stub-image IMAGE",
            );
        }
        Ok(())
    }

    /// A description of the cluster, and the driver's flags that select it.
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
    fn an_existing_cluster_needs_a_context_and_images_that_it_can_pull() {
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
    fn flags_for_an_existing_cluster_are_refused_for_other_clusters() {
        assert!(ExistingFlags::default().check(false).is_ok());
        let failure = ExistingFlags { yes: true, ..ExistingFlags::default() }.check(false).unwrap_err();
        assert!(failure.what.starts_with("--yes"), "{failure:?}");
    }

    #[test]
    fn the_namespace_is_shown_and_passed_to_the_driver() {
        let named = ExistingFlags { namespace: Some("n".into()), ..flags() };
        assert_eq!(named.describe().0, "context c, namespace n");
        assert_eq!(named.describe().1, ["--context", "c", "--namespace", "n"]);
        assert_eq!(flags().describe().1, ["--context", "c"]);
    }
}
