//! A creator's collection on any Ethereum chain: our contract, deployed, minted on and read.
//!
//! The contract is `contracts/src/SeedstormCollection.sol`; its bindings and bytecode come from the artifact committed
//! beside it. Everything is read back from the chain: the token's one word, its owner, and the mint event that repeats
//! recipe and `sim_root`.

use std::time::Duration;

use alloy::contract::Error as ContractError;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, Log, TransactionReceipt};
use alloy::sol_types::SolEvent;
use alloy::transports::{RpcError, TransportErrorKind};
use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::block::{self, BlockError, RAW};

mod contract {
    alloy::sol! {
        #[sol(rpc)]
        #[derive(Debug)]
        SeedstormCollection,
        "../contracts/artifacts/SeedstormCollection.json"
    }
}

use contract::SeedstormCollection::{
    self as Contract, FilmMinted, SeedstormCollectionErrors as Refusal, SeedstormCollectionInstance, Transfer,
};

/// How long a transaction may take to be mined before [`CollectionError::NotMined`].
pub const MINING_TIMEOUT: Duration = Duration::from_secs(300);
/// The highest royalty, in basis points.
pub const MAX_ROYALTY_BPS: u16 = 1_000;

/// How often a node is asked whether a transaction was mined.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How often a transaction is made again because another process used its nonce: each time that one got further, so that
/// this is only a bound on a node that says so for ever.
const NONCE_ATTEMPTS: usize = 200;
/// The id of ERC-7572, the selector of `contractURI()`.
const ERC7572_ID: [u8; 4] = [0xe8, 0xa3, 0xd4, 0x85];

/// Where a collection is. Worth keeping: with it, a collection is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub address: Address,
    /// The block that it was deployed in: logs are searched from there on.
    pub block: u64,
}

/// What a new collection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCollection {
    /// Its name.
    pub name: String,
    /// Its short symbol.
    pub symbol: String,
    /// Who may mint, and receives the royalty: the address of the key that will sign.
    pub creator: Address,
    /// URI of the collection's own metadata (ERC-7572); may be empty.
    pub contract_uri: String,
    /// Royalty in basis points, at most [`MAX_ROYALTY_BPS`].
    pub royalty_bps: u16,
}

/// A piece that is to be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mint {
    /// Who will own the token.
    pub to: Address,
    /// The metadata's CID: one raw block.
    pub metadata: Cid,
    /// The recipe's CID: one raw block.
    pub recipe: Cid,
    /// Root over all checkpoints of the simulation.
    pub sim_root: [u8; 32],
}

/// A token, as the chain has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, from 1.
    pub id: u64,
    /// Who owns it.
    pub owner: Address,
    /// The metadata's CID, from the token's word.
    pub metadata: Cid,
    /// `tokenURI`, as the contract writes it.
    pub token_uri: String,
    /// The recipe's CID, from the mint event.
    pub recipe: Cid,
    /// The root of the simulation, from the mint event.
    pub sim_root: [u8; 32],
    /// The transaction that minted it.
    pub transaction: B256,
    /// The block of that transaction.
    pub block: u64,
}

/// A change of a token's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Who had it; zero where it was minted.
    pub from: Address,
    /// Who has it since.
    pub to: Address,
    /// The transaction.
    pub transaction: B256,
    /// The block of that transaction.
    pub block: u64,
}

/// Why the collection could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// The node, or the contract behind it, said no.
    #[error("collection: {0}")]
    Contract(#[from] Box<ContractError>),
    /// The node could not be reached or did not understand.
    #[error("chain: {0}")]
    Rpc(RpcError<TransportErrorKind>),
    /// The node answered with an error.
    #[error("the chain's node says: {message}")]
    Node {
        /// Which error, by JSON-RPC.
        code: i64,
        /// In its words.
        message: String,
    },
    /// The provider is of another chain than the collection.
    #[error("the collection is on chain {expected}, but the node serves chain {actual}")]
    OtherChain {
        /// The chain that the collection is on.
        expected: u64,
        /// The chain that the node serves.
        actual: u64,
    },
    /// There is no collection at the address.
    #[error("there is no collection of seedstorm at {0} on this chain: was the chain begun anew?")]
    NotACollection(Address),
    /// Only the creator mints.
    #[error("only {creator} can mint in this collection; the key here is another's")]
    NotTheCreator {
        /// Who can.
        creator: Address,
    },
    /// Only its owner gives a token away.
    #[error("token {id} belongs to {owner}; the key here is another's")]
    NotTheOwner {
        /// The token.
        id: u64,
        /// Whose it is.
        owner: Address,
    },
    /// The contract refuses, in its own words.
    #[error("the collection refuses: {0}")]
    Refused(String),
    /// A contract that does not say that it takes tokens: what it is sent would be lost.
    #[error("{0} is a contract that takes no tokens")]
    NoReceiver(Address),
    /// There is no such token.
    #[error("the collection has no token {0}")]
    NoSuchToken(u64),
    /// A CID that cannot be a token's word.
    #[error("{0} cannot stand on the chain: it is not the CID of one raw block")]
    NotRaw(Cid),
    /// The CID holds another hash.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The transaction was mined and failed.
    #[error("transaction {0} was mined, but failed")]
    Failed(B256),
    /// The transaction was not mined in time. Nothing is lost: minting again finds the token if it was mined after all.
    #[error("transaction {0} was not mined within {MINING_TIMEOUT:?}; try again later, nothing is minted twice")]
    NotMined(B256),
    /// An earlier transaction of this key still waits, so that a mint could happen twice.
    #[error("an earlier transaction of {0} still waits to be mined; try again when it is")]
    Pending(Address),
    /// The node's logs and the contract's state do not agree.
    #[error("token {id}: the chain contradicts itself ({problem}); ask another node")]
    Contradiction {
        /// The token.
        id: u64,
        /// In what.
        problem: &'static str,
    },
}

impl From<ContractError> for CollectionError {
    fn from(error: ContractError) -> Self {
        match error.as_decoded_interface_error::<Refusal>() {
            Some(Refusal::ERC721InvalidReceiver(refusal)) => Self::NoReceiver(refusal.receiver),
            Some(refusal) => Self::Refused(format!("{refusal:?}")),
            None => match error {
                ContractError::TransportError(error) => error.into(),
                other => Self::Contract(Box::new(other)),
            },
        }
    }
}

impl From<RpcError<TransportErrorKind>> for CollectionError {
    fn from(error: RpcError<TransportErrorKind>) -> Self {
        match error.as_error_resp() {
            Some(answer) => Self::Node { code: answer.code, message: answer.message.clone().into_owned() },
            None => Self::Rpc(error),
        }
    }
}

/// A collection, behind a provider that signs with its user's key.
#[derive(Debug, Clone)]
pub struct Collection {
    contract: SeedstormCollectionInstance<DynProvider>,
    deployment: Deployment,
}

impl Collection {
    /// Deploys a new collection.
    ///
    /// # Errors
    ///
    /// The node's and the contract's; a transaction that is not mined in time.
    pub async fn deploy(provider: DynProvider, new: NewCollection) -> Result<Self, CollectionError> {
        let chain_id = provider.get_chain_id().await?;
        let royalty = new.royalty_bps.try_into().expect("16 bits fit into 96");
        let (name, symbol, uri) = (new.name, new.symbol, new.contract_uri);
        let call = Contract::deploy_builder(&provider, name, symbol, new.creator, uri, royalty);
        let sent = *call.send().await?.tx_hash();
        let receipt = mined(&provider, sent).await?;
        let address = receipt.contract_address.ok_or(CollectionError::Failed(sent))?;
        let block = receipt.block_number.unwrap_or_default();
        let contract = Contract::new(address, provider);
        Ok(Self { contract, deployment: Deployment { chain_id, address, block } })
    }

    /// Opens a collection that was deployed before.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OtherChain`], [`CollectionError::NotACollection`], or what the node says.
    pub async fn open(provider: DynProvider, deployment: Deployment) -> Result<Self, CollectionError> {
        let actual = provider.get_chain_id().await?;
        if actual != deployment.chain_id {
            return Err(CollectionError::OtherChain { expected: deployment.chain_id, actual });
        }
        let absent = CollectionError::NotACollection(deployment.address);
        if provider.get_code_at(deployment.address).await?.is_empty() {
            return Err(absent);
        }
        let contract = Contract::new(deployment.address, provider);
        match contract.supportsInterface(ERC7572_ID.into()).call().await {
            Ok(true) => Ok(Self { contract, deployment }),
            Err(ContractError::TransportError(error)) if error.as_error_resp().is_none() => Err(error.into()),
            _ => Err(absent),
        }
    }

    /// Where it is.
    pub fn deployment(&self) -> Deployment {
        self.deployment
    }

    /// Who may mint.
    ///
    /// # Errors
    ///
    /// What the node says.
    pub async fn creator(&self) -> Result<Address, CollectionError> {
        Ok(self.contract.owner().call().await?)
    }

    /// Mints a piece, unless a token with its metadata is there already, which is returned then: a mint that was cut
    /// off can be made again. `from` is the address of the provider's key.
    ///
    /// # Errors
    ///
    /// [`CollectionError::NotTheCreator`]; [`CollectionError::Pending`] while an earlier transaction of the key waits;
    /// [`CollectionError::NotMined`]; what the node and the contract say.
    pub async fn mint(&self, from: Address, mint: &Mint) -> Result<Token, CollectionError> {
        for cid in [&mint.metadata, &mint.recipe] {
            if cid.codec() != RAW {
                return Err(CollectionError::NotRaw(*cid));
            }
        }
        let metadata = B256::from(block::sha256_digest(&mint.metadata)?);
        let recipe = B256::from(block::sha256_digest(&mint.recipe)?);
        let creator = self.creator().await?;
        if creator != from {
            return Err(CollectionError::NotTheCreator { creator });
        }
        for attempt in 1.. {
            self.wait_for_pending(from).await?;
            if let Some(token) = self.find_by_metadata(&mint.metadata).await? {
                return Ok(token);
            }
            let call = self.contract.mint(mint.to, metadata, recipe, mint.sim_root.into()).from(from);
            match call.send().await {
                Ok(pending) => {
                    let receipt = mined(self.contract.provider(), *pending.tx_hash()).await?;
                    let log = receipt.decoded_log::<FilmMinted>();
                    let id = log.ok_or(CollectionError::Failed(receipt.transaction_hash))?.tokenId;
                    return self.token(to_id(id)?).await;
                }
                // Another process with the same key was quicker: look again, then try with the next nonce.
                Err(error) if attempt < NONCE_ATTEMPTS && is_nonce_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the loop has no end but these returns")
    }

    /// A token by its id.
    ///
    /// # Errors
    ///
    /// [`CollectionError::NoSuchToken`], [`CollectionError::Contradiction`], what the node says.
    pub async fn token(&self, id: u64) -> Result<Token, CollectionError> {
        let logs = self.mint_logs(|filter| filter.topic1(U256::from(id))).await?;
        match logs.first() {
            Some(log) => self.read(log).await,
            // A node may have lost its logs, or the id was never minted: the contract knows.
            None if id == 0 || U256::from(id) > self.contract.totalSupply().call().await? => {
                Err(CollectionError::NoSuchToken(id))
            }
            None => Err(CollectionError::Contradiction { id, problem: "it has no mint event" }),
        }
    }

    /// Gives a token away. `from` is the address of the provider's key, and its owner.
    ///
    /// # Errors
    ///
    /// [`CollectionError::NotTheOwner`], [`CollectionError::Pending`], [`CollectionError::NotMined`], what the node and the
    /// contract say: a contract that takes no tokens refuses them.
    pub async fn transfer(&self, from: Address, to: Address, id: u64) -> Result<Token, CollectionError> {
        self.wait_for_pending(from).await?;
        let token = self.token(id).await?;
        if token.owner != from {
            return Err(CollectionError::NotTheOwner { id, owner: token.owner });
        }
        let call = self.contract.safeTransferFrom_0(from, to, U256::from(id)).from(from);
        mined(self.contract.provider(), *call.send().await?.tx_hash()).await?;
        self.token(id).await
    }

    /// Who had a token, the first owner first.
    ///
    /// # Errors
    ///
    /// As [`Collection::token`].
    pub async fn history(&self, id: u64) -> Result<Vec<Moved>, CollectionError> {
        let contradiction = |problem| CollectionError::Contradiction { id, problem };
        let Deployment { address, block, .. } = self.deployment;
        let filter = Filter::new().address(address).event_signature(Transfer::SIGNATURE_HASH).from_block(block);
        let logs = self.contract.provider().get_logs(&filter.topic3(U256::from(id))).await?;
        let read = |log: &Log| {
            let event = log.log_decode::<Transfer>().map_err(|_| contradiction("a transfer that is none"))?.inner.data;
            let (Some(transaction), Some(block)) = (log.transaction_hash, log.block_number) else {
                return Err(contradiction("a transfer of it is in no block"));
            };
            Ok(Moved { from: event.from, to: event.to, transaction, block })
        };
        logs.iter().map(read).collect()
    }

    /// All tokens, in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`Collection::token`].
    pub async fn tokens(&self) -> Result<Vec<Token>, CollectionError> {
        let mut tokens = Vec::new();
        for log in self.mint_logs(|filter| filter).await? {
            tokens.push(self.read(&log).await?);
        }
        Ok(tokens)
    }

    /// The first token that commits to this metadata.
    ///
    /// # Errors
    ///
    /// As [`Collection::token`].
    pub async fn find_by_metadata(&self, metadata: &Cid) -> Result<Option<Token>, CollectionError> {
        self.first(metadata, |filter, digest| filter.topic2(digest)).await
    }

    /// The first token of this recipe.
    ///
    /// # Errors
    ///
    /// As [`Collection::token`].
    pub async fn find_by_recipe(&self, recipe: &Cid) -> Result<Option<Token>, CollectionError> {
        self.first(recipe, |filter, digest| filter.topic3(digest)).await
    }

    /// The first token whose mint event has the digest of a raw block's CID in the topic that `narrow` gives it to.
    async fn first(
        &self,
        cid: &Cid,
        narrow: impl FnOnce(Filter, B256) -> Filter,
    ) -> Result<Option<Token>, CollectionError> {
        if cid.codec() != RAW {
            return Ok(None);
        }
        let digest = B256::from(block::sha256_digest(cid)?);
        match self.mint_logs(|filter| narrow(filter, digest)).await?.first() {
            Some(log) => Ok(Some(self.read(log).await?)),
            None => Ok(None),
        }
    }

    async fn mint_logs(&self, narrow: impl FnOnce(Filter) -> Filter) -> Result<Vec<Log>, CollectionError> {
        let Deployment { address, block, .. } = self.deployment;
        let filter = Filter::new().address(address).event_signature(FilmMinted::SIGNATURE_HASH).from_block(block);
        Ok(self.contract.provider().get_logs(&narrow(filter)).await?)
    }

    /// The token of a mint event, with what the contract says of it now.
    async fn read(&self, log: &Log) -> Result<Token, CollectionError> {
        let contradiction = |id, problem| CollectionError::Contradiction { id, problem };
        let event =
            log.log_decode::<FilmMinted>().map_err(|_| contradiction(0, "a mint event that is none"))?.inner.data;
        let id = to_id(event.tokenId)?;
        let digest = self.contract.metadataDigestOf(event.tokenId).call().await?;
        if digest != event.metadataDigest {
            return Err(contradiction(id, "its word is not that of its mint event"));
        }
        let (Some(transaction), Some(block)) = (log.transaction_hash, log.block_number) else {
            return Err(contradiction(id, "its mint event is in no block"));
        };
        Ok(Token {
            id,
            owner: self.contract.ownerOf(event.tokenId).call().await?,
            metadata: block::raw_cid_from_digest(digest.0),
            token_uri: self.contract.tokenURI(event.tokenId).call().await?,
            recipe: block::raw_cid_from_digest(event.recipeDigest.0),
            sim_root: event.simRoot.0,
            transaction,
            block,
        })
    }

    /// Waits until the node knows of no transaction of the key that is still to be mined: it could be a mint that was
    /// cut off.
    async fn wait_for_pending(&self, from: Address) -> Result<(), CollectionError> {
        let provider = self.contract.provider();
        let begin = std::time::Instant::now();
        while provider.get_transaction_count(from).pending().await?
            > provider.get_transaction_count(from).latest().await?
        {
            if begin.elapsed() > MINING_TIMEOUT {
                return Err(CollectionError::Pending(from));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

async fn mined(provider: &DynProvider, hash: B256) -> Result<TransactionReceipt, CollectionError> {
    let begin = std::time::Instant::now();
    loop {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await? {
            return if receipt.status() { Ok(receipt) } else { Err(CollectionError::Failed(hash)) };
        }
        if begin.elapsed() > MINING_TIMEOUT {
            return Err(CollectionError::NotMined(hash));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Nodes say it in different words, but all say "nonce".
fn is_nonce_conflict(error: &ContractError) -> bool {
    let ContractError::TransportError(error) = error else { return false };
    error.as_error_resp().is_some_and(|response| response.message.to_lowercase().contains("nonce"))
}

fn to_id(id: U256) -> Result<u64, CollectionError> {
    id.try_into().map_err(|_| CollectionError::Contradiction { id: u64::MAX, problem: "its id is above 2^64" })
}
