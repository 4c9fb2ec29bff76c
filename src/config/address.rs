//! The addresses of the service: where the load goes, where its health is asked, and where its metrics are.

use reqwest::Url;

use super::complete::Inference;

/// Schemes of protocols that a locustfile speaks with a client of its own.
const OWN_CLIENT: [&str; 6] = ["grpc", "grpcs", "tcp", "tls", "ws", "wss"];
/// Methods of HTTP, as Locust writes them.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Where each pod serves its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPage {
    /// Whether it is served with TLS.
    pub tls: bool,
    /// The port of the pod.
    pub port: u16,
    /// The path with its query, without the first slash.
    pub path: String,
}

impl PodPage {
    /// Reads `8000/metrics`, `:8000/metrics` or `http://:8000/metrics`; `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let (port, path) = rest.strip_prefix(':').unwrap_or(rest).split_once('/')?;
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0)?;
        let is_path = !path.contains(|c: char| c.is_whitespace() || c == '#');
        is_path.then(|| Self { tls, port, path: path.to_owned() })
    }
}

/// What the driver asks before the load, to see whether the service can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// This address must answer over HTTP.
    Http(String),
    /// This host and port must accept a connection, because nothing is known of the protocol.
    Tcp(String),
}

impl Inference {
    /// The same addresses, written in one way: the scheme in lower case, and exactly one slash between host and path.
    pub(super) fn normalized(mut self) -> Self {
        let url = self.url.trim();
        let url = match url.split_once("://") {
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None => url.to_owned(),
        };
        url.trim_end_matches('/').clone_into(&mut self.url);
        self
    }

    /// What the driver asks before the load.
    pub fn probe(&self) -> Probe {
        let Some(health) = &self.health else {
            return if is_http(&self.url) {
                Probe::Http(format!("{}{}", self.url, self.readiness_path))
            } else {
                Probe::Tcp(authority(&self.url).to_owned())
            };
        };
        if health.starts_with('/') {
            let base = if is_http(&self.url) {
                self.url.clone()
            } else {
                format!("http://{}", authority(&self.url))
            };
            return Probe::Http(format!("{base}{health}"));
        }
        match health.split_once("://") {
            Some((scheme, rest)) if rest.starts_with([':', '/']) => {
                Probe::Http(format!("{}://{}{rest}", scheme.to_ascii_lowercase(), host(&self.url)))
            }
            Some((scheme, rest)) => Probe::Http(format!("{}://{rest}", scheme.to_ascii_lowercase())),
            None => Probe::Http(format!("http://{}:{}", host(&self.url), health.trim_start_matches(':'))),
        }
    }

    /// The path that the probe asks, without its query.
    pub fn probe_path(&self) -> String {
        let path = match self.probe() {
            Probe::Http(url) => Url::parse(&url).map(|url| url.path().to_owned()).ok(),
            Probe::Tcp(_) => None,
        };
        path.unwrap_or_else(|| self.readiness_path.clone())
    }
}

/// What is wrong with the address of the load, and what would be right.
pub(super) fn url_problem(url: &str, primary: &str) -> Option<(String, String)> {
    let wrong = |problem: &str, next: &str| Some((format!("'{url}' {problem}"), next.to_owned()));
    let example = "give one such as http://inference:8000";
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if !is_http(url) {
        match scheme {
            Some(scheme) if !OWN_CLIENT.contains(&scheme) => {
                let next = format!(
                    "give one that begins with http:// or https://, or, for a client of the script's own, {}://",
                    OWN_CLIENT.join("://, ")
                );
                return wrong("is not a URL that Locust can use", &next);
            }
            Some(_) => {}
            None if host_and_port(url) => {}
            None => return wrong("is not a URL", example),
        }
        let method = primary.split(' ').next().unwrap_or_default();
        if METHODS.contains(&method) {
            return wrong(
                &format!("is not for HTTP, but inference.primary is '{primary}'"),
                "begin it with http:// or https://; or name the primary endpoint that the script's own client reports, such as 'grpc /package.Service/Method'",
            );
        }
    }
    let parsed = match scheme {
        Some(_) => Url::parse(url),
        None => Url::parse(&format!("tcp://{url}")),
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(problem) => return wrong(&format!("is not a URL: {problem}"), example),
    };
    if parsed.host_str().is_none_or(str::is_empty) || parsed.port() == Some(0) {
        return wrong("has no host, or port 0", example);
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return wrong(
            "has a query or a fragment, which Locust would put before each path",
            "give only scheme, host, port and perhaps a path; queries belong into the locustfile",
        );
    }
    url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
        .then(|| (format!("'{url}' has a space or another character that no URL has"), example.to_owned()))
}

/// What is wrong with the address of the health page.
pub(super) fn health_problem(inference: &Inference) -> Option<String> {
    let health = inference.health.as_ref()?;
    let is_known = health.starts_with('/')
        || health.starts_with("http://")
        || health.starts_with("https://")
        || PodPage::parse(health).is_some();
    let is_url = match inference.probe() {
        Probe::Http(url) => Url::parse(&url).is_ok_and(|url| {
            url.host_str().is_some_and(|host| !host.is_empty())
                && url.fragment().is_none()
                && url.port() != Some(0)
        }),
        Probe::Tcp(_) => false,
    };
    let is_clean = !health.contains(char::is_whitespace);
    (!(is_known && is_url && is_clean)).then(|| format!("'{health}' is not the address of a health page"))
}

/// What is wrong with the primary endpoint.
pub(super) fn primary_problem(primary: &str) -> Option<String> {
    let Some((method, name)) = primary.split_once(' ') else {
        return Some(format!("'{primary}' names no endpoint"));
    };
    if method.is_empty() || name.is_empty() || name != name.trim() {
        return Some(format!("'{primary}' is not one method, one space and one name"));
    }
    let upper = method.to_ascii_uppercase();
    (METHODS.contains(&upper.as_str()) && upper != method)
        .then(|| format!("'{primary}': Locust writes the method as {upper}"))
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Whether the text is `host:port`, with an IPv6 address in brackets.
fn host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        is_number && port.parse::<u16>().is_ok_and(|port| port > 0) && !host.is_empty() && !host.contains('/')
    })
}

/// Host and port of an address.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host of an address; an IPv6 address keeps its brackets.
fn host(url: &str) -> &str {
    let authority = authority(url);
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;
    use crate::exit::{ExitCode, Result};

    fn inference(yaml: &str) -> Result<Inference> {
        Settings::parse(&format!("{{preset: quick, inference: {{{yaml}}}}}"))?
            .complete()
            .map(|config| config.inference)
    }

    #[test]
    fn exactly_one_slash_stands_between_host_and_path() {
        for (given, kept) in [
            ("http://inference:8000/", "http://inference:8000"),
            ("http://inference:8000///", "http://inference:8000"),
            ("HTTP://inference", "http://inference"),
            ("https://gateway/models/bert/", "https://gateway/models/bert"),
            ("http://[fd00::1]:8000/", "http://[fd00::1]:8000"),
        ] {
            let inference = inference(&format!("url: '{given}'")).unwrap();
            assert_eq!(inference.url, kept);
            assert_eq!(inference.probe(), Probe::Http(format!("{kept}/healthz")));
        }
    }

    #[test]
    fn an_address_that_locust_cannot_use_is_refused_by_its_key() {
        for (url, words) in [
            ("http://", "is not a URL"),
            ("http://svc:99999", "is not a URL"),
            ("http://svc:0", "port 0"),
            ("http://svc/v1?x=1", "a query or a fragment"),
            ("http://svc/#top", "a query or a fragment"),
            ("htp://svc", "is not a URL that Locust can use"),
            ("svc", "is not a URL"),
            ("svc:http", "is not a URL"),
            ("http:/svc", "is not a URL"),
            ("http://a b", "is not a URL"),
            ("grpc://triton:8001", "is not for HTTP, but inference.primary is 'POST /predict'"),
            ("triton:8001", "is not for HTTP"),
        ] {
            let error = inference(&format!("url: '{url}'")).unwrap_err();
            assert_eq!(error.code, ExitCode::Usage);
            assert!(error.message.starts_with("inference.url: ") && error.message.contains(words), "{error}");
            assert!(error.next.is_some());
        }
    }

    #[test]
    fn load_health_and_metrics_may_have_different_ports_paths_and_schemes() {
        let own = "primary: grpc /inference.GRPCInferenceService/ModelInfer";
        for (yaml, probe) in [
            (
                format!("{own}, url: 'grpc://triton:8001', health: 'http://:8000/v2/health/ready'"),
                "http://triton:8000/v2/health/ready",
            ),
            (
                format!("{own}, url: 'triton:8001', health: 8000/v2/health/ready"),
                "http://triton:8000/v2/health/ready",
            ),
            (format!("{own}, url: 'triton:8001', health: 'https://other/ready'"), "https://other/ready"),
            ("url: 'http://gateway/bert', health: /ready".into(), "http://gateway/bert/ready"),
            ("url: 'http://gateway/bert', health: 'http:///ready'".into(), "http://gateway/ready"),
            (
                "url: 'http://[fd00::1]:80', health: ':8080/ready?full=1'".into(),
                "http://[fd00::1]:8080/ready?full=1",
            ),
        ] {
            assert_eq!(inference(&yaml).unwrap().probe(), Probe::Http(probe.into()), "{yaml}");
        }
        let without_health = inference(&format!("{own}, url: 'grpc://triton:8001'")).unwrap();
        assert_eq!(without_health.probe(), Probe::Tcp("triton:8001".into()));
        for health in ["ready", "ftp://:1/x", "'http://:0/x'", "'http://:99999/x'", "'/a b'"] {
            let error = inference(&format!("health: {health}")).unwrap_err();
            assert!(error.message.starts_with("inference.health: "), "{error}");
        }
    }

    #[test]
    fn the_page_of_each_pod_has_a_port_and_a_path() {
        let page = |tls, port, path: &str| Some(PodPage { tls, port, path: path.into() });
        assert_eq!(PodPage::parse("8000/metrics"), page(false, 8000, "metrics"));
        assert_eq!(PodPage::parse("http://:8002/metrics"), page(false, 8002, "metrics"));
        assert_eq!(PodPage::parse("https://:8443/m?x=1"), page(true, 8443, "m?x=1"));
        for wrong in
            ["metrics", "/metrics", "0/metrics", "http/metrics", "http://pod:1/m", "ftp://:1/m", "1/a b"]
        {
            assert_eq!(PodPage::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_primary_endpoint_that_locust_never_writes_is_refused() {
        for primary in ["predict", "' /x'", "'POST  /predict'", "'get /predict'", "'POST '"] {
            let error = inference(&format!("primary: {primary}")).unwrap_err();
            assert!(error.message.starts_with("inference.primary: "), "{error}");
        }
        inference("primary: 'POST /a b'").unwrap();
    }
}
