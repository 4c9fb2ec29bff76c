//! Objects in Kubernetes' protobuf format. `kubectl` prefers it for `auth can-i`, `create token` and the
//! simple forms of `create`. It sends everything else as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::refusal::Refusal;

/// The type of a field.
enum Type {
    Text,
    Number,
    Flag,
    /// A field that clients always send, and that this server does not need.
    Ignored,
    Bytes,
    Message(&'static [Field]),
    Texts,
    Messages(&'static [Field]),
    /// A map from texts to texts.
    TextMap,
    /// A map from texts to bytes.
    BytesMap,
}

/// Tag, name and type of a field.
type Field = (u64, &'static str, Type);

use Type::{Bytes, BytesMap, Flag, Ignored, Message, Messages, Number, Text, TextMap, Texts};

static METADATA: [Field; 9] = [
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (8, "creationTimestamp", Ignored),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
];
static RESOURCE_ATTRIBUTES: [Field; 7] = [
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
static OTHER_ATTRIBUTES: [Field; 2] = [(1, "path", Text), (2, "verb", Text)];
static ACCESS: [Field; 2] = [
    (1, "resourceAttributes", Message(&RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", Message(&OTHER_ATTRIBUTES)),
];
static RULES: [Field; 1] = [(1, "namespace", Text)];
static TOKEN: [Field; 3] =
    [(1, "audiences", Texts), (3, "boundObjectRef", Ignored), (4, "expirationSeconds", Number)];
static SELECTOR: [Field; 1] = [(1, "matchLabels", TextMap)];
static PORT: [Field; 3] = [(1, "name", Text), (3, "containerPort", Number), (4, "protocol", Text)];
static CONTAINER: [Field; 6] = [
    (1, "name", Text),
    (2, "image", Text),
    (3, "command", Texts),
    (4, "args", Texts),
    (6, "ports", Messages(&PORT)),
    (8, "resources", Ignored),
];
static POD: [Field; 2] = [(2, "containers", Messages(&CONTAINER)), (3, "restartPolicy", Text)];
static TEMPLATE: [Field; 2] = [(1, "metadata", Message(&METADATA)), (2, "spec", Message(&POD))];
static JOB: [Field; 1] = [(6, "template", Message(&TEMPLATE))];
static RULE: [Field; 4] =
    [(1, "verbs", Texts), (2, "apiGroups", Texts), (3, "resources", Texts), (4, "resourceNames", Texts)];
static SUBJECT: [Field; 4] =
    [(1, "kind", Text), (2, "apiGroup", Text), (3, "name", Text), (4, "namespace", Text)];
static ROLE_REF: [Field; 3] = [(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)];
static PRECONDITIONS: [Field; 2] = [(1, "uid", Text), (2, "resourceVersion", Text)];
static DELETE_OPTIONS: [Field; 5] = [
    (1, "gracePeriodSeconds", Number),
    (2, "preconditions", Message(&PRECONDITIONS)),
    (3, "orphanDependents", Flag),
    (4, "propagationPolicy", Text),
    (5, "dryRun", Texts),
];
static DEPLOYMENT: [Field; 4] = [
    (1, "replicas", Number),
    (2, "selector", Message(&SELECTOR)),
    (3, "template", Message(&TEMPLATE)),
    (4, "strategy", Ignored),
];

/// The fields of the supported kinds. Field 1 is always the metadata.
fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "SelfSubjectAccessReview" => const { &[(2, "spec", Message(&ACCESS)), (3, "status", Ignored)] },
        "SelfSubjectRulesReview" => const { &[(2, "spec", Message(&RULES)), (3, "status", Ignored)] },
        "SelfSubjectReview" => const { &[(2, "status", Ignored)] },
        "TokenRequest" => const { &[(2, "spec", Message(&TOKEN)), (3, "status", Ignored)] },
        "Namespace" => const { &[(2, "spec", Ignored), (3, "status", Ignored)] },
        "ServiceAccount" => const { &[(4, "automountServiceAccountToken", Flag)] },
        "ConfigMap" => const { &[(2, "data", TextMap), (3, "binaryData", BytesMap)] },
        "Secret" => const { &[(2, "data", BytesMap), (3, "type", Text), (4, "stringData", TextMap)] },
        "Eviction" => const { &[(2, "deleteOptions", Message(&DELETE_OPTIONS))] },
        "Job" => const { &[(2, "spec", Message(&JOB)), (3, "status", Ignored)] },
        "Role" => const { &[(2, "rules", Messages(&RULE))] },
        "RoleBinding" => const { &[(2, "subjects", Messages(&SUBJECT)), (3, "roleRef", Message(&ROLE_REF))] },
        "Deployment" => const { &[(2, "spec", Message(&DEPLOYMENT)), (3, "status", Ignored)] },
        _ => return None,
    })
}

/// Reads an object. Refuses unknown kinds and fields with 415.
pub(crate) fn object(body: &[u8]) -> Result<Value, Refusal> {
    static ENVELOPE: [Field; 2] = [(1, "type", Message(&TYPE)), (2, "raw", Bytes)];
    static TYPE: [Field; 2] = [(1, "apiVersion", Text), (2, "kind", Text)];

    let wrong = || Refusal::bad_request("the body is not in Kubernetes' protobuf format");
    let bytes = body.strip_prefix(b"k8s\0").ok_or_else(wrong)?;
    let envelope = message(bytes, &ENVELOPE)?.ok_or_else(wrong)?;
    let kind = envelope["type"]["kind"].as_str().unwrap_or_default();
    let unsupported = || {
        let what = format!(
            "this cluster does not read this {kind} as protobuf; send JSON or YAML, as `kubectl create -f` and `kubectl apply` do"
        );
        Refusal::new(415, "UnsupportedMediaType", what)
    };
    let fields = fields_of(kind).ok_or_else(unsupported)?;
    let raw = STANDARD.decode(envelope["raw"].as_str().unwrap_or_default()).unwrap_or_default();
    let mut object = Map::new();
    for (tag, wire) in parse(&raw)? {
        let known = if tag == 1 {
            set(&mut object, "metadata", &Message(&METADATA), &wire)?
        } else {
            match fields.iter().find(|(known, _, _)| *known == tag) {
                Some((_, name, field)) => set(&mut object, name, field, &wire)?,
                None => wire.is_empty(),
            }
        };
        if !known {
            return Err(unsupported());
        }
    }
    object.insert("apiVersion".into(), envelope["type"]["apiVersion"].clone());
    object.insert("kind".into(), json!(kind));
    Ok(Value::Object(object))
}

/// A value in the encoding of protobuf.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Wire<'_> {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Number(0) | Self::Bytes([]))
    }
}

/// A message as an object. `None` if it has an unknown field.
fn message(bytes: &[u8], fields: &[Field]) -> Result<Option<Value>, Refusal> {
    let mut object = Map::new();
    for (tag, wire) in parse(bytes)? {
        let known = match fields.iter().find(|(known, _, _)| *known == tag) {
            Some((_, name, field)) => set(&mut object, name, field, &wire)?,
            None => wire.is_empty(),
        };
        if !known {
            return Ok(None);
        }
    }
    Ok(Some(Value::Object(object)))
}

/// Sets one field of an object. Returns false if the field contains an unknown field.
fn set(object: &mut Map<String, Value>, name: &str, field: &Type, wire: &Wire<'_>) -> Result<bool, Refusal> {
    let text = |bytes: &[u8]| -> Result<Value, Refusal> {
        let text = std::str::from_utf8(bytes);
        text.map(Into::into).map_err(|_| Refusal::bad_request(format!("{name}: not UTF-8")))
    };
    let value = match (field, wire) {
        // Go's protobuf sends empty texts, but JSON omits them.
        (Ignored, _) | (Text, Wire::Bytes([])) => return Ok(true),
        (Text, Wire::Bytes(bytes)) => text(bytes)?,
        (Number, Wire::Number(number)) => json!(i64::from_ne_bytes(number.to_ne_bytes())),
        (Flag, Wire::Number(number)) => json!(*number != 0),
        (Bytes, Wire::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        (Message(fields), Wire::Bytes(bytes)) => match message(bytes, fields)? {
            Some(inside) => inside,
            None => return Ok(false),
        },
        (Texts | Messages(_), Wire::Bytes(bytes)) => {
            let item = match field {
                Messages(fields) => message(bytes, fields)?,
                _ => Some(text(bytes)?),
            };
            let Some(item) = item else { return Ok(false) };
            if let Value::Array(items) = object.entry(name).or_insert_with(|| json!([])) {
                items.push(item);
            }
            return Ok(true);
        }
        (TextMap | BytesMap, Wire::Bytes(bytes)) => {
            let (mut key, mut value) = (json!(""), json!(""));
            for (tag, wire) in parse(bytes)? {
                match (tag, wire, field) {
                    (1, Wire::Bytes(bytes), _) => key = text(bytes)?,
                    (2, Wire::Bytes(bytes), BytesMap) => value = json!(STANDARD.encode(bytes)),
                    (2, Wire::Bytes(bytes), _) => value = text(bytes)?,
                    _ => return Ok(false),
                }
            }
            if let Value::Object(map) = object.entry(name).or_insert_with(|| json!({})) {
                map.insert(key.as_str().unwrap_or_default().into(), value);
            }
            return Ok(true);
        }
        _ => return Ok(false),
    };
    object.insert(name.into(), value);
    Ok(true)
}

/// The tags and values of a message.
fn parse(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, Refusal> {
    let wrong = || Refusal::bad_request("the body is not valid protobuf");
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = varint(bytes).ok_or_else(wrong)?;
        let (wire, rest) = match key & 7 {
            0 => {
                let (number, rest) = varint(rest).ok_or_else(wrong)?;
                (Wire::Number(number), rest)
            }
            2 => {
                let (length, rest) = varint(rest).ok_or_else(wrong)?;
                let length =
                    usize::try_from(length).ok().filter(|length| *length <= rest.len()).ok_or_else(wrong)?;
                let (inside, rest) = rest.split_at(length);
                (Wire::Bytes(inside), rest)
            }
            _ => return Err(wrong()),
        };
        found.push((key >> 3, wire));
        bytes = rest;
    }
    Ok(found)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        [&[tag << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &types), field(2, raw)].concat()
    }

    #[test]
    fn known_kinds_and_fields_are_read_and_others_refused() {
        let entry = [field(1, b"key"), field(2, b"value")].concat();
        let raw = [field(1, &field(1, b"a")), field(2, &entry)].concat();
        let expected = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "key": "value" } });
        assert_eq!(object(&body("ConfigMap", &raw)), Ok(expected));
        assert_eq!(object(&body("ConfigMap", &field(9, b"x"))).unwrap_err().code, 415);
        assert_eq!(object(&body("Pod", &raw)).unwrap_err().code, 415);
        assert_eq!(object(&body("ConfigMap", &[0xff])).unwrap_err().code, 400);
        assert_eq!(object(b"{}").unwrap_err().code, 400);
    }
}
