//! The flags that choose images which are not built here.

#[derive(Debug, clap::Args)]
pub(crate) struct ImageFlags {
    /// Node image for kind [default: the one in versions.toml for this kind]
    #[arg(long, value_name = "IMAGE", env = "KIND_NODE_IMAGE")]
    pub(crate) node_image: Option<String>,
    /// Image of Locust [default: locustio/locust of the version in versions.toml]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) locust_image: Option<String>,
}
