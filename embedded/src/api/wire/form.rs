//! Objects and lists in the form that the client asks for.

use serde_json::{Value, json};

use super::answer::Form;
use super::call::Call;
use super::table;
use crate::kinds::Kind;

/// One object in the form of the call.
pub(crate) fn object(call: &Call<'_>, object: &Value) -> Value {
    of_object(call.kind, object, call.form, call.query.get("includeObject"))
}

/// One object. `include` says how much of the object each row of a table contains.
pub(crate) fn of_object(kind: &Kind, object: &Value, form: Form, include: Option<&str>) -> Value {
    match form {
        Form::Object => object.clone(),
        Form::Table => table::table(kind, &[object], &object["metadata"], include),
        Form::Metadata => table::metadata_only(object),
    }
}

/// A list of objects in the form of the call, as of a version of the store.
pub(crate) fn list(call: &Call<'_>, objects: &[&Value], version: u64) -> Value {
    let kind = call.kind;
    let metadata = json!({ "resourceVersion": version.to_string() });
    let (list, api_version, items): (String, String, Vec<Value>) = match call.form {
        Form::Table => return table::table(kind, objects, &metadata, call.query.get("includeObject")),
        Form::Object => {
            let items = objects.iter().copied().cloned().collect();
            (format!("{}List", kind.kind), kind.api_version(), items)
        }
        Form::Metadata => {
            let items = objects.iter().map(|object| table::metadata_only(object)).collect();
            ("PartialObjectMetadataList".into(), "meta.k8s.io/v1".into(), items)
        }
    };
    json!({ "kind": list, "apiVersion": api_version, "metadata": metadata, "items": items })
}
