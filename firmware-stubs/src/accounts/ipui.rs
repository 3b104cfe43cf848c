//! The name of a handset: ten lower-case hexadecimal digits, case-exact.

use std::fmt;

/// The International Portable User Identity: the name of one handset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipui([u8; Self::DIGITS]);

impl Ipui {
    const DIGITS: usize = 10;
    /// Before all others.
    pub(crate) const FIRST: Self = Self([b'0'; Self::DIGITS]);

    /// The IPUI that this text is: ten lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = text.as_bytes().try_into().ok()?;
        text.bytes().all(digit).then_some(Self(digits))
    }

    /// The IPUI that a handset brings along that was not named.
    pub(super) fn of_lot(lot: u32) -> Self {
        let mut digits = [b'0'; Self::DIGITS];
        let text = format!("02{lot:08x}");
        for (digit, drawn) in digits.iter_mut().zip(text.bytes()) {
            *digit = drawn;
        }
        Self(digits)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Ipui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ipui").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Ipui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
