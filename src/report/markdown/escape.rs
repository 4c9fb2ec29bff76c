//! Text in which Markdown must interpret nothing.

use crate::report::visible::{changes_direction, is_break};

/// The text on one line, for any place inside a line, also inside a table.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        match character {
            '\\' | '|' | '`' | '*' | '[' | '~' => escaped.extend(['\\', character]),
            // Inside a word, Markdown takes an underscore as it is.
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => escaped.push_str("\\_"),
            '<' if after.is_ascii_alphabetic() || "/!?".contains(after) => escaped.push_str("&lt;"),
            '&' if after.is_ascii_alphanumeric() || after == '#' => escaped.push_str("&amp;"),
            _ if changes_direction(character) => escaped.extend(character.escape_unicode()),
            _ if is_break(character) => escaped.push(' '),
            _ => escaped.push(character),
        }
        before = character;
    }
    escaped
}

/// The same for a whole line, whose first characters must not begin a list, a heading or a quote.
pub(super) fn escape_line(text: &str) -> String {
    let escaped = escape(text.trim_start());
    let rest = escaped.trim_start_matches(|character: char| character.is_ascii_digit());
    if rest.len() < escaped.len() && rest.starts_with(['.', ')']) {
        let digits = &escaped[..escaped.len() - rest.len()];
        return format!("{digits}\\{rest}");
    }
    if escaped.starts_with(['#', '-', '+', '=', '>']) { format!("\\{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_interprets_no_character_of_a_name() {
        for (text, escaped) in [
            ("a|b", r"a\|b"),
            (r"C:\dir\|", r"C:\\dir\\\|"),
            ("two\r\nlines", "two  lines"),
            ("<b>&lt;</b> a < b & c", "&lt;b>&amp;lt;&lt;/b> a < b & c"),
            ("*a* `b` [c](d) ~~e~~", r"\*a\* \`b\` \[c](d) \~\~e\~\~"),
            ("locust_matrix.py _a_", r"locust_matrix.py \_a\_"),
            ("n/a (n<459)", "n/a (n<459)"),
            ("\u{202e}abc", r"\u{202e}abc"),
            ("שלום", "שלום"),
        ] {
            assert_eq!(escape(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn a_line_begins_no_list_heading_or_quote() {
        for (text, escaped) in [
            ("# a", r"\# a"),
            ("- a", r"\- a"),
            ("  > a", r"\> a"),
            ("1. a", r"1\. a"),
            ("12) a", r"12\) a"),
            ("1 replica", "1 replica"),
        ] {
            assert_eq!(escape_line(text), escaped, "{text:?}");
        }
    }
}
