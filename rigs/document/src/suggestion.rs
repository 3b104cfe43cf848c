//! The known word that is nearest to an unknown one.

/// The candidate nearest to this word, unless all are too far away to be meant.
#[must_use]
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .min()
        // Our choice, because half of a word can be a typo and more is another word; short words get two letters.
        .filter(|(distance, candidate)| {
            let letters = candidate.chars().count();
            *distance <= letters.max(4) / 2 && *distance < letters.max(word.chars().count())
        })
        .map(|(_, candidate)| candidate)
}

/// The end of a complaint about an unknown word: the nearest known one, or all of them when they are few.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Our choice, because more words than this do not fit on one line of a terminal.
    const FEW: usize = 8;
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if !known.is_empty() && known.len() <= FEW => {
            format!("; known here: `{}`", known.join("`, `"))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_changed_places_are_one_mistake() {
        assert_eq!(nearest("buad", ["bold", "baud"]), Some("baud"));
    }

    #[test]
    fn a_word_far_from_all_known_ones_gets_no_suggestion() {
        assert_eq!(nearest("zzzzzz", ["port"]), None);
        assert_eq!(nearest("fr", ["en"]), None);
        assert_eq!(did_you_mean("zzzzzz", ["port"]), "; known here: `port`");
        assert_eq!(did_you_mean("zzzzzz", ["port"; 9]), "");
    }
}
