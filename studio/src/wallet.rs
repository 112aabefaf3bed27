//! The key of a home, for people: whether there is one, what keeps it, what it has, and how one comes to it.

use std::path::PathBuf;

use seedstorm_mint::{
    Address, EmbeddedChain, PrivateKeySigner, U256,
    keystore::{self, Cost, Password},
};

use crate::{Home, StudioError, ledger};

/// The fewest letters of a password that is chosen.
pub const MIN_PASSWORD: usize = 8;

/// What keeps a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// There is no key yet; the first piece makes one, with a random password that is kept beside it.
    NoKey,
    /// A random password beside it: whoever can read the folder has the key.
    Kept,
    /// A password that is not here; one in the environment is wrong.
    Locked,
    /// A password that was given.
    Unlocked,
}

/// A home's key as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Its address, as its file says it.
    pub address: Option<Address>,
    /// What keeps it.
    pub protection: Protection,
    /// What it has on the embedded chain, in wei: test ether.
    pub balance: U256,
}

/// Looks at the key of a home. It is unlocked only to see whether the environment's password is its own.
///
/// # Errors
/// A file that is no keystore, or a damaged chain.
pub fn look(home: &Home) -> Result<Wallet, StudioError> {
    let path = key_path(home);
    if !path.exists() {
        return Ok(Wallet { address: None, protection: Protection::NoKey, balance: U256::ZERO });
    }
    let address = keystore::address(&path)?;
    let in_environment = || std::env::var_os(keystore::PASSWORD_VARIABLE).is_some_and(|password| !password.is_empty());
    // A home has a password that was tried; the environment may have any.
    let unlocked = home.password().is_some() || in_environment() && ledger::unlock(home).is_ok();
    let protection = match (unlocked, home.keys().join(keystore::PASSWORD_FILE).exists()) {
        (true, _) => Protection::Unlocked,
        (false, true) if !in_environment() => Protection::Kept,
        (false, _) => Protection::Locked,
    };
    let balance = match address.filter(|_| home.chain().exists()) {
        Some(address) => EmbeddedChain::open(home.chain())?.balance(address)?,
        None => U256::ZERO,
    };
    Ok(Wallet { address, protection, balance })
}

/// Makes a key under a password.
///
/// # Errors
/// There is one already, or the password is too short.
pub fn create(home: &Home, password: &Password) -> Result<PrivateKeySigner, StudioError> {
    Ok(keystore::create(&new_key(home, password)?, password.reveal(), Cost::Standard)?)
}

/// Takes a key that somebody has: 64 hexadecimal digits, or a keystore's file that `password` unlocks.
///
/// # Errors
/// There is a key already; it is no key; the password is wrong or too short.
pub fn import(home: &Home, secret: &Password, password: &Password) -> Result<PrivateKeySigner, StudioError> {
    let path = new_key(home, password)?;
    let text = secret.reveal().trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let key = if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        digits.parse().map_err(|_| StudioError::NoKey)?
    } else {
        let file = PathBuf::from(text);
        if !file.is_file() {
            return Err(StudioError::NoKey);
        }
        keystore::unlock(&file, password.reveal())?
    };
    keystore::store(&path, &key, password.reveal(), Cost::Standard)?;
    Ok(key)
}

/// The home, unlocked.
///
/// # Errors
/// A wrong password, or there is no key.
pub fn unlock(home: &Home, password: Password) -> Result<Home, StudioError> {
    if !key_path(home).exists() {
        return Err(StudioError::NoKey);
    }
    let home = home.clone().with_password(password);
    ledger::unlock(&home)?;
    Ok(home)
}

/// Where a key is to be, where there is none and may be one.
fn new_key(home: &Home, password: &Password) -> Result<PathBuf, StudioError> {
    if password.reveal().chars().count() < MIN_PASSWORD {
        return Err(StudioError::ShortPassword);
    }
    let path = key_path(home);
    if home.chain().exists() && !path.exists() {
        return Err(StudioError::KeyLost(path));
    }
    if path.exists() {
        return Err(keystore::KeystoreError::Exists(path).into());
    }
    Ok(path)
}

fn key_path(home: &Home) -> PathBuf {
    home.keys().join(keystore::KEY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    #[test]
    fn a_key_is_made_locked_and_unlocked_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(look(&home).unwrap().protection, Protection::NoKey);
        assert!(matches!(create(&home, &password("short")), Err(StudioError::ShortPassword)));
        let key = create(&home, &password("correct horse")).unwrap();
        let seen = look(&home).unwrap();
        assert_eq!((seen.address, seen.protection), (Some(key.address()), Protection::Locked));
        assert!(create(&home, &password("another horse")).is_err(), "a key is never replaced");
        assert!(unlock(&home, password("wrong horse")).is_err());
        let home = unlock(&home, password("correct horse")).unwrap();
        assert_eq!(look(&home).unwrap().protection, Protection::Unlocked);
        let said = format!("{home:?}");
        assert!(!said.contains("horse"), "{said}");
    }

    #[test]
    fn a_key_is_imported_as_digits_or_as_a_file() {
        let digits = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path().join("a")).unwrap();
        for nonsense in ["", "0x12", "/nowhere/key.json", &"f".repeat(64)] {
            assert!(import(&home, &password(nonsense), &password("long enough")).is_err(), "{nonsense}");
        }
        let key = import(&home, &password(digits), &password("long enough")).unwrap();
        let other = Home::open(folder.path().join("b")).unwrap();
        let file = password(home.keys().join(keystore::KEY_FILE).to_str().unwrap());
        assert!(import(&other, &file, &password("wrong password")).is_err());
        assert_eq!(import(&other, &file, &password("long enough")).unwrap().address(), key.address());
    }
}
