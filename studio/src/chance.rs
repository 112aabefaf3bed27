//! Numbers that nobody can foresee.

use crate::StudioError;

/// Bytes from the system's source of randomness.
///
/// # Errors
/// The system has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], StudioError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StudioError::Io {
        path: "the system's source of randomness".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}
