//! Whether the same pods and workers were there at both ends of a measurement.

use records::Member;

/// What changed between two times, in words; empty if nothing did.
pub fn changes(before: &[Member], after: &[Member]) -> Vec<String> {
    let find = |members: &[Member], id: &str| members.iter().find(|member| member.id == id).cloned();
    let left = before.iter().filter_map(|member| match find(after, &member.id) {
        None => Some(format!("{} is gone", member.name)),
        Some(now) if now.restarts != member.restarts => Some(format!("{} was restarted", member.name)),
        Some(_) => None,
    });
    let came = after.iter().filter(|member| find(before, &member.id).is_none());
    left.chain(came.map(|member| format!("{} came", member.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(id: &str, restarts: i32) -> Member {
        Member { name: format!("pod-{id}"), id: id.into(), restarts }
    }

    #[test]
    fn each_change_is_told() {
        let before = [member("a", 0), member("b", 1), member("c", 0)];
        let after = [member("b", 2), member("c", 0), member("d", 0)];
        assert_eq!(changes(&before, &after), ["pod-a is gone", "pod-b was restarted", "pod-d came"]);
    }

    proptest! {
        #[test]
        fn exactly_equal_sets_have_no_changes(
            before in prop::collection::btree_map("[a-e]", 0_i32..3, 0..5),
            after in prop::collection::btree_map("[a-e]", 0_i32..3, 0..5),
        ) {
            let members = |map: &std::collections::BTreeMap<String, i32>| -> Vec<_> {
                map.iter().map(|(id, restarts)| member(id, *restarts)).collect()
            };
            let found = changes(&members(&before), &members(&after));
            prop_assert_eq!(found.is_empty(), before == after);
        }
    }
}
