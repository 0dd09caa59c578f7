//! From what somebody asks to words that FTS5 takes as words, whatever they are.

/// The most words of one query that are looked at.
pub const MAX_WORDS: usize = 32;

/// Longest word that is looked for, in bytes; nothing longer is a word.
const MAX_WORD: usize = 128;

/// The first different words of `text`: runs of letters, digits and the marks that belong to letters. Everything else
/// divides words, so nothing of FTS5's own syntax is left.
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !(c.is_alphanumeric() || MARKS.contains(&c))) {
        if word.is_empty() || word.len() > MAX_WORD {
            continue;
        }
        let word = word.to_lowercase();
        if !words.contains(&word) {
            words.push(word);
            if words.len() == MAX_WORDS {
                break;
            }
        }
    }
    words
}

/// A match expression for one word.
pub fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// A match expression for any of the words.
pub fn any<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" OR ")
}

/// Combining diacritical marks: `e` and an accent behind it are one letter.
const MARKS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_are_left_of_a_query() {
        assert_eq!(words("nginx AND (502 NOT \"x\")* ; DROP"), ["nginx", "and", "502", "not", "x", "drop"]);
        assert_eq!(words("Straße caf\u{65}\u{301} 日本語 🦀"), ["straße", "cafe\u{301}", "日本語"]);
        assert!(words("🦀 \" ' ( ) * : ^ - NEAR/2").starts_with(&["near".to_owned(), "2".to_owned()]));
        assert!(words("").is_empty());
        assert_eq!(words(&"a b ".repeat(30_000)), ["a", "b"]);
        assert!(words(&"x".repeat(65_536)).is_empty());
    }
}
