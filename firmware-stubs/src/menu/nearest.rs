//! The nearest known word, for the complaint about an unknown one.

/// `; did you mean ..?` when a known word is near, else nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .min();
    match nearest {
        // Our choice, because a word with half of its letters wrong is another word.
        Some((distance, candidate)) if distance * 2 <= candidate.len() => {
            format!("; did you mean `{candidate}`?")
        }
        _ => String::new(),
    }
}

/// How many letters to insert, delete or replace to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for (b, pair) in to.iter().zip(row.windows(2)) {
            let replaced = pair[0] + usize::from(a != *b);
            let inserted = next.last().map_or(replaced, |left| left + 1);
            next.push(replaced.min(pair[1] + 1).min(inserted));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_when_it_is_near() {
        let known = ["call-divert", "settings"];
        let hint = did_you_mean("call-divret", known);
        assert_eq!(hint, "; did you mean `call-divert`?");
        assert_eq!(did_you_mean("zebra", known), "");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
