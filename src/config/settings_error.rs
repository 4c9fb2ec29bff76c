//! What is wrong with a settings file, by the name of the key.

use serde::de::DeserializeOwned;

use crate::exit::Error;

/// Explains why the text is not `T`, the settings; `problem` is what the YAML parser said.
pub(super) fn explain<T: DeserializeOwned>(text: &str, problem: &str) -> Error {
    let line = first_line(problem);
    // The parser knows the line, and a second reading, of the same values without their lines, the key.
    let values = serde_saphyr::from_str::<serde_json::Value>(text);
    let named = values.ok().and_then(|values| {
        let error = serde_path_to_error::deserialize::<_, T>(values).err()?;
        Some((error.path().to_string(), error.inner().to_string()))
    });
    let Some((path, inner)) = named else {
        let key = place(&line).and_then(|(row, column)| key_before(text, row, column));
        let line = key.map_or_else(|| line.clone(), |key| format!("{key}: {line}"));
        return Error::usage(line).next("correct that line; docs/settings.md has a complete file");
    };
    let at = place(&line).map(|(row, _)| format!(" (line {row})")).unwrap_or_default();
    if let Some((unknown, known)) = unknown_key(&inner) {
        let parent = path.strip_suffix(&unknown).unwrap_or(&path).trim_end_matches('.');
        let parent = if parent == "." { "" } else { parent };
        let full = |key: &str| if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        let error = Error::usage(format!("{}: there is no such key{at}", full(&unknown)));
        return error.next(match nearest(&unknown, &known) {
            Some(meant) => {
                format!("write {}, if that is meant; the keys here are {}", full(meant), known.join(", "))
            }
            None => format!("the keys here are {}", known.join(", ")),
        });
    }
    if path == "." || path.is_empty() {
        return Error::usage(format!("{inner}{at}"))
            .next("write keys with values, such as 'users: [20, 40]'");
    }
    Error::usage(format!("{path}: {inner}{at}")).next("docs/settings.md has each key with an example")
}

/// The unknown key and the known ones, from serde's message.
fn unknown_key(message: &str) -> Option<(String, Vec<String>)> {
    let mut quoted = message.strip_prefix("unknown field `")?.split('`');
    let unknown = quoted.next()?.to_owned();
    // Between two names is text.
    let known = quoted.skip(1).step_by(2).map(str::to_owned).collect();
    Some((unknown, known))
}

/// The known key that is most like this one, if it is like it at all.
fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let plain = |key: &str| key.to_lowercase().replace(['-', ' '], "_");
    let likeness = |key: &&String| strsim::jaro_winkler(&plain(unknown), key);
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then_some(best)
}

/// Line and column that the parser names, both from 1.
fn place(problem: &str) -> Option<(usize, usize)> {
    let number = |after: &str| {
        let (_, rest) = problem.split_once(after)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some((number("line ")?, number("column ")?))
}

/// The last key before a place in the text.
fn key_before(text: &str, row: usize, column: usize) -> Option<&str> {
    let end: usize = text.split_inclusive('\n').take(row.checked_sub(1)?).map(str::len).sum();
    let before: usize = text.get(end..)?.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let (before, _) = text.get(..end + before)?.rsplit_once(':')?;
    let key = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next()?;
    (!key.is_empty()).then_some(key)
}

/// The first line that is not empty; in the lines after it, the parser shows the source.
fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;
    use crate::exit::ExitCode;

    /// What the settings are refused with.
    fn refusal(text: &str) -> String {
        let settings = Settings::parse(&format!("preset: quick\n{text}\n"));
        let Err(error) = settings.and_then(Settings::complete) else { return format!("{text} is taken") };
        assert_eq!(error.code, ExitCode::Usage, "{error}");
        assert!(error.next.is_some(), "{error}");
        error.to_string()
    }

    #[test]
    fn every_refusal_begins_with_the_key_and_says_what_is_wrong() {
        for (text, key, words) in [
            ("users: \"20,40\"", "users: ", "without quotes"),
            ("users: [\"20\"]", "users[0]: ", "without quotes"),
            ("replicas: [1..4]", "replicas[0]: ", "'1..4' is text"),
            ("users: [2.5]", "users[0]: ", "2.5 cannot be used"),
            ("users: [[20]]", "users[0]", "list"),
            ("users: [-1]", "users[0]: ", "-1 cannot be used"),
            ("users: [99999999999]", "users[0]: ", "cannot be used"),
            ("users: {a: 1}", "users: ", "a list of whole numbers"),
            ("users: []", "users: ", "has no value"),
            ("objective: {p95_ms: 250.5}", "objective.p95_ms: ", "250.5"),
            ("objective: {p95_ms: -1}", "objective.p95_ms: ", "-1"),
            ("objective: {p50_ms: 500, p99_ms: 100}", "objective: ", "p99_ms: 100 is less than p50_ms: 500"),
            ("duration: 60", "duration: ", "write 60s"),
            ("duration: \"60\"", "duration: ", "write 60s"),
            ("duration: -5s", "duration: ", "less than 0"),
            ("duration: soon", "duration: ", "'soon' is not a time"),
            ("timeouts: {ready: 3}", "timeouts.ready: ", "write 3s"),
            ("timeouts: {ready: [3m]}", "timeouts.ready: ", "a time such as"),
            ("spawn_rate: .nan", "spawn_rate: ", "NaN"),
            ("spawn_rate: fast", "spawn_rate: ", "fast"),
            ("rates: [.inf]", "rates: ", "inf"),
            ("cooldown: 1s\nrates:\n  - 5\n  - .nan", "rates: ", ".nan"),
            ("repeats: 1.5", "repeats: ", "1.5"),
            ("repeats: many", "repeats: ", "many"),
            ("until: never", "until: ", "never"),
            ("inference: shop", "inference: ", "shop"),
            ("inference: {deployment: Model_V1}", "inference.deployment: ", "not the name"),
            ("inference: {deployment: ''}", "inference.deployment: ", "is empty"),
            ("inference: {counter: {name: 'a b'}}", "inference.counter: ", "'a b' is not the name"),
            ("record: {keep: 0}", "record.keep: ", "1 to 3"),
            ("record: {keep: 9}", "record.keep: ", "1 to 3"),
            ("record: {keep: -1}", "record.keep: ", "-1"),
        ] {
            let error = refusal(text);
            assert!(error.starts_with(key) && error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn an_unknown_preset_is_named_by_its_key() {
        let error = Settings::parse("preset: huge").unwrap_err().to_string();
        assert!(error.starts_with("preset: ") && error.contains("huge"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        for (text, key, meant) in [
            ("userz: [1]", "userz: there is no such key", "write users,"),
            ("spawn-rate: 2", "spawn-rate: ", "write spawn_rate,"),
            ("timeouts: {redy: 3m}", "timeouts.redy: ", "write timeouts.ready,"),
            ("inference: {readiness: /x}", "inference.readiness: ", "write inference.readiness_path,"),
            ("objective: {p95: 250ms}", "objective.p95: ", "write objective.p95_ms,"),
            ("inference: {counter: {nam: x}}", "inference.counter.nam: ", "write inference.counter.name,"),
        ] {
            let error = refusal(text);
            assert!(error.starts_with(key) && error.contains(meant) && error.contains("(line 2)"), "{error}");
        }
        let error = refusal("completely_else: 1");
        assert!(!error.contains("if that is meant") && error.contains("the keys here are preset"), "{error}");
    }

    #[test]
    fn what_is_unmistakable_is_taken() {
        let complete = |text: &str| Settings::parse(text).unwrap().complete().unwrap();
        let config = complete(
            "{preset: quick, users: 20, rates: 7, cooldown: 0, inference: {counter: http_requests_total}}",
        );
        assert_eq!((config.users, config.rates), (vec![20], vec![7.0]));
        assert!(config.cooldown.is_zero());
        assert_eq!(config.inference.counter.name, "http_requests_total");
        let config = complete(
            "{preset: quick, rates: [5, 7.5], duration: 1m30s, inference: {counter: {name: c, labels: {job: x}}}}",
        );
        assert_eq!(config.rates, [5.0, 7.5]);
        assert_eq!(config.inference.counter.labels["job"], "x");
    }
}
