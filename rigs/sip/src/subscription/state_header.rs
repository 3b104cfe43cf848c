//! The Subscription-State header (RFC 6665 §8.2.3), read strictly or as well as it can be.

use std::fmt;

/// The first word of Subscription-State.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Substate {
    /// `active`
    Active,
    /// `pending`
    Pending,
    /// `terminated`
    Terminated,
    /// Any other token.
    Extension(String),
}

impl Substate {
    fn from_token(token: &str) -> Self {
        match token.to_ascii_lowercase().as_str() {
            "active" => Self::Active,
            "pending" => Self::Pending,
            "terminated" => Self::Terminated,
            other => Self::Extension(other.to_owned()),
        }
    }
}

/// Subscription-State that is missing or breaks the syntax.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed Subscription-State {0:?}")]
pub struct MalformedState(pub String);

/// The value of Subscription-State.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The first word.
    pub substate: Substate,
    /// Seconds left.
    pub expires: Option<u32>,
    /// Why it was terminated.
    pub reason: Option<String>,
    /// Seconds to wait before another try.
    pub retry_after: Option<u32>,
}

impl SubscriptionState {
    /// Reads a value by the grammar.
    ///
    /// # Errors
    /// When the first word is not a token or a known parameter has no proper value.
    pub fn parse(value: &str) -> Result<Self, MalformedState> {
        let refuse = || MalformedState(value.to_owned());
        let mut parts = value.split(';').map(str::trim);
        let token = parts.next().unwrap_or_default();
        if token.is_empty() || !token.bytes().all(is_token_byte) {
            return Err(refuse());
        }
        let mut state = Self {
            substate: Substate::from_token(token),
            expires: None,
            reason: None,
            retry_after: None,
        };
        for part in parts {
            let (name, text) = part.split_once('=').unwrap_or((part, ""));
            let text = text.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "expires" => state.expires = Some(text.parse().map_err(|_| refuse())?),
                "retry-after" => state.retry_after = Some(text.parse().map_err(|_| refuse())?),
                "reason" => state.reason = Some(text.to_owned()),
                _ => {}
            }
        }
        Ok(state)
    }

    /// Reads what can be read: the first word up to anything that is no token, and each parameter that is sound.
    #[must_use]
    pub fn parse_leniently(value: &str) -> Self {
        let word = value.trim_start();
        let end = word.bytes().position(|byte| !is_token_byte(byte));
        let token = end.and_then(|end| word.get(..end)).unwrap_or(word);
        let mut state = Self {
            substate: Substate::from_token(token),
            expires: None,
            reason: None,
            retry_after: None,
        };
        for part in value.split(';').skip(1) {
            if let Ok(read) = Self::parse(&format!("active;{part}")) {
                state.expires = read.expires.or(state.expires);
                state.reason = read.reason.or(state.reason);
                state.retry_after = read.retry_after.or(state.retry_after);
            }
        }
        state
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.substate {
            Substate::Active => "active",
            Substate::Pending => "pending",
            Substate::Terminated => "terminated",
            Substate::Extension(token) => token,
        })?;
        if let Some(reason) = &self.reason {
            write!(f, ";reason={reason}")?;
        }
        if let Some(expires) = self.expires {
            write!(f, ";expires={expires}")?;
        }
        if let Some(seconds) = self.retry_after {
            write!(f, ";retry-after={seconds}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_value_is_read_in_any_case_and_printed_back() {
        let state =
            SubscriptionState::parse("Terminated ; REASON=probation;retry-after=7;x").unwrap();
        assert_eq!(state.substate, Substate::Terminated);
        assert_eq!(state.reason.as_deref(), Some("probation"));
        assert_eq!(state.retry_after, Some(7));
        assert_eq!(
            state.to_string(),
            "terminated;reason=probation;retry-after=7"
        );
    }

    #[test]
    fn a_comma_instead_of_a_parameter_is_malformed_and_still_means_active() {
        for value in ["active, 3599", "active;expires=soon", "", "  "] {
            assert!(SubscriptionState::parse(value).is_err(), "{value:?}");
        }
        let state = SubscriptionState::parse_leniently("active, 3599");
        assert_eq!(state.substate, Substate::Active);
        assert_eq!(state.expires, None);
        let state = SubscriptionState::parse_leniently("active;expires=soon;reason=x");
        assert_eq!(state.reason.as_deref(), Some("x"));
    }
}
