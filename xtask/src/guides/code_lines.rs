//! The lines of code in Markdown. The tests of the driver include this file, too.

/// The lines of code, each with its number. A line of code is indented by four spaces, or in a fence. Lines that end with
/// a backslash are joined with the next one.
pub(crate) fn code_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    let mut pending: Option<(usize, String)> = None;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !fenced && !line.starts_with("    ") {
            continue;
        }
        let (start, joined) = match pending.take() {
            Some((start, begun)) => (start, begun + line.trim()),
            None => (number, line.trim().to_owned()),
        };
        match joined.strip_suffix('\\') {
            Some(begun) => pending = Some((start, begun.to_owned())),
            None => found.push((start, joined)),
        }
    }
    found
}
