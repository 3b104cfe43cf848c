//! The nearest known word to one that nobody knows, for complaints.

/// The known word that takes the fewest changes of letters; the first of several that are as near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate))
}

/// The end of a complaint about an unknown word: the nearest known one, if there is any.
#[must_use]
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| {
        format!("; the nearest known one is `{near}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named() {
        let known = ["broadsoft", "metaswitch", "genesys"];
        assert_eq!(
            hint("brodasoft", known),
            "; the nearest known one is `broadsoft`"
        );
        assert_eq!(nearest("genisis", known), Some("genesys"));
        assert_eq!(hint("genesys", []), "");
    }
}
