//! Which names endpoints may have.

/// The longest endpoint name in bytes: `ep=` and the name have to fit a CoAP option.
pub const MAX_ENDPOINT: usize = 252;

/// Whether an endpoint may have this name: 1 to 252 bytes without control characters, without blanks
/// at its ends, and without characters that nobody sees, because a name with those looks like that of
/// another endpoint. `.` and `..` cannot be part of a URI.
#[must_use]
pub fn is_endpoint_name(name: &str) -> bool {
    (1..=MAX_ENDPOINT).contains(&name.len())
        && !matches!(name, "." | "..")
        // This is asked at each Update, of names that are nearly all of this kind.
        && (name.bytes().all(|byte| byte.is_ascii_graphic()) || is_legible(name))
}

fn is_legible(name: &str) -> bool {
    name.trim() == name
        && !name.chars().any(|it| it.is_control() || is_odd_blank(it) || is_invisible(it))
}

/// Blanks other than the usual one, among them the separators of lines and paragraphs.
fn is_odd_blank(character: char) -> bool {
    character.is_whitespace() && character != ' '
}

/// The characters that are shown as nothing: those with the properties Default_Ignorable_Code_Point
/// or Bidi_Control, and interlinear annotations (Unicode 16, DerivedCoreProperties.txt).
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_looks_like_no_other() {
        for good in ["a", "urn:dev:os:32473-1", "Zähler 7", "計器", "a.", "...", &"x".repeat(252)]
        {
            assert!(is_endpoint_name(good), "{good:?}");
        }
        let odd = ["a\u{a0}b", "a\u{2028}b", "\u{3000}a", "a\u{200b}", "\u{feff}a", "a\u{202e}b"];
        let bad = ["", ".", "..", " a", "a ", "\ta", "a\nb", "a\u{7f}", "a\u{ad}b", "a\u{e0020}"];
        for bad in bad.into_iter().chain(odd).chain([&*"x".repeat(253)]) {
            assert!(!is_endpoint_name(bad), "{bad:?}");
        }
    }
}
