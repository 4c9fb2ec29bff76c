//! Keeps credentials out of messages.

use std::error::Error;

use kube::config::KubeconfigError;

/// Whether an address has a user or a password in it, as in `http://user:password@host`.
pub fn has_credentials(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    authority(rest).contains('@')
}

/// The text with `…` instead of user and password in each address.
pub fn hide_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let user_end = authority(part).rfind('@').unwrap_or(0);
        hidden += if user_end > 0 { "://…" } else { "://" };
        hidden += &part[user_end..];
    }
    hidden
}

/// The part of an address before its path, query and fragment, or before the end of the word.
fn authority(address: &str) -> &str {
    let is_end = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>') || c.is_whitespace();
    address.split(is_end).next().unwrap_or_default()
}

/// Other words for an error whose text and causes quote secrets. `None` if the error does not quote any.
pub(crate) fn without_secrets(error: &(dyn Error + 'static)) -> Option<String> {
    // It quotes the lines around the mistake.
    let KubeconfigError::Parse(error) = error.downcast_ref::<KubeconfigError>()? else { return None };
    let line = error.location().map(|location| format!(", see line {}", location.line()));
    Some(format!("it is not a kubeconfig{}", line.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_user_or_password_is_recognised() {
        for address in ["http://u:p@h", "https://token@h:8000/x", "u:p@h", "ftp://u:p/w@h"] {
            let is_cut_off = address == "ftp://u:p/w@h";
            assert_eq!(has_credentials(address), !is_cut_off, "{address}");
        }
        for address in ["http://h", "http://h:8000/a@b", "http://h?mail=a@b", "h"] {
            assert!(!has_credentials(address), "{address}");
        }
    }

    #[test]
    fn only_the_credentials_of_addresses_are_hidden() {
        for (text, hidden) in [
            ("cluster https://u:p@h:6443/ is away", "cluster https://…@h:6443/ is away"),
            ("a http://t@h, b \"http://u:p@q@h\"", "a http://…@h, b \"http://…@h\""),
            ("http://h/a@b and me@example.org", "http://h/a@b and me@example.org"),
            ("no address", "no address"),
        ] {
            assert_eq!(hide_credentials(text), hidden);
        }
    }
}
