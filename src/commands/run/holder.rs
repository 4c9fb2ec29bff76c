//! The name of this driver on the Lease.

/// A name that no other process has: the machine and the process, for people, and a random part. Process ids are
/// equal in different containers, and used again.
pub(super) fn unique_holder() -> String {
    let random = uuid::Uuid::now_v7().simple().to_string();
    // The end of such an id is random; its beginning is the time.
    let random = random.get(20..).unwrap_or_default();
    format!("{}-{}-{random}", host_name().unwrap_or_else(|| "driver".into()), std::process::id())
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_drivers_never_have_the_same_name() {
        let (one, other) = (unique_holder(), unique_holder());
        assert_ne!(one, other);
        assert!(one.contains(&format!("-{}-", std::process::id())), "{one}");
    }
}
