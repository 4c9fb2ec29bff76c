//! What a program in a container would see and a process does not: 0.0.0.0 as its own address, mounted
//! folders, the names of services. They are put into its arguments and variables as text.
//!
//! What stands inside a program's own code is out of reach of this.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// What to put in for what, in one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Substitution {
    /// Stands for 0.0.0.0.
    pub(super) address: Option<Ipv4Addr>,
    /// Folders by mount path.
    pub(super) mounts: BTreeMap<String, PathBuf>,
    /// Addresses by every name that a service has for this pod.
    pub(super) names: BTreeMap<String, Ipv4Addr>,
}

/// Words in the name of an option or a variable that announce a host.
const HOST_WORDS: [&str; 11] =
    ["host", "addr", "server", "url", "uri", "endpoint", "target", "upstream", "connect", "peer", "join"];

/// All names by which pods of `namespace` know the service `name` of namespace `its`.
pub(super) fn names_of(name: &str, its: &str, namespace: &str) -> Vec<String> {
    let longer = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{name}.{its}{end}"));
    let short = (its == namespace).then(|| name.to_owned());
    short.into_iter().chain(longer).collect()
}

impl Substitution {
    /// The arguments of a program. A bare name is replaced behind an option that speaks of a host.
    pub(super) fn arguments(&self, arguments: &[String]) -> Vec<String> {
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

    /// A value, given to an option or a variable of this name.
    pub(super) fn value(&self, name: &str, value: &str) -> String {
        let name = name.to_lowercase();
        if HOST_WORDS.iter().any(|word| name.contains(word))
            && let Some(address) = self.names.get(value)
        {
            return address.to_string();
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

    /// Text of any kind, such as a mounted file: names of services in URLs.
    pub(super) fn text(&self, text: &str) -> String {
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

    /// `[user@]host[:port]`.
    fn authority(&self, authority: &str) -> String {
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, place) = authority.split_at(at);
        let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
        match self.names.get(host.trim_end_matches('.')) {
            Some(address) => format!("{user}{address}{port}"),
            None => authority.to_owned(),
        }
    }

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

    /// Mount paths, where a path begins: at the start, or behind something that is part of no path.
    fn paths(&self, value: &str) -> String {
        let mut result = String::new();
        let mut rest = value;
        'next: while !rest.is_empty() {
            let begins = !result.ends_with(|c: char| c.is_alphanumeric() || "._-/~$".contains(c));
            // The longest first: a folder may be mounted inside another.
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
    fn a_program_listens_on_its_own_address() {
        assert_eq!(arguments("--host 0.0.0.0 --port 8000"), "--host 127.64.0.5 --port 8000");
        assert_eq!(arguments("--bind=0.0.0.0:80"), "--bind=127.64.0.5:80");
        assert_eq!(arguments("10.0.0.0.0 0.0.0.01 0.0.0.0.0"), "10.0.0.0.0 0.0.0.01 0.0.0.0.0");
    }

    #[test]
    fn a_service_s_name_is_replaced_where_a_host_stands() {
        assert_eq!(arguments("--master-host locust-master"), "--master-host 127.64.128.1");
        assert_eq!(arguments("--master-host=locust-master"), "--master-host=127.64.128.1");
        assert_eq!(arguments("inference:8000 inference:x"), "127.64.128.1:8000 inference:x");
        assert_eq!(arguments("--to http://inference:8000/a"), "--to http://127.64.128.1:8000/a");
        assert_eq!(arguments("http://u:p@inference.default.svc/"), "http://u:p@127.64.128.1/");
        assert_eq!(arguments("tcp://other.elsewhere.svc.cluster.local:1"), "tcp://127.64.128.1:1");
    }

    #[test]
    fn the_same_word_elsewhere_is_left_alone() {
        for line in
            ["--deployment inference", "inference", "http://inference2:1/", "--url x/inference", "other:1"]
        {
            assert_eq!(arguments(line), line);
        }
        assert_eq!(substitution().value("APP", "inference"), "inference");
        assert_eq!(substitution().value("MASTER_HOST", "locust-master"), "127.64.128.1");
    }

    #[test]
    fn a_file_s_text_changes_in_urls_only() {
        let text = "inference:\n  url: http://inference:8000\n  # \"http://inference\"\n";
        let expected = "inference:\n  url: http://127.64.128.1:8000\n  # \"http://127.64.128.1\"\n";
        assert_eq!(substitution().text(text), expected);
    }

    #[test]
    fn a_mounted_folder_is_found_as_a_whole_prefix() {
        assert_eq!(arguments("-f /mnt/locust/locustfile.py"), "-f /s/scripts/locustfile.py");
        assert_eq!(
            arguments("/tmp /tmp/x /tmp/in/x /tmpfile /a/tmp"),
            "/s/tmp /s/tmp/x /s/in/x /tmpfile /a/tmp"
        );
        assert_eq!(arguments("--dir=/tmp:/mnt/locust"), "--dir=/s/tmp:/s/scripts");
        assert_eq!(arguments("http://host/tmp"), "http://host/tmp");
    }
}
