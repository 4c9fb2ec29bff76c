//! Rules for names, labels and other metadata.

use serde_json::Value;

use super::causes::{Causes, required};
use crate::kinds::Kind;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SERVICE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SEGMENT: &str = "may not be '.' or '..', and may not contain '/' or '%'";
const LABEL_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Largest total length of all annotations of an object, in bytes.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// Checks the metadata of an object.
pub(crate) fn metadata(kind: &Kind, object: &Value, causes: &mut Causes) {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() && metadata["generateName"].as_str().unwrap_or_default().is_empty() {
        causes.push(("metadata.name".into(), "Required value: name or generateName is required".into()));
    } else if !name.is_empty() {
        let (fits, why) = match kind.kind {
            "Namespace" => (is_label(name), LABEL),
            "Service" => (is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()), SERVICE),
            "Role" | "RoleBinding" => (is_segment(name), SEGMENT),
            _ => (is_subdomain(name), SUBDOMAIN),
        };
        if !fits {
            causes.push(("metadata.name".into(), format!("Invalid value: {name:?}: {why}")));
        }
    }
    labels(&metadata["labels"], "metadata.labels", causes);
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let length: usize = annotations.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if length > MAX_ANNOTATIONS {
        let why = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        causes.push(("metadata.annotations".into(), why));
    }
    for (key, _) in metadata["annotations"].as_object().into_iter().flatten() {
        if !is_label_key(key) {
            causes.push(("metadata.annotations".into(), format!("Invalid value: {key:?}: {LABEL_NAME}")));
        }
    }
    for (i, owner) in metadata["ownerReferences"].as_array().into_iter().flatten().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                causes.push(required(&format!("metadata.ownerReferences[{i}].{field}")));
            }
        }
    }
}

fn labels(labels: &Value, path: &str, causes: &mut Causes) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_label_key(key) {
            causes.push((path.into(), format!("Invalid value: {key:?}: {LABEL_NAME}")));
        }
        if !value.is_empty() && !is_qualified(value) {
            causes.push((path.into(), format!("Invalid value: {value:?}: {LABEL_VALUE}")));
        }
    }
}

pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dns(text)
}

fn is_dns(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(plain) && text.ends_with(plain) && text.chars().all(|c| plain(c) || c == '-')
}

pub(crate) fn label_problem(text: &str) -> String {
    format!("Invalid value: {text:?}: {LABEL}")
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns)
}

fn is_segment(text: &str) -> bool {
    !matches!(text, "." | "..") && !text.contains(['/', '%'])
}

/// Whether a text can be a key of a ConfigMap or a Secret.
pub(crate) fn is_file_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain) && !text.starts_with("..") && text != "."
}

fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_subdomain(domain) && is_qualified(name),
        None => is_qualified(text),
    }
}

fn is_qualified(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|c| plain(c) || "-_.".contains(c))
}
