//! From a bundle to a token: content identifiers, a block store, metadata, attestations, keys, chains and collections.
//!
//! A piece's **content** (recipe, poster, film, trajectory, frames) becomes a UnixFS folder with the CIDs that Kubo gives
//! for the same bytes, in a local block store. Its **metadata** links that folder by CID, and the sha-256 digest of the
//! metadata is the one word that its **token** keeps. **Attestations** (who made it, with what, when) are signed beside
//! it. Nothing here simulates or renders, and nothing here trusts what it reads: blocks are hashed, documents must be
//! canonical, sizes are bounded before they are allocated, links are not followed.
//!
//! ```
//! use seedstorm_mint::block::raw_cid;
//! use seedstorm_mint::{Bundle, Collection, EmbeddedChain, Metadata, Mint, NewCollection, Store, keystore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let home = home.path();
//! // A bundle, as the studio leaves it.
//! let folder = home.join("piece");
//! std::fs::create_dir_all(folder.join("frames"))?;
//! for name in ["recipe.json", "poster.png", "film.mp4", "trajectory.bin", "frames/0000.png"] {
//!     std::fs::write(folder.join(name), name)?;
//! }
//! let mut bundle = Bundle::open(&folder)?;
//! let content = bundle.content_cids()?;
//!
//! // Its metadata, written beside the content; all of it stored and pinned.
//! let metadata = Metadata {
//!     name: "Storm 1".to_owned(),
//!     description: "A first storm.".to_owned(),
//!     external_url: None,
//!     traits: Vec::new(),
//!     engine: "seedstorm/1".to_owned(),
//!     recipe: content.recipe,
//!     world_id: raw_cid(b"the recipe without its film"),
//!     sim_root: [7; 32],
//!     renderer: "cpu".to_owned(),
//!     bundle: content.bundle,
//! };
//! let metadata_cid = bundle.write_metadata(&metadata)?;
//! let store = Store::open(home.join("store"))?;
//! assert_eq!(bundle.add_to(&store)?.metadata, Some(metadata_cid));
//!
//! // A key, a chain in a file, a collection, a token.
//! let key = keystore::create(&home.join("key.json"), "password", keystore::Cost::Light)?;
//! let creator = key.address();
//! let chain = EmbeddedChain::open(home.join("chain"))?;
//! chain.fund(creator)?;
//! let provider = chain.provider(key);
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let token = runtime.block_on(async {
//!     let name = "Storms".to_owned();
//!     let symbol = "STORM".to_owned();
//!     let new = NewCollection { name, symbol, creator, contract_uri: String::new(), royalty_bps: 500 };
//!     let collection = Collection::deploy(provider, new).await?;
//!     let mint =
//!         Mint { to: creator, metadata: metadata_cid, recipe: content.recipe, sim_root: metadata.sim_root };
//!     collection.mint(creator, &mint).await
//! })?;
//! assert_eq!(token.token_uri, format!("ipfs://{metadata_cid}"));
//! # Ok(())
//! # }
//! ```

pub mod archived;
pub mod attestation;
pub mod block;
pub mod bundle;
pub mod car;
pub mod chain;
pub mod collection;
pub mod files;
pub mod keystore;
pub mod metadata;
pub mod network;
pub mod store;
pub mod unixfs;

pub use alloy::primitives::{Address, U256};
pub use alloy::providers::DynProvider;
pub use alloy::signers::local::PrivateKeySigner;
pub use cid::Cid;

pub use archived::Archived;
pub use attestation::{Attestation, Claim};
pub use bundle::{Bundle, ContentCids};
pub use chain::EmbeddedChain;
pub use collection::{Collection, Deployment, Mint, NewCollection, Token};
pub use metadata::{DisplayType, Metadata, Rarity, Trait, TraitValue};
pub use store::Store;

/// Anything that can go wrong here, by the part in which it did.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bundle's folder.
    #[error(transparent)]
    Bundle(#[from] bundle::BundleError),
    /// The block store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// Files and folders as blocks.
    #[error(transparent)]
    Unixfs(#[from] unixfs::UnixfsError),
    /// A CAR archive.
    #[error(transparent)]
    Car(#[from] car::CarError),
    /// What an archive brought.
    #[error(transparent)]
    Archived(#[from] archived::ArchivedError),
    /// A metadata document.
    #[error(transparent)]
    Metadata(#[from] metadata::MetadataError),
    /// A signed statement.
    #[error(transparent)]
    Attestation(#[from] attestation::AttestationError),
    /// The signing key.
    #[error(transparent)]
    Keystore(#[from] keystore::KeystoreError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
    /// The collection on it.
    #[error(transparent)]
    Collection(#[from] collection::CollectionError),
}
