//! The test script that the load generator runs: which loads it can make, and what it does by itself.

use crate::events::many;

/// What the test script has that decides on the load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// The class of its load shape, which sets the number of users by itself; `None` if it has none.
    pub shape: Option<String>,
    /// Its classes of users; empty if they are not known.
    pub user_classes: Vec<UserClass>,
    /// The stop timeout that the script has set, s; `None` if it has not set one.
    pub own_stop_timeout_s: Option<f64>,
}

/// A class of users of the test script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserClass {
    /// Its name.
    pub name: String,
    /// The number of its users, whatever the load; 0 if it takes a share of the load.
    pub fixed_count: u32,
}

/// Users that ended although nobody stopped them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Their class.
    pub user: String,
    /// Why, such as `StopUser`.
    pub why: String,
    /// How many.
    pub count: u64,
}

impl Script {
    /// Why no load of any size can be started; `None` if one can.
    pub fn refuses_every_load(&self) -> Option<String> {
        let shape = self.shape.as_ref()?;
        Some(format!(
            "the locustfile has a load shape, the class {shape}, which sets the number of users by itself and ignores \
             the users of the matrix"
        ))
    }

    /// Why a load of `users` cannot be started; `None` if it can.
    pub fn refuses(&self, users: u32) -> Option<String> {
        if let Some(why) = self.refuses_every_load() {
            return Some(why);
        }
        let fixed: u32 = self.user_classes.iter().map(|class| class.fixed_count).sum();
        let all_are_fixed = self.user_classes.iter().all(|class| class.fixed_count > 0);
        let classes = self.fixed_classes();
        if fixed > users {
            return Some(format!(
                "the locustfile's classes with a fixed_count need {} ({classes}), and the scenario has {users}",
                many(fixed, "user")
            ));
        }
        (fixed > 0 && all_are_fixed && fixed < users).then(|| {
            format!(
                "the locustfile's classes add up to {} ({classes}: fixed_count), and the scenario needs {users}",
                many(fixed, "user")
            )
        })
    }

    /// What the user should know before the first scenario; `None` if there is nothing.
    pub fn caveat(&self) -> Option<String> {
        self.own_stop_timeout_s.map(|seconds| {
            format!(
                "the locustfile sets a stop timeout of {seconds} s: requests that are under way at the end of a load \
                 for longer are cut off, so that the service counts them and Locust does not"
            )
        })
    }

    fn fixed_classes(&self) -> String {
        let fixed = self.user_classes.iter().filter(|class| class.fixed_count > 0);
        fixed.map(|class| format!("{} {}", class.fixed_count, class.name)).collect::<Vec<_>>().join(" + ")
    }
}

/// Users that left by themselves, in words.
pub(super) fn left_in_words(left: &[Left]) -> String {
    let total: u64 = left.iter().map(|left| left.count).sum();
    let ways = left.iter().map(|Left { user, why, count }| format!("{count} × {user}: {why}"));
    let ways = ways.collect::<Vec<_>>().join(", ");
    format!(
        "{total} {} ended by {} ({ways}), and Locust does not replace them: a closed model needs users that stay",
        if total == 1 { "user" } else { "users" },
        if total == 1 { "itself" } else { "themselves" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(classes: &[(&str, u32)]) -> Script {
        let class = |(name, fixed_count): &(&str, u32)| UserClass {
            name: (*name).to_owned(),
            fixed_count: *fixed_count,
        };
        Script { user_classes: classes.iter().map(class).collect(), ..Script::default() }
    }

    #[test]
    fn a_load_shape_is_refused_by_its_name_whatever_the_load() {
        let script = Script { shape: Some("Stairs".into()), ..script(&[("Caller", 0)]) };
        for users in [1, 800] {
            assert!(script.refuses(users).is_some_and(|why| why.contains("the class Stairs")));
        }
    }

    #[test]
    fn classes_with_fixed_counts_alone_run_exactly_their_sum() {
        let script = script(&[("Caller", 4), ("Operator", 1)]);
        assert_eq!(script.refuses(5), None);
        let more = script.refuses(12).unwrap();
        assert!(more.contains("add up to 5 users (4 Caller + 1 Operator: fixed_count)"), "{more}");
        let fewer = script.refuses(3).unwrap();
        assert!(fewer.contains("need 5 users (4 Caller + 1 Operator), and the scenario has 3"), "{fewer}");
    }

    #[test]
    fn a_mix_with_a_share_takes_any_load_above_its_fixed_counts() {
        let script = script(&[("Caller", 0), ("Operator", 2)]);
        assert_eq!((script.refuses(2), script.refuses(12)), (None, None));
        assert!(script.refuses(1).is_some());
        assert_eq!(Script::default().refuses(7), None, "classes that are not known");
    }

    #[test]
    fn users_that_left_are_told_with_their_class_and_reason() {
        let left = |user: &str, why: &str, count| Left { user: user.into(), why: why.into(), count };
        let words =
            left_in_words(&[left("Customer", "StopUser", 6), left("Admin", "ValueError: no token", 1)]);
        assert!(
            words.starts_with(
                "7 users ended by themselves (6 × Customer: StopUser, 1 × Admin: ValueError: no token)"
            ),
            "{words}"
        );
    }
}
