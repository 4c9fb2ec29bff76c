//! Locust's web page, which holds its version and what the test script has, as JSON for its own scripts.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::load::{Script, UserClass};

const ARGUMENTS: &str = "window.templateArgs = ";
/// How the page names the choice of no load shape.
const NO_SHAPE: &str = "Default";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Arguments {
    available_shape_classes: Option<Vec<String>>,
    show_userclass_picker: bool,
    users: Option<BTreeMap<String, User>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    fixed_count: u32,
}

/// The version in the page.
pub(super) fn version(page: &str) -> Option<&str> {
    page.split("\"version\": \"").nth(1)?.split('"').next()
}

/// What the page says of the test script; nothing if it is not understood.
pub(super) fn script(page: &str) -> Script {
    let arguments = page.split_once(ARGUMENTS).map_or("", |(_, rest)| rest);
    let mut values = serde_json::Deserializer::from_str(arguments).into_iter::<Arguments>();
    let Some(Ok(arguments)) = values.next() else { return Script::default() };
    // With the class picker, a start without a shape uses none.
    let shapes = arguments.available_shape_classes.filter(|_| !arguments.show_userclass_picker);
    let class = |(name, user): (String, User)| UserClass { name, fixed_count: user.fixed_count };
    Script {
        shape: shapes.into_iter().flatten().find(|shape| shape != NO_SHAPE),
        user_classes: arguments.users.into_iter().flatten().map(class).collect(),
        own_stop_timeout_s: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Locust 2.46.6 writes it, shortened.
    const PAGE: &str = r#"<script>
      window.templateArgs = {"available_shape_classes": ["Default", "Stairs"], "is_distributed": true,
        "show_userclass_picker": false, "users": {"Caller": {"fixed_count": 4, "host": null, "tasks": ["a\u003cb"],
        "weight": 1}}, "version": "2.46.6", "worker_count": 1}
      window.theme = "dark"
    </script>"#;

    #[test]
    fn the_version_the_shape_and_the_fixed_users_are_read_from_the_page() {
        assert_eq!(version(PAGE), Some("2.46.6"));
        let found = script(PAGE);
        assert_eq!(found.shape.as_deref(), Some("Stairs"));
        assert_eq!(found.user_classes, [UserClass { name: "Caller".into(), fixed_count: 4 }]);
        let picked = PAGE.replace("\"show_userclass_picker\": false", "\"show_userclass_picker\": true");
        assert_eq!(script(&picked).shape, None);
    }

    #[test]
    fn a_page_that_is_not_understood_says_nothing() {
        for page in ["<html>", "window.templateArgs = {broken", "window.templateArgs = []"] {
            assert_eq!((version(page), script(page)), (None, Script::default()), "{page}");
        }
    }
}
