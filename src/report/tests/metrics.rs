//! `metrics.txt`: its figures and its format.

use super::super::openmetrics;
use super::every_kind;
use crate::judge::JudgedRun;

#[test]
fn openmetrics_have_figures_of_valid_rows_only_and_end_with_their_mark() {
    let text = String::from_utf8(openmetrics::render(&JudgedRun::of(&every_kind()))).unwrap();
    let closed = "model=\"closed\",replicas=\"1\",workers=\"2\",users=\"20\",repeat=\"1\"";
    assert!(text.contains(&format!("locust_matrix_p95_seconds{{{closed}}} 0.1\n")), "{text}");
    assert!(text.contains(&format!("locust_matrix_valid{{{closed}}} 1\n")));
    assert!(text.contains("status=\"VOID\"} 1\n") && text.contains("status=\"OVERLOADED\"} 1\n"));
    let invalid = |line: &&str| line.starts_with("locust_matrix_valid{") && line.ends_with(" 0");
    assert_eq!(text.lines().filter(invalid).count(), 3, "failed, void and overloaded");
    assert_eq!(text.matches("locust_matrix_p95_seconds{").count(), 3, "{text}");
    assert!(text.ends_with("# EOF\n"));
}

/// The rules of the format that readers check: families in one piece, each with its type before its samples, known
/// units at the end of names, and no two samples with the same labels.
#[test]
fn openmetrics_keep_to_their_format() {
    let text = String::from_utf8(openmetrics::render(&JudgedRun::of(&every_kind()))).unwrap();
    let (mut families, mut samples) = (Vec::new(), std::collections::BTreeSet::new());
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "TYPE", name, "gauge" | "info"] => {
                assert!(!families.contains(name), "{name} is there twice");
                families.push(name);
            }
            ["#", "UNIT", name, unit] => {
                assert!(name.ends_with(unit) && families.last() == Some(name), "{line}");
            }
            ["#", "HELP", name, _] => assert_eq!(families.last(), Some(name), "{line}"),
            ["#", "EOF"] => {}
            _ => {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = sample.split_once('{').unwrap();
                // A sample of the type info has this ending.
                let family = name.strip_suffix("_info").unwrap_or(name);
                assert_eq!(families.last(), Some(&family), "{line}");
                assert!(labels.ends_with('}') && value.parse::<f64>().is_ok(), "{line}");
                assert!(samples.insert(sample), "{sample} is there twice");
            }
        }
    }
    assert!(text.ends_with("# EOF\n") && families.len() == 7, "{families:?}");
}
