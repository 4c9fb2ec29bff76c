//! Replaces text in the arguments and variables of a program.
//!
//! A program in a container has its own network and file system. A process here has not. So 0.0.0.0, and `::` or
//! `*` where a host is expected, are replaced by the pod's address, mount paths by the folders of the volumes, and names of services by their
//! addresses. Text inside a program's own code cannot be replaced.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// The replacements for one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Substitution {
    /// The address that replaces 0.0.0.0, and `::` or `*` where a host is expected.
    pub(crate) address: Option<Ipv4Addr>,
    /// Folders, by mount path.
    pub(crate) mounts: BTreeMap<String, PathBuf>,
    /// Addresses of services, by every name under which this pod can reach them.
    pub(crate) names: BTreeMap<String, Ipv4Addr>,
}

/// If the name of an option or a variable contains one of these words, its value may be a host.
const HOST_WORDS: [&str; 11] =
    ["host", "addr", "server", "url", "uri", "endpoint", "target", "upstream", "connect", "peer", "join"];

/// All names under which pods in `namespace` can reach the service `name` in `its_namespace`.
pub(crate) fn names_of(name: &str, its_namespace: &str, namespace: &str) -> Vec<String> {
    let longer = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{name}.{its_namespace}{end}"));
    let short = (its_namespace == namespace).then(|| name.to_owned());
    short.into_iter().chain(longer).collect()
}

impl Substitution {
    /// Replaces in the arguments of a program. A bare name of a service is replaced only after an option for
    /// a host.
    pub(crate) fn arguments(&self, arguments: &[String]) -> Vec<String> {
        let mut option = "";
        let mut replaced = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let text = match argument.split_once('=').filter(|(name, _)| name.starts_with('-')) {
                Some((name, value)) => format!("{name}={}", self.value(name, value)),
                None => self.value(option, argument),
            };
            option = if argument.starts_with('-') && !argument.contains('=') { argument } else { "" };
            replaced.push(text);
        }
        replaced
    }

    /// Replaces in the value of the option or variable `name`.
    pub(crate) fn value(&self, name: &str, value: &str) -> String {
        let name = name.to_lowercase();
        if HOST_WORDS.iter().any(|word| name.contains(word)) {
            let any = self.address.as_ref().filter(|_| matches!(value, "::" | "[::]" | "*"));
            if let Some(address) = self.names.get(value).or(any) {
                return address.to_string();
            }
        }
        if let Some((host, port)) = value.split_once(':')
            && !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(address) = self.names.get(host)
        {
            return format!("{address}:{port}");
        }
        self.paths(&self.any_address(&self.text(value)))
    }

    /// Replaces names of services in URLs. For any text, such as a mounted file.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("://") {
            let (before, after) = rest.split_at(at + 3);
            result.push_str(before);
            let end = after.find(|c: char| "/?#\"'`<>,;|)]}\\".contains(c) || c.is_whitespace());
            let (authority, tail) = after.split_at(end.unwrap_or(after.len()));
            result.push_str(&self.authority(authority));
            rest = tail;
        }
        result.push_str(rest);
        result
    }

    /// Replaces the host in `[user@]host[:port]`.
    fn authority(&self, authority: &str) -> String {
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, host_and_port) = authority.split_at(at);
        let (host, port) = host_and_port.split_at(host_and_port.find(':').unwrap_or(host_and_port.len()));
        match self.names.get(host.trim_end_matches('.')) {
            Some(address) => format!("{user}{address}{port}"),
            None => authority.to_owned(),
        }
    }

    /// Replaces 0.0.0.0, but not as a part of a longer number.
    fn any_address(&self, value: &str) -> String {
        const ANY: &str = "0.0.0.0";
        let Some(address) = self.address else { return value.to_owned() };
        let part_of_number = |c: char| c.is_ascii_digit() || c == '.';
        let mut result = String::new();
        let mut rest = value;
        while let Some(at) = rest.find(ANY) {
            let (before, after) = (&rest[..at], &rest[at + ANY.len()..]);
            let last = before.chars().next_back().or_else(|| result.chars().next_back());
            let whole = !last.is_some_and(part_of_number) && !after.starts_with(part_of_number);
            result.push_str(before);
            result.push_str(&if whole { address.to_string() } else { ANY.to_owned() });
            rest = after;
        }
        result.push_str(rest);
        result
    }

    /// Replaces mount paths at the start of the value and after characters that cannot be part of a path.
    fn paths(&self, value: &str) -> String {
        let mut result = String::new();
        let mut rest = value;
        'next: while !rest.is_empty() {
            let begins = !result.ends_with(|c: char| c.is_alphanumeric() || "._-/~$".contains(c));
            // The longest mount path first, because one folder may be mounted inside another.
            for (mount, folder) in self.mounts.iter().rev().filter(|_| begins && rest.starts_with('/')) {
                let mount = mount.trim_end_matches('/');
                let Some(after) = rest.strip_prefix(mount).filter(|_| !mount.is_empty()) else { continue };
                if !after.starts_with(|c: char| c.is_alphanumeric() || "._-~".contains(c)) {
                    result.push_str(&folder.display().to_string());
                    rest = after;
                    continue 'next;
                }
            }
            let mut characters = rest.chars();
            result.extend(characters.next());
            rest = characters.as_str();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substitution() -> Substitution {
        let names = names_of("locust-master", "default", "default")
            .into_iter()
            .chain(names_of("inference", "default", "default"))
            .chain(names_of("other", "elsewhere", "default"));
        Substitution {
            address: Some(Ipv4Addr::new(127, 64, 0, 5)),
            mounts: [("/tmp", "/s/tmp"), ("/tmp/in", "/s/in"), ("/mnt/locust", "/s/scripts")]
                .map(|(mount, folder)| (mount.to_owned(), PathBuf::from(folder)))
                .into(),
            names: names.map(|name| (name, Ipv4Addr::new(127, 64, 128, 1))).collect(),
        }
    }

    fn arguments(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        substitution().arguments(&words).join(" ")
    }

    #[test]
    fn the_any_address_becomes_the_pod_s_address() {
        assert_eq!(arguments("--host 0.0.0.0 --port 8000"), "--host 127.64.0.5 --port 8000");
        assert_eq!(arguments("--bind=0.0.0.0:80"), "--bind=127.64.0.5:80");
        assert_eq!(
            arguments("--host :: --web-host * --bind-addr=[::]"),
            "--host 127.64.0.5 --web-host 127.64.0.5 --bind-addr=127.64.0.5"
        );
        assert_eq!(arguments("--tags * -f a::b :: *"), "--tags * -f a::b :: *", "these are no hosts");
        assert_eq!(arguments("10.0.0.0.0 0.0.0.01 0.0.0.0.0"), "10.0.0.0.0 0.0.0.01 0.0.0.0.0");
    }

    #[test]
    fn the_name_of_a_service_is_replaced_where_a_host_is_expected() {
        assert_eq!(arguments("--master-host locust-master"), "--master-host 127.64.128.1");
        assert_eq!(arguments("--master-host=locust-master"), "--master-host=127.64.128.1");
        assert_eq!(arguments("inference:8000 inference:x"), "127.64.128.1:8000 inference:x");
        assert_eq!(arguments("--to http://inference:8000/a"), "--to http://127.64.128.1:8000/a");
        assert_eq!(arguments("http://u:p@inference.default.svc/"), "http://u:p@127.64.128.1/");
        assert_eq!(arguments("tcp://other.elsewhere.svc.cluster.local:1"), "tcp://127.64.128.1:1");
    }

    #[test]
    fn the_same_word_in_other_places_stays() {
        for line in
            ["--deployment inference", "inference", "http://inference2:1/", "--url x/inference", "other:1"]
        {
            assert_eq!(arguments(line), line);
        }
        assert_eq!(substitution().value("APP", "inference"), "inference");
        assert_eq!(substitution().value("MASTER_HOST", "locust-master"), "127.64.128.1");
    }

    #[test]
    fn in_files_only_urls_are_changed() {
        let text = "inference:\n  url: http://inference:8000\n  # \"http://inference\"\n";
        let expected = "inference:\n  url: http://127.64.128.1:8000\n  # \"http://127.64.128.1\"\n";
        assert_eq!(substitution().text(text), expected);
    }

    #[test]
    fn a_mount_path_is_replaced_only_as_a_whole() {
        assert_eq!(arguments("-f /mnt/locust/locustfile.py"), "-f /s/scripts/locustfile.py");
        assert_eq!(
            arguments("/tmp /tmp/x /tmp/in/x /tmpfile /a/tmp"),
            "/s/tmp /s/tmp/x /s/in/x /tmpfile /a/tmp"
        );
        assert_eq!(arguments("--dir=/tmp:/mnt/locust"), "--dir=/s/tmp:/s/scripts");
        assert_eq!(arguments("http://host/tmp"), "http://host/tmp");
    }
}
