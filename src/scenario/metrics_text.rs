//! Metrics pages, as Prometheus' and OpenMetrics' clients write them.
//!
//! Values may be `12`, `12.0` or `1.2e+01`, labels come in any order and may hold `}`, `,` and quoted quotes, a time
//! and an exemplar may follow the value. A line that is not understood is an error, because a sum without it
//! would be wrong.

use std::borrow::Cow;

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// Name and value of each label.
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The value, which may be any number or none.
    value: f64,
}

/// A line of the metric that is not understood, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Sample<'_> {
    /// The value of a label; an empty one is absent.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    /// The value of a count; `None` if it is not a whole number of 0 or more.
    pub(super) fn count(&self) -> Option<u64> {
        /// Above this, a double does not hold each whole number.
        const MOST: f64 = 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        ((0.0..=MOST).contains(&self.value) && self.value.fract() == 0.0).then_some(self.value as u64)
    }
}

/// Whether the page has this metric, perhaps without a value so far.
pub(super) fn is_declared(page: &str, metric: &str) -> bool {
    // OpenMetrics declares a counter without the ending.
    let family = metric.strip_suffix("_total").unwrap_or(metric);
    page.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_comment = words.next() == Some("#") && matches!(words.next(), Some("TYPE" | "HELP"));
        is_comment && words.next().is_some_and(|name| name == metric || name == family)
    })
}

/// All values of a metric.
///
/// # Errors
/// A line of this metric is not understood.
pub(super) fn samples<'a>(page: &'a str, metric: &str) -> Result<Vec<Sample<'a>>, Unreadable> {
    let lines = page.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| sample(line, metric).transpose()).collect()
}

/// The value in this line; `None` if it belongs to another metric.
fn sample<'a>(line: &'a str, metric: &str) -> Result<Option<Sample<'a>>, Unreadable> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).ok_or(Unreadable);
    let (name, rest) = match end {
        Ok(end) => line.split_at(end),
        // A line without a value is only wrong if it is of this metric.
        Err(error) => return if line == metric { Err(error) } else { Ok(None) },
    };
    if !name.is_empty() && name != metric {
        return Ok(None);
    }
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(rest) => match labels(rest) {
            Some(found) => found,
            None if name.is_empty() => return Ok(None),
            None => return Err(Unreadable),
        },
        None => (Vec::new(), rest),
    };
    // A name with other characters stands in quotes among the labels.
    let (named, labels): (Vec<_>, Vec<_>) = labels.into_iter().partition(|label| label.1.is_none());
    let own_name = if name.is_empty() { named.first().map(|(name, _)| name.as_ref()) } else { Some(name) };
    if own_name != Some(metric) {
        return Ok(None);
    }
    let value = rest.split_whitespace().next().and_then(|value| value.parse().ok()).ok_or(Unreadable)?;
    let labels = labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(Some(Sample { labels, value }))
}

/// A label, or a quoted name without a value.
type Label<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<Label<'_>>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace())?;
            (Cow::Borrowed(&rest[..end]), &rest[end..])
        };
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix('=') {
            let (value, after) = unquote(after.trim_start().strip_prefix('"')?)?;
            labels.push((name, Some(value)));
            rest = after.trim_start();
        } else {
            labels.push((name, None));
        }
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
        } else if !rest.starts_with('}') {
            return None;
        }
    }
}

/// A quoted text after its first quote, and what follows its last one.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut plain = text[..end].to_owned();
    let mut characters = text[end..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(plain), &text[end + at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => plain.push('\n'),
                escaped @ ('"' | '\\') => plain.push(escaped),
                other => plain.extend(['\\', other]),
            },
            character => plain.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_of_real_clients_are_read() {
        // Python's client, Go's, Java's, and Prometheus 3 with a name in quotes.
        for (line, label, count) in [
            (
                r#"c_total{path="/v1/models/{name}:predict",status="200"} 12.0"#,
                "/v1/models/{name}:predict",
                12,
            ),
            (r#"c_total{status="200",path="a, b"} 1.2e+03"#, "a, b", 1200),
            (r#"c_total{path="say \"}\" \\ and \n",} 7 1700000000000"#, "say \"}\" \\ and \n", 7),
            (r#"c_total{path="/x"} 5.0 # {trace_id="a}b"} 1.0 1700000000.123"#, "/x", 5),
            (r#"  c_total { path = "/x" , status = "2xx" }	3  "#, "/x", 3),
            (r#"{"c_total","path"="/x"} 4"#, "/x", 4),
        ] {
            let page = format!("# TYPE c_total counter\n{line}\r\nc_created{{path=\"/x\"}} 1.7e9\n# EOF\n");
            let found = samples(&page, "c_total").unwrap();
            assert_eq!(
                (found.len(), found[0].label("path"), found[0].count()),
                (1, Some(label), Some(count))
            );
        }
        assert_eq!(samples("c_total 3.0", "c_total").unwrap()[0].count(), Some(3));
    }

    #[test]
    fn a_metric_whose_name_only_begins_or_ends_alike_is_another_one() {
        let page = "c_total_v2{a=\"b\"} 1\nmy_c_total 2\nc_totals{x=\"c_total\"} 3\n# c_total 4\nc 5\n";
        assert_eq!(samples(page, "c_total").unwrap(), []);
        assert!(!is_declared(page, "c_total"));
    }

    #[test]
    fn a_declared_counter_may_have_no_value_yet() {
        assert!(is_declared("# HELP c_total requests\n", "c_total"), "Prometheus' text");
        assert!(is_declared("# TYPE c counter\n", "c_total"), "OpenMetrics' text");
        assert!(!is_declared("# UNIT c_total seconds\n# TYPE c_total_x counter", "c_total"));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error_and_not_left_out() {
        for line in [
            "c_total{a=\"b} 1",
            "c_total{a=b} 1",
            "c_total{a=\"b\"}",
            "c_total twelve",
            "c_total",
            "c_total{a=\"b\" c=\"d\"} 1",
        ] {
            assert_eq!(samples(line, "c_total"), Err(Unreadable), "{line}");
        }
    }

    #[test]
    fn what_is_not_a_whole_number_is_no_count() {
        for value in ["NaN", "+Inf", "-Inf", "-1", "0.5", "1e300"] {
            assert_eq!(samples(&format!("c {value}"), "c").unwrap()[0].count(), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_label_and_count_that_is_written_is_read(
            value in "\\PC*", other in "[ -~\n]{0,20}", count in 0..1_u64 << 50, style in 0..3,
        ) {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let number = match style {
                0 => count.to_string(),
                1 => format!("{:?}", count as f64),
                _ => format!("{:e}", count as f64),
            };
            let page = format!("a 1\nc{{x=\"{}\",y=\"{}\"}} {number} 1700000000\n", quoted(&other), quoted(&value));
            let found = samples(&page, "c").unwrap();
            prop_assert_eq!(found[0].count(), Some(count));
            prop_assert_eq!(found[0].label("y"), Some(value.as_str()).filter(|value| !value.is_empty()));
            prop_assert_eq!(found[0].label("x"), Some(other.as_str()).filter(|other| !other.is_empty()));
        }

        #[test]
        fn no_text_is_a_panic(page in "(c|\\{|\\}|\"|,|=|\\\\|[a-z]| |\n|1|#){0,60}") {
            let _ = samples(&page, "c");
        }
    }
}
