//! Which names may become part of a file's name.
//!
//! Scenarios, rigs and dialects name the files of evidence. A name is checked where it enters, so that no later code has
//! to escape it, and no feature or rig file of a stranger can write outside a run's folder.

/// What is said about a name that does not fit.
pub const RULE: &str = "becomes part of file names, so it may only have up to 50 letters, digits, `.`, `_` and `-`, no \
                        `.` in front and no `..`";

/// The longest name. Our choice: a scenario's, a rig's and a dialect's with what joins them, and an extension, fit the 255
/// bytes of the usual file systems.
const LONGEST: usize = 50;

/// Whether this name may become part of a file's name.
#[must_use]
pub fn fits(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST).contains(&name.len())
        && name.chars().all(fit)
        && !name.starts_with('.')
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_fit() {
        for name in ["emulated-n870", "ID-BSFT-CF-001.2", "huawei_ims", "3cx"] {
            assert!(fits(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "../x",
            "a/b",
            "a\\b",
            "a b",
            "a@b",
            "ä",
            "a\0",
            "a:b",
            "a..b",
            "a123456789b123456789c123456789d123456789e123456789f",
        ] {
            assert!(!fits(name), "{name:?}");
        }
    }
}
