//! Links from marks to the rows of the report.

/// The address of a scenario's row; `None` if the drawing links to none.
pub(in crate::report) type LinkTo<'a> = &'a dyn Fn(&str) -> Option<String>;
