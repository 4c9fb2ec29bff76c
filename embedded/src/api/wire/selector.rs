//! Label and field selectors in URLs.

use serde_json::Value;

use super::path::Query;
use crate::kinds::Kind;
use crate::refusal::Refusal;

/// The label and field selectors of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<(String, Condition)>,
    /// Path of the field, value, and whether the field must equal the value.
    fields: Vec<(&'static [&'static str], String, bool)>,
    /// The name of the only object that the field selector allows, if it names one.
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

impl Selector {
    /// The selectors in a URL.
    pub(crate) fn of(kind: &Kind, query: &Query) -> Result<Self, Refusal> {
        let mut selector = Self::default();
        for requirement in split_requirements(query.get("labelSelector").unwrap_or_default()) {
            selector.labels.push(parse_label(&requirement)?);
        }
        for requirement in
            query.get("fieldSelector").unwrap_or_default().split(',').filter(|part| !part.is_empty())
        {
            let (path, value, equal) = parse_field(kind, requirement)?;
            if path == ["metadata", "name"] && equal {
                selector.name = Some(value.clone());
            }
            selector.fields.push((path, value, equal));
        }
        Ok(selector)
    }

    /// Whether the object satisfies all requirements.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let by_labels = self.labels.iter().all(|(name, condition)| {
            let value = labels.get(name).and_then(Value::as_str);
            match condition {
                Condition::In(values) => {
                    value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
                }
                Condition::NotIn(values) => !value.is_some_and(|value| values.iter().any(|not| not == value)),
                Condition::Exists => value.is_some(),
                Condition::Missing => value.is_none(),
            }
        });
        by_labels
            && self.fields.iter().all(|(path, wanted, equal)| {
                let value = path.iter().fold(object, |value, part| &value[*part]);
                (value.as_str().unwrap_or_default() == wanted) == *equal
            })
    }
}

/// Splits at commas outside parentheses.
fn split_requirements(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_i32;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn parse_label(text: &str) -> Result<(String, Condition), Refusal> {
    let refuse = || {
        Err(Refusal::bad_request(format!("unable to parse requirement: {text:?} is not a label selector")))
    };
    let (name, condition) = if let Some((name, values)) = text.split_once(" notin ") {
        (name, parse_set(values).map(Condition::NotIn))
    } else if let Some((name, values)) = text.split_once(" in ") {
        (name, parse_set(values).map(Condition::In))
    } else if let Some((name, value)) = text.split_once("!=") {
        (name, Some(Condition::NotIn(vec![value.trim().into()])))
    } else if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (name, Some(Condition::In(vec![value.trim().into()])))
    } else if let Some(name) = text.strip_prefix('!') {
        (name, Some(Condition::Missing))
    } else {
        (text, Some(Condition::Exists))
    };
    let name = name.trim();
    let Some(condition) = condition else { return refuse() };
    let values: &[String] = match &condition {
        Condition::In(values) | Condition::NotIn(values) => values,
        Condition::Exists | Condition::Missing => &[],
    };
    let plain =
        |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    if name.is_empty() || !plain(name, "-_./") || !values.iter().all(|value| plain(value, "-_.")) {
        return refuse();
    }
    Ok((name.into(), condition))
}

fn parse_set(text: &str) -> Option<Vec<String>> {
    let inside = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inside.split(',').map(|value| value.trim().to_owned()).collect())
}

fn parse_field(kind: &Kind, text: &str) -> Result<(&'static [&'static str], String, bool), Refusal> {
    let split = text.split_once("!=").map(|(name, value)| (name, value, false)).or_else(|| {
        let (name, value) = text.split_once("==").or_else(|| text.split_once('='))?;
        Some((name, value, true))
    });
    let Some((name, value, equal)) = split else {
        return Err(Refusal::bad_request(format!("invalid selector: {text:?}; can't understand it")));
    };
    let path: Option<&'static [&'static str]> = match (kind.kind, name) {
        (_, "metadata.name") => Some(&["metadata", "name"]),
        (_, "metadata.namespace") => Some(&["metadata", "namespace"]),
        ("Pod" | "Namespace", "status.phase") => Some(&["status", "phase"]),
        ("Pod", "spec.nodeName") => Some(&["spec", "nodeName"]),
        ("Pod", "spec.restartPolicy") => Some(&["spec", "restartPolicy"]),
        ("Pod", "spec.serviceAccountName") => Some(&["spec", "serviceAccountName"]),
        ("Pod", "status.podIP") => Some(&["status", "podIP"]),
        ("Secret" | "Event", "type") => Some(&["type"]),
        ("Event", "reason") => Some(&["reason"]),
        ("Event", "involvedObject.kind") => Some(&["involvedObject", "kind"]),
        ("Event", "involvedObject.name") => Some(&["involvedObject", "name"]),
        ("Event", "involvedObject.namespace") => Some(&["involvedObject", "namespace"]),
        ("Event", "involvedObject.uid") => Some(&["involvedObject", "uid"]),
        ("Event", "involvedObject.fieldPath") => Some(&["involvedObject", "fieldPath"]),
        _ => None,
    };
    match path {
        Some(path) => Ok((path, value.into(), equal)),
        None => Err(Refusal::bad_request(format!("field label not supported: {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::PODS;

    fn matches(query: &str) -> Result<bool, u16> {
        let object = json!({
            "metadata": { "name": "a", "labels": { "app": "locust", "role": "worker" } },
            "status": { "phase": "Running" },
        });
        let uri = format!("/?{query}").parse().unwrap();
        Selector::of(&PODS, &Query::of(&uri))
            .map(|found| found.matches(&object))
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn labels_are_selected_by_value_set_and_presence() {
        for yes in [
            "app%3Dlocust",
            "app==locust,role!=x",
            "app%20in%20(a,locust)",
            "app+notin+(b,c),!z",
            "role",
            "none!=1",
        ] {
            assert_eq!(matches(&format!("labelSelector={yes}")), Ok(true), "{yes}");
        }
        for no in ["app=x", "app+in+(a,b)", "app+notin+(locust)", "!role", "none"] {
            assert_eq!(matches(&format!("labelSelector={no}")), Ok(false), "{no}");
        }
        for wrong in ["a+in+b", "app=%22", "=x", "a%20b"] {
            assert_eq!(matches(&format!("labelSelector={wrong}")), Err(400), "{wrong}");
        }
    }

    #[test]
    fn only_known_fields_can_be_selected() {
        assert_eq!(matches("fieldSelector=metadata.name=a,status.phase!=Failed"), Ok(true));
        assert_eq!(matches("fieldSelector=metadata.name=b"), Ok(false));
        assert_eq!(matches("fieldSelector=spec.unknown=b"), Err(400));
        assert_eq!(matches("fieldSelector=metadata.name"), Err(400));
    }
}
