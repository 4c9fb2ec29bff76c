//! Locust's names.

/// Its name in messages.
pub(super) const NAME: &str = "Locust";
/// The product name in the header `User-Agent` that the locustfile of the manifests sets.
pub(super) const CALLER: &str = "locust";
