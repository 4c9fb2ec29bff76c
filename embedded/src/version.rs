//! The version of Kubernetes whose API this server imitates.

/// Major and minor version.
pub(crate) const VERSION: &str = "1.34";

/// The full version, as servers and kubelets report it.
pub(crate) fn full() -> String {
    format!("v{VERSION}.0")
}
