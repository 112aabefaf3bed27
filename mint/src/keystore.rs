//! The signing key, encrypted in a file: Web3 Secret Storage, version 3.
//!
//! Format: <https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage>. The key is encrypted
//! with AES-128-CTR under a scrypt key of the password; any Ethereum wallet reads the file. Files are made with mode
//! 0600 and are never half-written.
//!
//! Written here and not left to `eth-keystore`, which derives with N = 8,192 where wallets use 262,144, makes files that
//! others may read, and panics on some malformed ones; the tests hold the two together.

use std::io;
use std::path::{Path, PathBuf};

use aes::cipher::{KeyIvInit, StreamCipher};
use alloy::primitives::{Address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::files::{self, Access};

/// The environment variable that holds the password.
pub const PASSWORD_VARIABLE: &str = "SEEDSTORM_PASSWORD";
/// The key's file in the folder of [`open_default`].
pub const KEY_FILE: &str = "key.json";
/// The random password's file, where no other password was given.
pub const PASSWORD_FILE: &str = "key.password";

const MAX_KEY_FILE_BYTES: u64 = 16 << 10;
const MAX_PASSWORD_BYTES: u64 = 4 << 10;
/// The most that a foreign file may make scrypt go through, in bytes: blocks times rounds, which is its memory times
/// `p`. Four times what wallets use.
pub const MAX_SCRYPT_BYTES: u64 = 1 << 30;
const SCRYPT_R: u32 = 8;

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;

/// How dear a guess of the password is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// scrypt with N = 2¹⁸, 256 MiB and about a second: what wallets use.
    Standard,
    /// N = 2¹², 4 MiB: for keys that guard nothing, such as a test's.
    Light,
}

/// Why a key could not be made or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The disk refused.
    #[error("keystore {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a key already; it is not overwritten.
    #[error("keystore {0} exists already; unlock it, or move it away to make another key")]
    Exists(PathBuf),
    /// The password is not the one that the file was made with.
    #[error("wrong password for keystore {0} (or its file is damaged)")]
    WrongPassword(PathBuf),
    /// There is a key, but nobody says its password.
    #[error("keystore {key} is there, but its password is not: set {PASSWORD_VARIABLE}, or bring {password} back")]
    NoPassword {
        /// The key's file.
        key: PathBuf,
        /// Where a random password would stand.
        password: PathBuf,
    },
    /// The file is not a keystore of version 3 that is understood here.
    #[error("{path} is not a keystore that can be read here: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

#[derive(Serialize, Deserialize)]
struct Document {
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    id: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: Scrypt,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Serialize, Deserialize)]
struct Scrypt {
    dklen: u32,
    n: u64,
    p: u32,
    r: u32,
    salt: String,
}

/// A password, which shows itself nowhere and is wiped from memory.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// What was typed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// Makes a new random key and its file.
///
/// # Errors
///
/// [`KeystoreError::Exists`] where there is a file, [`KeystoreError::Io`].
pub fn create(path: &Path, password: &str, cost: Cost) -> Result<PrivateKeySigner, KeystoreError> {
    loop {
        // Not every 32 bytes are a key: all but one in 2^128 are.
        let secret = Zeroizing::new(random::<32>()?);
        if let Ok(key) = PrivateKeySigner::from_slice(&*secret) {
            store(path, &key, password, cost)?;
            return Ok(key);
        }
    }
}

/// Encrypts a key that exists into a new file.
///
/// # Errors
///
/// [`KeystoreError::Exists`] where there is a file, [`KeystoreError::Io`].
pub fn store(path: &Path, key: &PrivateKeySigner, password: &str, cost: Cost) -> Result<(), KeystoreError> {
    let salt = random::<32>()?;
    let iv = random::<16>()?;
    let log_n = match cost {
        Cost::Standard => 18,
        Cost::Light => 12,
    };
    let derived = derive(password, &salt, log_n, SCRYPT_R, 1).expect("these parameters are in scrypt's range");
    let mut ciphertext = key.to_bytes().0;
    apply_cipher(&derived, &iv, &mut ciphertext);
    let document = Document {
        address: Some(hex::encode(key.address())),
        crypto: Crypto {
            cipher: "aes-128-ctr".to_owned(),
            cipherparams: CipherParams { iv: hex::encode(iv) },
            ciphertext: hex::encode(ciphertext),
            kdf: "scrypt".to_owned(),
            kdfparams: Scrypt { dklen: 32, n: 1 << log_n, p: 1, r: SCRYPT_R, salt: hex::encode(salt) },
            mac: hex::encode(mac(&derived, &ciphertext)),
        },
        id: uuid(random::<16>()?),
        version: 3,
    };
    let bytes = serde_json::to_vec_pretty(&document).expect("texts and numbers are JSON");
    files::create_atomically(path, &bytes, Access::Private).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.to_owned()),
        _ => KeystoreError::Io { path: path.to_owned(), source },
    })
}

/// The address that a key's file says it is of, which nobody has proved before it is unlocked; `None` where it does not say.
///
/// # Errors
///
/// [`KeystoreError::Io`]; [`KeystoreError::Format`] for a file that is no keystore.
pub fn address(path: &Path) -> Result<Option<Address>, KeystoreError> {
    let format = |problem: String| KeystoreError::Format { path: path.to_owned(), problem };
    let bytes = files::read_bounded(path, MAX_KEY_FILE_BYTES).map_err(io_error(path))?;
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
    document
        .address
        .map(|text| text.parse().map_err(|error: alloy::hex::FromHexError| format(format!("address: {error}"))))
        .transpose()
}

/// Unlocks the key in a file.
///
/// # Errors
///
/// [`KeystoreError::WrongPassword`]; [`KeystoreError::Format`] for a file that is no keystore, or one that asks for more
/// than 1 GiB of memory.
pub fn unlock(path: &Path, password: &str) -> Result<PrivateKeySigner, KeystoreError> {
    let format = |problem: String| KeystoreError::Format { path: path.to_owned(), problem };
    let bytes = files::read_bounded(path, MAX_KEY_FILE_BYTES).map_err(io_error(path))?;
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
    let crypto = &document.crypto;
    if document.version != 3 || crypto.cipher != "aes-128-ctr" || crypto.kdf != "scrypt" || crypto.kdfparams.dklen != 32
    {
        return Err(format("only version 3 with aes-128-ctr and scrypt of 32 bytes is".to_owned()));
    }
    let Scrypt { n, p, r, .. } = crypto.kdfparams;
    let bytes = [u64::from(r), u64::from(p), 128].iter().try_fold(n, |bytes, factor| bytes.checked_mul(*factor));
    if !n.is_power_of_two() || n < 2 || bytes.is_none_or(|bytes| bytes > MAX_SCRYPT_BYTES) {
        return Err(format(format!("scrypt parameters n={n}, r={r}, p={p} are out of range")));
    }
    let part = |name: &str, text: &str| hex::decode(text).map_err(|error| format(format!("{name}: {error}")));
    let salt = part("salt", &crypto.kdfparams.salt)?;
    let iv: [u8; 16] =
        part("iv", &crypto.cipherparams.iv)?.try_into().map_err(|_| format("iv is not 16 bytes".into()))?;
    let mut secret: Zeroizing<[u8; 32]> = Zeroizing::new(
        part("ciphertext", &crypto.ciphertext)?.try_into().map_err(|_| format("ciphertext is not 32 bytes".into()))?,
    );
    let expected = part("mac", &crypto.mac)?;
    let derived = derive(password, &salt, n.ilog2() as u8, r, p)
        .ok_or_else(|| format(format!("scrypt parameters n={n}, r={r}, p={p} are out of range")))?;
    if mac(&derived, &*secret)[..] != expected[..] {
        return Err(KeystoreError::WrongPassword(path.to_owned()));
    }
    apply_cipher(&derived, &iv, &mut *secret);
    let key = PrivateKeySigner::from_slice(&*secret).map_err(|error| format(error.to_string()))?;
    let address = document.address.map(|text| text.parse::<Address>());
    match address {
        Some(Ok(address)) if address != key.address() => {
            Err(format(format!("it says that it is {address}, and holds the key of {}", key.address())))
        }
        Some(Err(error)) => Err(format(format!("address: {error}"))),
        _ => Ok(key),
    }
}

/// Unlocks the key of a folder, and makes one at first use.
///
/// The password is `password` (what the environment variable [`PASSWORD_VARIABLE`] holds; an empty one counts as none).
/// Where there is none, a random one is kept in [`PASSWORD_FILE`] beside the key, readable by the file's owner alone.
/// That protects a copy of the key's file that travels without it, and nothing else: whoever can read the folder as this
/// user has the key. It is meant for test ether; give a password of your own before the key holds anything of value.
///
/// # Errors
///
/// [`KeystoreError::WrongPassword`]; [`KeystoreError::NoPassword`] where there is a key but neither password.
pub fn open_default(folder: &Path, password: Option<&str>) -> Result<PrivateKeySigner, KeystoreError> {
    open_or_create(folder, password, Cost::Standard)
}

fn open_or_create(folder: &Path, password: Option<&str>, cost: Cost) -> Result<PrivateKeySigner, KeystoreError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let path = folder.join(KEY_FILE);
    let password = match password {
        Some(password) if !password.is_empty() => Zeroizing::new(password.to_owned()),
        _ => kept_password(&path, &folder.join(PASSWORD_FILE))?,
    };
    if path.exists() {
        return unlock(&path, &password);
    }
    match create(&path, &password, cost) {
        // Another process made it in the meantime.
        Err(KeystoreError::Exists(_)) => unlock(&path, &password),
        other => other,
    }
}

/// The random password beside a key, made where there is neither.
fn kept_password(key: &Path, path: &Path) -> Result<Zeroizing<String>, KeystoreError> {
    if !path.exists() {
        if key.exists() {
            return Err(KeystoreError::NoPassword { key: key.to_owned(), password: path.to_owned() });
        }
        let password = Zeroizing::new(hex::encode(*Zeroizing::new(random::<32>()?)));
        match files::create_atomically(path, password.as_bytes(), Access::Private) {
            // Another process made it in the meantime: that one counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(io_error(path))?,
        }
    }
    let bytes = files::read_bounded(path, MAX_PASSWORD_BYTES).map_err(io_error(path))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| KeystoreError::Format { path: path.to_owned(), problem: error.to_string() })?;
    Ok(Zeroizing::new(text))
}

fn derive(password: &str, salt: &[u8], log_n: u8, r: u32, p: u32) -> Option<Zeroizing<[u8; 32]>> {
    let params = scrypt::Params::new(log_n, r, p).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut *key).ok()?;
    Some(key)
}

fn apply_cipher(derived: &[u8; 32], iv: &[u8; 16], bytes: &mut [u8]) {
    let key: [u8; 16] = derived[..16].try_into().expect("half of 32 bytes");
    Aes128Ctr::new(&key.into(), iv.into()).apply_keystream(bytes);
}

fn mac(derived: &[u8; 32], ciphertext: &[u8]) -> [u8; 32] {
    keccak256([&derived[16..], ciphertext].concat()).0
}

fn random<const N: usize>() -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeystoreError::Random)?;
    Ok(bytes)
}

/// A random UUID (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeystoreError + '_ {
    move |source| KeystoreError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_opens_with_its_password_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let key = create(&path, "correct horse", Cost::Light).unwrap();
        assert_eq!(unlock(&path, "correct horse").unwrap().to_bytes(), key.to_bytes());
        assert!(matches!(unlock(&path, "battery staple"), Err(KeystoreError::WrongPassword(_))));
        assert!(matches!(create(&path, "x", Cost::Light), Err(KeystoreError::Exists(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        open_or_create(folder.path(), None, Cost::Light).unwrap();
        for name in [KEY_FILE, PASSWORD_FILE] {
            let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn eth_keystore_reads_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        // The one test at full cost: the parameters are those that ship.
        let key = create(&path, "pw", Cost::Standard).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("262144"));
        let theirs = PrivateKeySigner::decrypt_keystore(&path, "pw").unwrap();
        assert_eq!(theirs.to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_file_made_by_geth_opens() {
        // A key that geth's own tests use, with an empty password. (The scrypt example of the definition has r = 1 with
        // N = 2^18, which RFC 7914 forbids.)
        let text = r#"{ "address": "45dea0fb0bba44f4fcf290bba71fd57d7117cbb8", "crypto": { "cipher": "aes-128-ctr",
            "ciphertext": "b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145",
            "cipherparams": { "iv": "dc4926b48a105133d2f16b96833abf1e" }, "kdf": "scrypt",
            "kdfparams": { "dklen": 32, "n": 2, "p": 1, "r": 8,
                "salt": "004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0" },
            "mac": "39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85" },
            "id": "ce541d8d-c79b-40f8-9f8c-20f59616faba", "version": 3 }"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        std::fs::write(&path, text).unwrap();
        assert_eq!(hex::encode(unlock(&path, "").unwrap().address()), "45dea0fb0bba44f4fcf290bba71fd57d7117cbb8");
        std::fs::write(&path, text.replace("45dea0", "45dea1")).unwrap();
        assert!(matches!(unlock(&path, ""), Err(KeystoreError::Format { .. })), "the key of another address");
    }

    #[test]
    fn files_that_ask_for_too_much_are_refused_before_they_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        create(&path, "pw", Cost::Light).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("4096", "1099511627776"),
            ("4096", "4095"),
            ("\"p\": 1", "\"p\": 999"),
            ("\"p\": 1", "\"p\": 0"),
            ("\"r\": 8", "\"r\": 0"),
            ("\"r\": 8", "\"r\": 4294967295"),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            std::fs::write(&path, bad).unwrap();
            let error = unlock(&path, "pw").unwrap_err();
            assert!(matches!(error, KeystoreError::Format { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn the_default_key_is_the_same_next_time_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let first = open_or_create(folder.path(), None, Cost::Light).unwrap();
        assert_eq!(open_or_create(folder.path(), Some(""), Cost::Light).unwrap().address(), first.address());
        let wrong = open_or_create(folder.path(), Some("other"), Cost::Light).unwrap_err();
        assert!(matches!(wrong, KeystoreError::WrongPassword(_)));
        std::fs::remove_file(folder.path().join(PASSWORD_FILE)).unwrap();
        let missing = open_or_create(folder.path(), None, Cost::Light).unwrap_err();
        assert!(matches!(missing, KeystoreError::NoPassword { .. }));
    }
}
