//! Who made a bundle, with what, and when: a signed statement beside the content.
//!
//! The signature is EIP-712 typed data, so that a contract or a wallet can check it. The domain names no chain and no
//! contract: the statement is about content, and holds wherever the content is. Times are what the signer says.

use alloy::primitives::{Address, Signature};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};
use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::metadata;

/// The longest name of a backend, in bytes.
pub const MAX_BACKEND_BYTES: usize = 256;

/// The value of `kind` in the document.
const KIND: &str = "seedstorm-attestation/2";

mod typed {
    alloy::sol! {
        struct Attestation {
            string bundle;
            bytes32 simRoot;
            bytes32 lightRoot;
            string backend;
            uint64 startedAt;
            uint64 finishedAt;
        }
    }
}

/// What is attested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The bundle's CID.
    pub bundle: Cid,
    /// The root of the simulation that the signer ran.
    pub sim_root: [u8; 32],
    /// The root of the raw light of all frames, where they were drawn on a device; else zeros.
    pub light_root: [u8; 32],
    /// What it was run on, e.g. `cpu` or `gpu: llvmpipe`; not empty.
    pub backend: String,
    /// When it was begun, in seconds since 1970-01-01 UTC.
    pub started_at: u64,
    /// When it was done; not before `started_at`.
    pub finished_at: u64,
}

/// A claim with a signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    claim: Claim,
    signer: Address,
    signature: Signature,
}

/// Why a statement cannot be signed or trusted.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// Not JSON, or a field that is missing, unknown, twice or of the wrong type.
    #[error("attestation: {0}")]
    Json(#[from] serde_json::Error),
    /// A field's value is out of bounds.
    #[error("attestation: {0}")]
    Field(String),
    /// Signing failed.
    #[error("attestation: the key could not sign: {0}")]
    Sign(#[from] alloy::signers::Error),
    /// The signature is not the signer's, or not in the one form that is taken.
    #[error("attestation: the signature is not one of {0} over this statement")]
    WrongSignature(Address),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    bundle: String,
    sim_root: String,
    light_root: String,
    backend: String,
    started_at: u64,
    finished_at: u64,
    signer: Address,
    signature: String,
}

impl Claim {
    /// Signs the claim.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Field`] for a claim out of bounds.
    pub fn sign(self, key: &PrivateKeySigner) -> Result<Attestation, AttestationError> {
        self.check()?;
        let signature = key.sign_hash_sync(&self.typed().eip712_signing_hash(&domain()))?;
        Ok(Attestation { claim: self, signer: key.address(), signature })
    }

    fn check(&self) -> Result<(), AttestationError> {
        if self.backend.is_empty() || self.backend.len() > MAX_BACKEND_BYTES {
            return Err(AttestationError::Field(format!("backend has 1 to {MAX_BACKEND_BYTES} bytes")));
        }
        // JSON numbers are exact up to 2^53 everywhere.
        if self.started_at > self.finished_at || self.finished_at > 1 << 53 {
            return Err(AttestationError::Field("finished_at is before started_at, or no time at all".to_owned()));
        }
        Ok(())
    }

    fn typed(&self) -> typed::Attestation {
        typed::Attestation {
            bundle: self.bundle.to_string(),
            simRoot: self.sim_root.into(),
            lightRoot: self.light_root.into(),
            backend: self.backend.clone(),
            startedAt: self.started_at,
            finishedAt: self.finished_at,
        }
    }
}

impl Attestation {
    /// What is attested.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Who signed it.
    pub fn signer(&self) -> Address {
        self.signer
    }

    /// The document's bytes, in their RFC 8785 form.
    pub fn to_json(&self) -> Vec<u8> {
        let claim = &self.claim;
        let document = Document {
            kind: KIND.to_owned(),
            bundle: claim.bundle.to_string(),
            sim_root: hex::encode(claim.sim_root),
            light_root: hex::encode(claim.light_root),
            backend: claim.backend.clone(),
            started_at: claim.started_at,
            finished_at: claim.finished_at,
            signer: self.signer,
            signature: hex::encode(self.signature.as_bytes()),
        };
        serde_json_canonicalizer::to_vec(&document).expect("texts and whole numbers below 2^53 have a canonical form")
    }

    /// Reads a document and checks its signature.
    ///
    /// # Errors
    ///
    /// Any [`AttestationError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, AttestationError> {
        let document: Document = serde_json::from_slice(bytes)?;
        if document.kind != KIND {
            return Err(AttestationError::Field(format!("kind is {:?}, not {KIND:?}", document.kind)));
        }
        let wrong = |error: &dyn std::fmt::Display| AttestationError::Field(error.to_string());
        let claim = Claim {
            bundle: Cid::try_from(document.bundle.as_str()).map_err(|error| wrong(&error))?,
            sim_root: metadata::digest("sim_root", &document.sim_root).map_err(|error| wrong(&error))?,
            light_root: metadata::digest("light_root", &document.light_root).map_err(|error| wrong(&error))?,
            backend: document.backend,
            started_at: document.started_at,
            finished_at: document.finished_at,
        };
        claim.check()?;
        let mut signature = [0; 65];
        hex::decode_to_slice(&document.signature, &mut signature).map_err(|error| wrong(&error))?;
        let signature = Signature::from_raw_array(&signature).map_err(|error| wrong(&error))?;
        let attestation = Self { claim, signer: document.signer, signature };
        attestation.verify()?;
        if attestation.to_json() != bytes {
            return Err(AttestationError::Field("the document is not in canonical form (RFC 8785)".to_owned()));
        }
        Ok(attestation)
    }

    fn verify(&self) -> Result<(), AttestationError> {
        let hash = self.claim.typed().eip712_signing_hash(&domain());
        // The other root of the curve signs as well; only the lower one is taken, so that a statement has one signature.
        let low = self.signature.normalize_s().is_none();
        let recovered = self.signature.recover_address_from_prehash(&hash);
        if low && recovered.is_ok_and(|address| address == self.signer) {
            Ok(())
        } else {
            Err(AttestationError::WrongSignature(self.signer))
        }
    }
}

fn domain() -> Eip712Domain {
    eip712_domain! { name: "Seedstorm", version: "1", }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::raw_cid;

    fn signed() -> Attestation {
        let key = PrivateKeySigner::from_slice(&[7; 32]).unwrap();
        let backend = "cpu".to_owned();
        let (bundle, sim_root, light_root) = (raw_cid(b"b"), [9; 32], [0; 32]);
        let claim = Claim { bundle, sim_root, light_root, backend, started_at: 1_000, finished_at: 1_010 };
        claim.sign(&key).unwrap()
    }

    #[test]
    fn a_statement_survives_its_bytes_and_names_its_signer() {
        let attestation = signed();
        let read = Attestation::from_json(&attestation.to_json()).unwrap();
        assert_eq!(read, attestation);
        assert_eq!(read.signer(), PrivateKeySigner::from_slice(&[7; 32]).unwrap().address());
    }

    #[test]
    fn a_change_of_any_field_is_noticed() {
        let text = String::from_utf8(signed().to_json()).unwrap();
        let other = PrivateKeySigner::from_slice(&[8; 32]).unwrap().address();
        let me = serde_json::to_string(&signed().signer()).unwrap();
        let changes = [
            (raw_cid(b"b").to_string(), raw_cid(b"c").to_string()),
            (hex::encode([9; 32]), hex::encode([8; 32])),
            ("\"cpu\"".to_owned(), "\"gpu\"".to_owned()),
            ("1000".to_owned(), "1001".to_owned()),
            ("1010".to_owned(), "1011".to_owned()),
            (me, serde_json::to_string(&other).unwrap()),
        ];
        for (from, to) in changes {
            let changed = text.replace(&from, &to);
            assert_ne!(changed, text, "{from} occurs");
            let error = Attestation::from_json(changed.as_bytes()).unwrap_err();
            assert!(matches!(error, AttestationError::WrongSignature(_)), "{from}: {error}");
        }
    }

    #[test]
    fn the_other_signature_of_the_same_key_is_refused() {
        let mut attestation = signed();
        let s = alloy::primitives::U256::from_str_radix(
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            16,
        )
        .unwrap()
            - attestation.signature.s();
        attestation.signature = Signature::new(attestation.signature.r(), s, !attestation.signature.v());
        let error = Attestation::from_json(&attestation.to_json()).unwrap_err();
        assert!(matches!(error, AttestationError::WrongSignature(_)), "{error}");
    }

    #[test]
    fn claims_out_of_bounds_are_not_signed() {
        let key = PrivateKeySigner::from_slice(&[7; 32]).unwrap();
        let claim = signed().claim().clone();
        assert!(Claim { backend: String::new(), ..claim.clone() }.sign(&key).is_err());
        assert!(Claim { backend: "x".repeat(257), ..claim.clone() }.sign(&key).is_err());
        assert!(Claim { finished_at: 1, ..claim }.sign(&key).is_err());
    }
}
