//! Seeds: 32 bytes that decide everything about a piece that its parameters do not.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A 32-byte seed.
///
/// Its text form is 64 lower-case hexadecimal digits. A whole number stands for its big-endian 256-bit form:
///
/// ```
/// use seedstorm_sim::Seed;
/// let seed: Seed = "258".parse()?;
/// assert_eq!(seed.to_string(), format!("{:0>64}", "102"));
/// # Ok::<(), seedstorm_sim::SeedError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seed(pub [u8; 32]);

/// Why a text is not a seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a seed: give 64 hexadecimal digits, or a whole number below 2^256")]
pub struct SeedError {
    /// What was given, cut to a readable length.
    text: String,
}

impl Seed {
    /// As people write it, and as [`Seed::from_str`] reads it: a number where it has no more than 64 bits, else its 64
    /// hexadecimal digits.
    #[must_use]
    pub fn written(&self) -> String {
        let (high, low) = self.0.split_at(24);
        match (high.iter().all(|byte| *byte == 0), low.try_into()) {
            (true, Ok(low)) => u64::from_be_bytes(low).to_string(),
            _ => self.to_string(),
        }
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    /// Reads 64 hexadecimal digits (with or without `0x`), or a decimal whole number below 2^256.
    fn from_str(text: &str) -> Result<Self, SeedError> {
        let wrong = || SeedError { text: text.chars().take(80).collect() };
        let digits = text.strip_prefix("0x");
        let mut bytes = [0u8; 32];
        if digits.is_some() || text.len() == 64 {
            hex::decode_to_slice(digits.unwrap_or(text), &mut bytes).map_err(|_| wrong())?;
            return Ok(Self(bytes));
        }
        if text.is_empty() || text.len() > 78 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        for digit in text.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in bytes.iter_mut().rev() {
                carry += u32::from(*byte) * 10;
                *byte = carry as u8;
                carry >>= 8;
            }
            if carry != 0 {
                return Err(wrong());
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    /// Only the canonical form: 64 lower-case hexadecimal digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seed = Seed::from_str(&text).map_err(D::Error::custom)?;
        if seed.to_string() != text {
            return Err(D::Error::custom("a seed in a recipe is 64 lower-case hexadecimal digits"));
        }
        Ok(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        assert_eq!("1".parse::<Seed>().unwrap(), Seed::from(1));
        assert_eq!("18446744073709551615".parse::<Seed>().unwrap(), Seed::from(u64::MAX));
        for (text, written) in [("87", "87"), ("18446744073709551615", "18446744073709551615")] {
            assert_eq!(text.parse::<Seed>().unwrap().written(), written);
        }
        let large: Seed = "18446744073709551616".parse().unwrap();
        assert_eq!(large.written(), large.to_string());
        assert_eq!(large.written().parse::<Seed>().unwrap(), large);
        let largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(largest.parse::<Seed>().unwrap(), Seed([0xff; 32]));
    }

    #[test]
    fn wrong_seeds_are_refused() {
        let too_large = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        for text in ["", "-1", "1.5", "0x12", "zz", too_large, &"f".repeat(63), &"g".repeat(64)] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
    }
}
