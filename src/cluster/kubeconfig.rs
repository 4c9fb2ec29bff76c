//! Finds the kubeconfig and chooses a context in it, as kubectl does.

use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use kube::Config;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::proxy::{Proxy, proxy_for};
use crate::wait::with_causes;

/// How to reach an API server, without its credentials.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) config: Config,
    pub(super) proxy: Option<Proxy>,
    /// Who the kubeconfig says that the user is, for messages.
    pub(super) user: String,
}

/// Reads the kubeconfig of the file `named`, or that of the environment, and chooses the context. If neither is named,
/// a pod without a kubeconfig uses its service account.
///
/// # Errors
/// A sentence that says what is missing or wrong.
pub(super) fn find(named: Option<&Path>, context: Option<&str>) -> Result<Reach, String> {
    let is_named = named.is_some() || context.is_some();
    let found = read(named, std::env::var_os("KUBECONFIG").as_deref())
        .and_then(|kubeconfig| choose(kubeconfig, context));
    match found {
        Err(problem) if !is_named => match Config::incluster() {
            Ok(config) => Ok(Reach { config, proxy: None, user: "the pod's service account".into() }),
            Err(_) => Err(problem),
        },
        found => found,
    }
}

/// The merged kubeconfig: of the file `named`, or of the files of the list, or of the user's own file.
fn read(named: Option<&Path>, list: Option<&std::ffi::OsStr>) -> Result<Kubeconfig, String> {
    if let Some(path) = named {
        return read_file(path).map_err(|error| in_file(path, &error));
    }
    let listed: Vec<PathBuf> = list.map(|list| std::env::split_paths(list).collect()).unwrap_or_default();
    let listed: Vec<PathBuf> = listed.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
    if listed.is_empty() {
        // Kubeconfig::read looks at the list again, which is empty.
        return Kubeconfig::read().map(without_empty_names).map_err(|error| match error {
            KubeconfigError::FindPath => {
                "there is no KUBECONFIG, and no HOME to look for .kube/config in".into()
            }
            error => with_causes(&error),
        });
    }
    let (mut merged, mut missing) = (None::<Kubeconfig>, Vec::new());
    for path in &listed {
        match read_file(path) {
            Ok(next) => {
                let both = match merged.take() {
                    Some(first) => first.merge(next),
                    None => Ok(next),
                };
                merged = Some(both.map_err(|error| in_file(path, &error))?);
            }
            // A profile names the files of all machines, and no machine has all of them.
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == std::io::ErrorKind::NotFound => {
                missing.push(path.display().to_string());
            }
            Err(error) => return Err(in_file(path, &error)),
        }
    }
    merged.ok_or_else(|| match missing.as_slice() {
        [only] => format!("the file of KUBECONFIG does not exist: {only}"),
        _ => format!("none of the files of KUBECONFIG exists: {}", missing.join(", ")),
    })
}

fn read_file(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    Kubeconfig::read_from(path).map(without_empty_names)
}

fn in_file(path: &Path, error: &KubeconfigError) -> String {
    format!("kubeconfig {}: {}", path.display(), with_causes(error))
}

/// An empty name is no name: a later file of the list may have one.
fn without_empty_names(mut kubeconfig: Kubeconfig) -> Kubeconfig {
    for name in [&mut kubeconfig.current_context, &mut kubeconfig.kind, &mut kubeconfig.api_version] {
        *name = name.take().filter(|name| !name.is_empty());
    }
    kubeconfig
}

fn choose(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Reach, String> {
    let name = context.map(str::to_owned).or(kubeconfig.current_context);
    let name = name.ok_or("the kubeconfig has no current context")?;
    let known = kubeconfig.contexts.into_iter().find(|known| known.name == name);
    let context = known
        .and_then(|known| known.context)
        .ok_or_else(|| format!("the kubeconfig has no context '{name}'"))?;
    let cluster = kubeconfig.clusters.into_iter().find(|known| known.name == context.cluster);
    let cluster = cluster
        .and_then(|known| known.cluster)
        .ok_or_else(|| format!("context {name}: the kubeconfig has no cluster '{}'", context.cluster))?;
    // kubectl does not ask for a user, either.
    let user = context.user.unwrap_or_default();
    let known = kubeconfig.auth_infos.into_iter().find(|known| known.name == user);
    let mut auth_info = known.and_then(|known| known.auth_info).unwrap_or_default();
    let in_cluster = |problem: String| format!("cluster {}: {problem}", context.cluster);
    name_the_cluster(&mut auth_info, &cluster).map_err(in_cluster)?;
    let (mut config, proxy) = connection(&cluster).map_err(in_cluster)?;
    config.default_namespace =
        context.namespace.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".into());
    config.auth_info = auth_info;
    Ok(Reach { config, proxy, user: format!("user '{user}' of the kubeconfig") })
}

/// What a credential plugin may know of the cluster.
fn name_the_cluster(auth_info: &mut AuthInfo, cluster: &Cluster) -> Result<(), String> {
    if let Some(exec) = auth_info.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(ExecAuthCluster::try_from(cluster).map_err(|error| with_causes(&error))?);
    }
    Ok(())
}

fn connection(cluster: &Cluster) -> Result<(Config, Option<Proxy>), String> {
    let server = cluster.server.as_deref().filter(|server| !server.is_empty()).ok_or("it has no server")?;
    // kubectl takes an address without a scheme, too.
    let full = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let uri: http::Uri = full.parse().map_err(|error| format!("its server is no address: {error}"))?;
    if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("its server is no address of the form https://HOST:PORT".into());
    }
    let variable = |name: &str| std::env::var(name).ok();
    let proxy = proxy_for(&uri, cluster.proxy_url.as_deref(), variable)?;
    let mut config = Config::new(uri);
    config.proxy_url = proxy.as_ref().map(|proxy| proxy.uri.clone());
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    config.root_cert = authority(cluster)?;
    Ok((config, proxy))
}

/// The certificates of the cluster's authority.
fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    let pem = if let Some(data) = cluster.certificate_authority_data.as_ref().filter(|data| !data.is_empty())
    {
        let decoded = serde_json::from_value::<ByteString>(data.trim().into());
        decoded.map_err(|_| "certificate-authority-data is not base64")?.0
    } else if let Some(path) = cluster.certificate_authority.as_ref().filter(|path| !path.is_empty()) {
        std::fs::read(path).map_err(|error| format!("certificate-authority {path}: {error}"))?
    } else {
        return Ok(None);
    };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates: Vec<_> = parsed.unwrap_or_default().iter().map(|der| der.as_ref().to_vec()).collect();
    if certificates.is_empty() {
        return Err("its certificate authority is not a certificate in PEM".into());
    }
    Ok(Some(certificates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn list(paths: &[&Path]) -> OsString {
        std::env::join_paths(paths).unwrap()
    }

    const CLUSTERS: &str = "clusters: [{name: c, cluster: {server: 'https://api.invalid:6443'}}]\n";
    const CONTEXT: &str = "contexts: [{name: x, context: {cluster: c, user: u, namespace: team}}]\n";
    const USERS: &str = "users: [{name: u, user: {token: t}}]\n";

    #[test]
    fn files_of_the_list_that_do_not_exist_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let all = format!("current-context: x\n{CLUSTERS}{CONTEXT}{USERS}");
        let there = write(folder.path(), "there", &all);
        let missing = folder.path().join("missing");
        for paths in
            [[&*there, &*missing], [&*missing, &*there], [Path::new(""), &*there], [&*there, Path::new("")]]
        {
            let reach = read(None, Some(&list(&paths))).and_then(|found| choose(found, None)).unwrap();
            assert_eq!(reach.config.cluster_url, "https://api.invalid:6443/");
            assert_eq!(reach.config.default_namespace, "team");
        }
    }

    #[test]
    fn a_list_of_which_no_file_exists_is_refused_with_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let error = read(None, Some(&list(&[&one, &two]))).unwrap_err();
        assert!(error.contains("/one") && error.contains("/two"), "{error}");
        let error = read(Some(&one), None).unwrap_err();
        assert!(error.contains("/one"), "the file of --kubeconfig must exist: {error}");
    }

    #[test]
    fn context_cluster_and_user_may_stand_in_different_files_and_an_empty_name_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let one = write(folder.path(), "one", &format!("current-context: ''\n{USERS}"));
        let two =
            write(folder.path(), "two", &format!("{CLUSTERS}users: [{{name: u, user: {{token: other}}}}]\n"));
        let three = write(folder.path(), "three", &format!("current-context: x\n{CONTEXT}"));
        let merged = read(None, Some(&list(&[&one, &two, &three]))).unwrap();
        let reach = choose(merged, None).unwrap();
        assert_eq!(reach.user, "user 'u' of the kubeconfig");
        let token = serde_json::to_value(&reach.config.auth_info).unwrap()["token"].clone();
        assert_eq!(token, "t", "the first file that has a name wins");
    }

    #[test]
    fn a_damaged_file_of_the_list_is_an_error_and_not_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let damaged = write(folder.path(), "damaged", "contexts: {");
        let there = write(folder.path(), "there", CLUSTERS);
        let error = read(None, Some(&list(&[&there, &damaged]))).unwrap_err();
        assert!(error.contains("/damaged"), "{error}");
    }

    #[test]
    fn what_the_kubeconfig_lacks_is_named() {
        let parse = |text: &str| without_empty_names(Kubeconfig::from_yaml(text).unwrap());
        for (text, context, words) in [
            (String::new(), None, "no current context"),
            (CONTEXT.to_owned(), Some("y"), "no context 'y'"),
            (CONTEXT.to_owned(), Some("x"), "no cluster 'c'"),
            (
                format!("{CONTEXT}clusters: [{{name: c, cluster: {{}}}}]"),
                Some("x"),
                "cluster c: it has no server",
            ),
            (
                format!(
                    "{CONTEXT}clusters: [{{name: c, cluster: {{server: 'https://a', proxy-url: 'ftp://p'}}}}]"
                ),
                Some("x"),
                "cluster c: proxy-url has a scheme",
            ),
            (
                format!(
                    "{CONTEXT}clusters: [{{name: c, cluster: {{server: 'https://a', certificate-authority-data: AAAA}}}}]"
                ),
                Some("x"),
                "not a certificate",
            ),
        ] {
            let error = choose(parse(&text), context).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
