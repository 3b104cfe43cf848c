//! The keys of a handset.

use std::fmt;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Back to the screen before, without effect.
    Back,
    /// Deletes the last character.
    Clear,
    /// `0` to `9`, `*`, `#`.
    Digit(char),
    /// The cursor down.
    Down,
    /// On-hook: ends a call, or everything that is open.
    End,
    /// Left.
    Left,
    /// Opens the menu.
    Menu,
    /// The middle of the navigation key.
    Ok,
    /// Right.
    Right,
    /// The left display key.
    SoftLeft,
    /// The right display key.
    SoftRight,
    /// Off-hook.
    Talk,
    /// The cursor up.
    Up,
}

/// A word that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key {0}")]
pub struct UnknownKey(pub String);

impl Key {
    /// The key with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(name: &str) -> Result<Self, UnknownKey> {
        let mut characters = name.chars();
        if let (Some(digit @ ('0'..='9' | '*' | '#')), None) =
            (characters.next(), characters.next())
        {
            return Ok(Self::Digit(digit));
        }
        match name {
            "back" => Ok(Self::Back),
            "clear" => Ok(Self::Clear),
            "down" => Ok(Self::Down),
            "end" => Ok(Self::End),
            "left" => Ok(Self::Left),
            "menu" => Ok(Self::Menu),
            "ok" => Ok(Self::Ok),
            "right" => Ok(Self::Right),
            "soft-left" => Ok(Self::SoftLeft),
            "soft-right" => Ok(Self::SoftRight),
            "talk" => Ok(Self::Talk),
            "up" => Ok(Self::Up),
            _ => Err(UnknownKey(name.to_owned())),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Back => f.write_str("back"),
            Self::Clear => f.write_str("clear"),
            Self::Digit(digit) => write!(f, "{digit}"),
            Self::Down => f.write_str("down"),
            Self::End => f.write_str("end"),
            Self::Left => f.write_str("left"),
            Self::Menu => f.write_str("menu"),
            Self::Ok => f.write_str("ok"),
            Self::Right => f.write_str("right"),
            Self::SoftLeft => f.write_str("soft-left"),
            Self::SoftRight => f.write_str("soft-right"),
            Self::Talk => f.write_str("talk"),
            Self::Up => f.write_str("up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_from_its_name() {
        let names = "menu up down left right ok back end talk clear soft-left soft-right 0 5 9 * #";
        for name in names.split(' ') {
            assert_eq!(Key::parse(name).unwrap().to_string(), name);
        }
        assert!(Key::parse("10").is_err());
        assert!(Key::parse("").is_err());
        assert!(Key::parse("Menu").is_err());
    }
}
