//! The proxy on the way to the API server, chosen as kubectl chooses it.
//!
//! `proxy-url` of the kubeconfig is always used. Otherwise `HTTPS_PROXY` is, or `HTTP_PROXY` if the server has no
//! TLS, unless `NO_PROXY` excludes the server. A loopback address is never reached through a proxy of the
//! environment. These are the rules of Go's `httpproxy`, with the networks that Kubernetes adds to `NO_PROXY`.

use std::net::IpAddr;

use http::Uri;

/// A proxy, and the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) uri: Uri,
    /// `proxy-url` or the name of a variable.
    pub(super) named_by: &'static str,
}

/// The proxy for this server. `configured` is `proxy-url` of the kubeconfig, and `variable` reads the environment.
///
/// # Errors
/// A sentence that names the setting: its value is no address of a proxy.
pub(super) fn proxy_for(
    server: &Uri,
    configured: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, String> {
    if let Some(text) = configured.filter(|text| !text.is_empty()) {
        return parse(text, "proxy-url").map(Some);
    }
    let names = match server.scheme_str() {
        Some("http") => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let set = |name: &'static str| variable(name).filter(|text| !text.is_empty()).map(|text| (name, text));
    let Some((name, text)) = names.into_iter().find_map(set) else { return Ok(None) };
    let excluded = ["NO_PROXY", "no_proxy"].into_iter().find_map(set).map(|(_, text)| text);
    if is_direct(server, excluded.as_deref().unwrap_or_default()) {
        return Ok(None);
    }
    parse(&text, name).map(Some)
}

fn parse(text: &str, named_by: &'static str) -> Result<Proxy, String> {
    let with_scheme = |uri: &Uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty());
    let uri = text.trim().parse().ok().filter(with_scheme);
    // An address without a scheme is common in these variables.
    let uri = uri.or_else(|| {
        let full = (!text.contains("://")).then(|| format!("http://{}", text.trim()))?;
        full.parse().ok().filter(with_scheme)
    });
    let wrong = || format!("{named_by} is not the address of a proxy; write one such as http://proxy:3128");
    let mut parts = uri.ok_or_else(wrong)?.into_parts();
    parts.scheme = match parts.scheme.as_ref().map(http::uri::Scheme::as_str) {
        Some("http" | "https" | "socks5") => parts.scheme,
        // Both let the proxy look up the name.
        Some("socks5h") => "socks5".parse().ok(),
        _ => return Err(format!("{named_by} has a scheme that is none of http, https and socks5")),
    };
    Uri::from_parts(parts).map(|uri| Proxy { uri, named_by }).map_err(|_| wrong())
}

/// Whether a server is reached without the proxy of the environment.
fn is_direct(server: &Uri, excluded: &str) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return true;
    }
    excluded.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return address.is_some_and(|address| is_in(address, network, bits));
        }
        let (name, wanted) = host_and_port(&entry);
        if wanted.is_some_and(|wanted| wanted != port) || name.is_empty() {
            return false;
        }
        match (name.parse::<IpAddr>(), address) {
            (Ok(excluded), Some(address)) => excluded.to_canonical() == address.to_canonical(),
            (Err(_), None) => is_domain(&host, name),
            _ => false,
        }
    })
}

/// `example.org` is the domain and all below it; `.example.org` and `*.example.org` are only those below it.
fn is_domain(host: &str, entry: &str) -> bool {
    let (domain, itself) = match entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')) {
        Some(domain) => (domain, false),
        None => (entry, true),
    };
    match host.strip_suffix(domain) {
        Some("") => itself,
        Some(before) => before.ends_with('.'),
        None => false,
    }
}

/// An entry without its port. An IPv6 address has a port only if it stands in brackets.
fn host_and_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, port.parse().ok()),
        _ => (entry, None),
    }
}

/// Whether an address is in a network, such as `10.0.0.0/8`.
fn is_in(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same = |a: u128, b: u128, width: u32| {
        bits <= width && a.checked_shr(width - bits).unwrap_or(0) == b.checked_shr(width - bits).unwrap_or(0)
    };
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, configured: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxy = proxy_for(&server.parse().unwrap(), configured, variable).unwrap();
        proxy.map(|proxy| proxy.uri.to_string())
    }

    #[test]
    fn the_kubeconfig_comes_first_then_the_variable_of_the_scheme() {
        let variables = [("HTTPS_PROXY", "http://tls:1"), ("HTTP_PROXY", "http://plain:1")];
        let server = "https://api.example:6443";
        assert_eq!(chosen(server, None, &variables).as_deref(), Some("http://tls:1/"));
        assert_eq!(chosen("http://api.example", None, &variables).as_deref(), Some("http://plain:1/"));
        assert_eq!(chosen(server, Some("socks5://s:1080"), &variables).as_deref(), Some("socks5://s:1080/"));
        assert_eq!(chosen(server, Some("socks5h://s:1080"), &[]).as_deref(), Some("socks5://s:1080/"));
        assert_eq!(
            chosen(server, None, &[("https_proxy", "proxy:3128")]).as_deref(),
            Some("http://proxy:3128/")
        );
        assert_eq!(chosen(server, Some(""), &[("HTTPS_PROXY", ""), ("https_proxy", "")]), None);
    }

    #[test]
    fn a_loopback_server_has_no_proxy_of_the_environment_but_that_of_the_kubeconfig() {
        for server in
            ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443", "https://127.9.9.9"]
        {
            assert_eq!(chosen(server, None, &[("HTTPS_PROXY", "http://p:1")]), None, "{server}");
            // A tunnel to a jump host, at whose end the address is that of the jump host.
            assert!(chosen(server, Some("socks5://p:1"), &[]).is_some());
        }
    }

    #[test]
    fn no_proxy_excludes_names_addresses_networks_and_ports() {
        for (server, no_proxy, direct) in [
            ("https://api.example.org", "example.org", true),
            ("https://example.org", "example.org", true),
            ("https://badexample.org", "example.org", false),
            ("https://example.org", ".example.org", false),
            ("https://a.example.org", "*.example.org", true),
            ("https://A.Example.org", " b , EXAMPLE.org", true),
            ("https://a.example.org:6443", "example.org:6443", true),
            ("https://a.example.org", "example.org:6443", false),
            ("https://a.example.org", "example.org:443", true),
            ("https://10.2.3.4:6443", "10.0.0.0/8", true),
            ("https://11.2.3.4:6443", "10.0.0.0/8", false),
            ("https://10.2.3.4:6443", "10.2.3.4", true),
            ("https://10.2.3.4:6443", "2.3.4", false),
            ("https://[fd00::5]:6443", "fd00::/16", true),
            ("https://[fd00::5]:6443", "[fd00::5]:6443", true),
            ("https://[fd00::5]:6443", "fd00::5", true),
            ("https://[fe00::5]:6443", "fd00::/16", false),
            ("https://anything", "*", true),
            ("https://anything", ",,a,", false),
            ("https://0.0.0.1", "0.0.0.0/0", true),
            ("https://10.2.3.4", "10.0.0.0/99", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)];
            assert_eq!(chosen(server, None, &variables).is_none(), direct, "{server} and {no_proxy}");
        }
    }

    #[test]
    fn an_address_that_is_no_proxy_is_refused_by_the_name_of_its_setting() {
        let server = "https://api.example".parse().unwrap();
        let of = |text: &str| proxy_for(&server, None, |name| (name == "HTTPS_PROXY").then(|| text.into()));
        assert!(of("ftp://p:1").unwrap_err().starts_with("HTTPS_PROXY has a scheme"));
        assert!(of("http://").unwrap_err().starts_with("HTTPS_PROXY is not"));
        let configured = proxy_for(&server, Some("quic://p"), |_| None);
        assert!(configured.unwrap_err().starts_with("proxy-url has a scheme"));
    }
}
