//! Text of which a reader sees every character.

/// The text on one line. Control characters become spaces, and characters that are invisible and reorder the text
/// around them are written as their number.
pub(super) fn visible(text: &str) -> String {
    // Most texts have nothing to replace, and a page has a great many of them.
    if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if changes_direction(character) => shown.extend(character.escape_unicode()),
            _ if is_break(character) => shown.push(' '),
            // No XML document may have them.
            '\u{fffe}' | '\u{ffff}' => shown.push('\u{fffd}'),
            _ => shown.push(character),
        }
    }
    shown
}

/// The first characters of the text, as many as fit.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Characters that are invisible and reorder the text around them, so that a row reads as another.
pub(super) const fn changes_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Characters that end a line or have no form.
pub(super) fn is_break(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_seen_and_stays_in_its_place() {
        for (text, shown) in [
            ("a\u{202e}b\u{200f}c\u{61c}", r"a\u{202e}b\u{200f}c\u{61c}"),
            ("a\r\nb\u{85}c\u{2028}d\0", "a  b c d "),
            ("שלום <b>", "שלום <b>"),
            ("\u{ffff}", "\u{fffd}"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(shortened("ééééé", 3), "éé…");
        assert_eq!(shortened("éé", 3), "éé");
    }
}
