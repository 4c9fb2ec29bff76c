//! The translation between HTTP and objects.

pub(crate) mod answer;
pub(crate) mod api;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod form;
pub(crate) mod identity;
pub(crate) mod path;
mod protobuf;
pub(crate) mod rbac;
pub(crate) mod scale;
pub(crate) mod selector;
mod table;
