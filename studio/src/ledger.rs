//! The key, the chain and the collection of a home.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
};

use seedstorm_mint::{
    Address, Collection, Deployment, DynProvider, EmbeddedChain, Mint, NewCollection, PrivateKeySigner, Token, U256,
    chain::EMBEDDED_CHAIN_ID,
    collection::{CollectionError, Moved},
    files::{self, Access},
    keystore,
};
use tokio::runtime::Runtime;

use crate::{Home, StudioError};

/// The usual royalty of a new collection, in basis points.
pub const ROYALTY_BPS: u16 = 500;

/// The largest file that says where a collection is.
const MAX_DEPLOYMENT_BYTES: u64 = 4096;

/// A home's chain as seen by its key.
#[derive(Debug)]
pub struct Ledger {
    key: PrivateKeySigner,
    collection: Option<Collection>,
    runtime: Runtime,
    lock: PathBuf,
    chain: EmbeddedChain,
}

impl Ledger {
    /// Opens the chain for reading. Nothing is made: where nothing was ever minted there is no collection, and no key
    /// is asked for, because reading signs nothing.
    ///
    /// # Errors
    /// A damaged chain or collection file.
    pub fn read(home: &Home) -> Result<Self, StudioError> {
        check_chain(home)?;
        // A provider wants a key; nobody will ever see this one sign.
        let key = PrivateKeySigner::random();
        let runtime = runtime()?;
        let chain = EmbeddedChain::open(home.chain())?;
        let collection = if home.chain().exists() {
            let provider = chain.provider(key.clone());
            match deployment(home)? {
                Some(known) => Some(runtime.block_on(Collection::open(provider, known))?),
                // Its file is lost, or was not written yet when a first mint was broken off.
                None => runtime.block_on(found(home, &chain, provider, owner(home)?))?,
            }
        } else {
            None
        };
        Ok(Self { key, collection, runtime, lock: lock_path(home), chain })
    }

    /// Opens the chain for minting: unlocks the key, and makes the key, its test ether and the collection at first
    /// use, with a royalty of so many basis points. Two processes make one collection.
    ///
    /// # Errors
    /// A wrong password, a damaged chain or collection file, a disk that refuses.
    pub fn write(home: &Home, royalty_bps: u16) -> Result<Self, StudioError> {
        check_chain(home)?;
        let key = unlock(home)?;
        let chain = EmbeddedChain::open(home.chain())?;
        chain.fund(key.address())?;
        let provider = chain.provider(key.clone());
        let runtime = runtime()?;
        let path = home.collection();
        let _lock = alone(home)?;
        let (collection, _) = runtime.block_on(collection(home, &chain, provider, &key, royalty_bps))?;
        if !path.exists() {
            let text = serde_json::to_vec_pretty(&collection.deployment()).expect("plain numbers and texts");
            files::write_atomically(&path, &text, Access::Shared).map_err(StudioError::io(&path))?;
        }
        Ok(Self { key, collection: Some(collection), runtime, lock: lock_path(home), chain })
    }

    /// The key; a throw-away one where the ledger was opened for reading.
    #[must_use]
    pub fn key(&self) -> &PrivateKeySigner {
        &self.key
    }

    /// Where the collection is.
    #[must_use]
    pub fn deployment(&self) -> Option<Deployment> {
        self.collection.as_ref().map(Collection::deployment)
    }

    /// Mints a token, or finds the one that commits to this metadata already. `still` is asked once more, when nobody else
    /// of this home mints or names a piece any more, whether that is wanted.
    ///
    /// # Errors
    /// [`StudioError::MintedAlready`] where the recipe was minted under another name; what `still` or the chain says.
    ///
    /// # Panics
    /// If the ledger was opened for reading where nothing was ever minted.
    pub fn mint(&self, mint: &Mint, still: impl FnOnce() -> Result<(), StudioError>) -> Result<Token, StudioError> {
        // One process at a time: two transactions of one key at once would want the same number.
        let _lock = hold(&self.lock)?;
        self.mint_alone(mint, still)
    }

    /// Mints while nobody else does.
    fn mint_alone(&self, mint: &Mint, still: impl FnOnce() -> Result<(), StudioError>) -> Result<Token, StudioError> {
        let collection = self.collection.as_ref().expect("a ledger opened for writing has a collection");
        match self.find_recipe(&mint.recipe)? {
            Some(token) if token.metadata != mint.metadata => Err(StudioError::MintedAlready(token.id)),
            Some(token) => Ok(token),
            None => {
                still()?;
                Ok(self.runtime.block_on(collection.mint(self.key.address(), mint))?)
            }
        }
    }

    /// Mints many tokens as one change of the chain's file: all of them, or none where the disk refuses or the process is
    /// killed. A mint that the chain refuses ends it; those before it stay.
    ///
    /// # Errors
    /// As [`Ledger::mint`].
    ///
    /// # Panics
    /// If the ledger was opened for reading where nothing was ever minted.
    pub fn mint_all(&self, mints: impl IntoIterator<Item = Mint>) -> Result<Vec<Token>, StudioError> {
        let _lock = hold(&self.lock)?;
        self.chain.at_once(|| mints.into_iter().map(|mint| self.mint_alone(&mint, || Ok(()))).collect())?
    }

    /// Gives a token of this key to another address.
    ///
    /// # Errors
    /// What the chain says: only its owner gives a token away.
    ///
    /// # Panics
    /// If the ledger was opened for reading where nothing was ever minted.
    pub fn transfer(&self, id: u64, to: Address) -> Result<Token, StudioError> {
        let collection = self.collection.as_ref().expect("a ledger opened for writing has a collection");
        let _lock = hold(&self.lock)?;
        Ok(self.runtime.block_on(collection.transfer(self.key.address(), to, id))?)
    }

    /// Who had a token, the first owner first.
    ///
    /// # Errors
    /// What the chain says.
    pub fn history(&self, id: u64) -> Result<Vec<Moved>, StudioError> {
        match &self.collection {
            Some(collection) => Ok(self.runtime.block_on(collection.history(id))?),
            None => Ok(vec![]),
        }
    }

    /// A token by its number.
    ///
    /// # Errors
    /// [`StudioError::NoSuchPiece`], or what the chain says.
    pub fn token(&self, id: u64) -> Result<Token, StudioError> {
        let none = || StudioError::NoSuchPiece(id.to_string());
        let collection = self.collection.as_ref().ok_or_else(none)?;
        match self.runtime.block_on(collection.token(id)) {
            Err(CollectionError::NoSuchToken(_)) => Err(none()),
            other => Ok(other?),
        }
    }

    /// All tokens.
    ///
    /// # Errors
    /// What the chain says.
    pub fn tokens(&self) -> Result<Vec<Token>, StudioError> {
        match &self.collection {
            Some(collection) => Ok(self.runtime.block_on(collection.tokens())?),
            None => Ok(vec![]),
        }
    }

    /// The token of this recipe.
    ///
    /// # Errors
    /// What the chain says.
    pub fn find_recipe(&self, recipe: &seedstorm_mint::Cid) -> Result<Option<Token>, StudioError> {
        match &self.collection {
            Some(collection) => Ok(self.runtime.block_on(collection.find_by_recipe(recipe))?),
            None => Ok(None),
        }
    }

    /// The token that commits to this metadata.
    ///
    /// # Errors
    /// What the chain says.
    pub fn find(&self, metadata: &seedstorm_mint::Cid) -> Result<Option<Token>, StudioError> {
        match &self.collection {
            Some(collection) => Ok(self.runtime.block_on(collection.find_by_metadata(metadata))?),
            None => Ok(None),
        }
    }
}

/// What a mint costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// What is paid for it, in wei.
    pub cost: U256,
    /// What the key has, in wei.
    pub balance: U256,
    /// Whether a collection is made with it, since there is none yet; its deployment is a part of the cost.
    pub new_collection: bool,
}

/// What minting would cost now: it is done on a copy of the chain, and what was paid there is the answer.
///
/// # Errors
/// As [`Ledger::write`] and [`Ledger::mint`].
pub fn quote(home: &Home, mint: &Mint, royalty_bps: u16) -> Result<Quote, StudioError> {
    check_chain(home)?;
    let key = unlock(home)?;
    let copy = tempfile::tempdir().map_err(StudioError::io(&std::env::temp_dir()))?;
    let path = copy.path().join("chain.bin");
    if home.chain().exists() {
        let _lock = alone(home)?;
        std::fs::copy(home.chain(), &path).map_err(StudioError::io(&path))?;
    }
    let chain = EmbeddedChain::open(&path)?;
    chain.fund(key.address())?;
    let balance = chain.balance(key.address())?;
    let mint = Mint { to: key.address(), ..*mint };
    let new_collection = runtime()?.block_on(async {
        let (collection, new) = collection(home, &chain, chain.provider(key.clone()), &key, royalty_bps).await?;
        collection.mint(key.address(), &mint).await?;
        Ok::<_, StudioError>(new)
    })?;
    let cost = balance - chain.balance(key.address())?;
    Ok(Quote { cost, balance, new_collection })
}

/// The collection that is known, or the first contract of this key, which it is made as where there is none; and whether it
/// was made.
async fn collection(
    home: &Home,
    chain: &EmbeddedChain,
    provider: DynProvider,
    key: &PrivateKeySigner,
    royalty_bps: u16,
) -> Result<(Collection, bool), StudioError> {
    if let Some(known) = deployment(home)? {
        return Ok((Collection::open(provider, known).await?, false));
    }
    // Without its file, the collection is looked for before another is made.
    if let Some(collection) = found(home, chain, provider.clone(), key.address()).await? {
        return Ok((collection, false));
    }
    let new = NewCollection {
        name: "Seedstorm".into(),
        symbol: "STORM".into(),
        creator: key.address(),
        contract_uri: String::new(),
        royalty_bps,
    };
    Ok((Collection::deploy(provider, new).await?, true))
}

/// The collection that a key made as its first contract; `None` on a chain where nobody made any.
async fn found(
    home: &Home,
    chain: &EmbeddedChain,
    provider: DynProvider,
    key: Address,
) -> Result<Option<Collection>, StudioError> {
    let first = Deployment { chain_id: EMBEDDED_CHAIN_ID, address: key.create(0), block: 0 };
    match Collection::open(provider, first).await {
        Ok(collection) => Ok(Some(collection)),
        // It is another key's, and no wall is empty because its key was taken for another.
        Err(CollectionError::NotACollection(_)) if chain.has_contracts()? => {
            Err(StudioError::CollectionLost(home.collection()))
        }
        Err(CollectionError::NotACollection(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The address of the home's key, as its file says it: nothing is unlocked.
fn owner(home: &Home) -> Result<Address, StudioError> {
    let path = home.keys().join(keystore::KEY_FILE);
    if !path.exists() {
        return Err(StudioError::KeyLost(path));
    }
    keystore::address(&path)?.ok_or_else(|| StudioError::CollectionLost(home.collection()))
}

/// The home's signing key, made at first use. Its password is the home's, or `SEEDSTORM_PASSWORD`, or one kept beside it.
///
/// # Errors
/// A wrong password, or a disk that refuses.
pub fn unlock(home: &Home) -> Result<PrivateKeySigner, StudioError> {
    let key = home.keys().join(keystore::KEY_FILE);
    if !key.exists() && home.chain().exists() {
        return Err(StudioError::KeyLost(key));
    }
    if let Some(password) = home.password() {
        return Ok(keystore::open_default(&home.keys(), Some(password.reveal()))?);
    }
    let password = match env::var(keystore::PASSWORD_VARIABLE) {
        Ok(password) => Some(password),
        Err(env::VarError::NotPresent) => None,
        Err(env::VarError::NotUnicode(_)) => return Err(StudioError::Password),
    };
    Ok(keystore::open_default(&home.keys(), password.as_deref())?)
}

/// Before a chain is begun where there is none: a collection's file without its chain names nothing on the new one.
fn check_chain(home: &Home) -> Result<(), StudioError> {
    let (chain, collection) = (home.chain(), home.collection());
    if collection.exists() && !chain.exists() { Err(StudioError::ChainLost { chain, collection }) } else { Ok(()) }
}

/// Waits until nobody else of this home mints or names a piece; until the file is dropped.
pub(crate) fn alone(home: &Home) -> Result<File, StudioError> {
    hold(&lock_path(home))
}

fn lock_path(home: &Home) -> PathBuf {
    home.collection().with_extension("lock")
}

fn hold(path: &Path) -> Result<File, StudioError> {
    files::hold_lock(path).map_err(StudioError::io(path))
}

fn runtime() -> Result<Runtime, StudioError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|source| StudioError::Io { path: "the async runtime".into(), source })
}

fn deployment(home: &Home) -> Result<Option<Deployment>, StudioError> {
    let path = home.collection();
    let text = match files::read_bounded(&path, MAX_DEPLOYMENT_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StudioError::io(&path)(error)),
    };
    let read = serde_json::from_slice(&text).map_err(|e| StudioError::io(&path)(std::io::Error::other(e)))?;
    Ok(Some(read))
}
