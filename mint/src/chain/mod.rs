//! Chains: an Ethereum in this process, or any other over JSON-RPC.
//!
//! Both are an alloy provider, so that [`crate::collection`] cannot tell them apart.

mod execute;
mod file;
mod rpc;
mod state;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use alloy::network::EthereumWallet;
use alloy::primitives::{Address, U256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::transports::{TransportError, TransportFut};

use file::ChainFile;
use state::Ledger;

/// The chain id of every embedded chain. Not that of any public chain, so that a transaction signed for it is worth
/// nothing elsewhere.
pub const EMBEDDED_CHAIN_ID: u64 = 0x5eed_5702;
/// What a node answers where the fault is its own, as a full disk is (EIP-1474).
pub const INTERNAL_ERROR: i64 = -32603;
/// Gas that fits into a block.
pub const BLOCK_GAS_LIMIT: u64 = 30_000_000;
/// The most bytes of a chain's file.
pub const MAX_CHAIN_BYTES: u64 = 256 << 20;
/// What [`EmbeddedChain::fund`] gives, in gwei: 10,000 ether.
pub const TEST_ETHER_GWEI: u64 = 10_000_000_000_000;

/// Why a chain could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The disk refused.
    #[error("embedded chain, {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a chain's, was made by another version, or is damaged.
    #[error("embedded chain {path} cannot be read: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The chain has grown to its bound.
    #[error("embedded chain {0} has reached {MAX_CHAIN_BYTES} bytes: move it away to begin another")]
    Full(PathBuf),
    /// The address of a node is not one.
    #[error("{0:?} is not the address of a JSON-RPC node: http://host:port is one (https needs a build with TLS)")]
    Url(String),
}

/// An Ethereum (Prague rules) in this process, kept in one file.
///
/// Each transaction makes a block at once. State roots, receipts, blooms, base fees and gas are those of the protocol;
/// there is no consensus, no history of the state (only of blocks, transactions and logs), and **time is not the clock's**:
/// a block's timestamp is one second after its parent's, so that the same transactions make the same chain.
///
/// Any number of processes can use one file. A writer holds a lock on `<file>.lock` while it reads the newest state,
/// executes and replaces the file; a reader sees the state before or after, never between. Requests run in the calling
/// task and block it for as long as they take: milliseconds.
#[derive(Debug, Clone)]
pub struct EmbeddedChain {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: ChainFile,
    ledger: Mutex<Ledger>,
}

impl EmbeddedChain {
    /// Opens the chain in a file, or begins one where there is none. The folder has to be there.
    ///
    /// # Errors
    ///
    /// [`ChainError::Damaged`], [`ChainError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ChainError> {
        let file = ChainFile::new(path.as_ref().to_owned());
        let ledger = file.load()?.unwrap_or_else(Ledger::genesis);
        Ok(Self { shared: Arc::new(Shared { file, ledger: Mutex::new(ledger) }) })
    }

    /// Gives an address [`TEST_ETHER_GWEI`] of test ether if it was never given any. It arrives as a withdrawal
    /// (EIP-4895) in a block of its own: the one way of the protocol to credit an account without a transaction.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedChain::open`].
    pub fn fund(&self, address: Address) -> Result<(), ChainError> {
        let mut ledger = self.newest()?;
        if ledger.was_funded(address) {
            return Ok(());
        }
        self.shared.file.update(&mut ledger, |ledger| {
            if !ledger.was_funded(address) {
                ledger.fund(address, TEST_ETHER_GWEI);
            }
        })
    }

    /// The balance of an address, in wei.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedChain::open`].
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        Ok(self.newest()?.account(address).balance)
    }

    /// Does `work`, and writes all transactions that it sends to this chain together at its end. Other processes wait; a
    /// process that is killed meanwhile, or whose disk refuses, has sent nothing. Nobody else is to use this value and its
    /// clones meanwhile, and `work` is not to call this again: it would wait for itself.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedChain::open`].
    pub fn at_once<T>(&self, work: impl FnOnce() -> T) -> Result<T, ChainError> {
        self.shared.file.hold(&self.shared.ledger, work)
    }

    /// Whether anybody made a contract on it.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedChain::open`].
    pub fn has_contracts(&self) -> Result<bool, ChainError> {
        Ok(self.newest()?.has_contracts())
    }

    /// A provider that signs with this key.
    pub fn provider(&self, key: PrivateKeySigner) -> DynProvider {
        connect(RpcClient::new(self.clone(), true), key)
    }

    /// The state as the file has it now.
    fn newest(&self) -> Result<MutexGuard<'_, Ledger>, ChainError> {
        // A panic cannot leave the ledger half-changed: it is replaced as a whole.
        let mut ledger = self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.file.refresh(&mut ledger)?;
        Ok(ledger)
    }

    fn answer(&self, request: &SerializedRequest) -> Response {
        let payload = match rpc::answer(self, request.method(), request.params().map(|params| params.get())) {
            Ok(value) => ResponsePayload::Success(value),
            Err(error) => ResponsePayload::Failure(error),
        };
        Response { id: request.id().clone(), payload }
    }
}

impl tower::Service<RequestPacket> for EmbeddedChain {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let chain = self.clone();
        Box::pin(async move {
            Ok(match &request {
                RequestPacket::Single(one) => ResponsePacket::Single(chain.answer(one)),
                RequestPacket::Batch(all) => ResponsePacket::Batch(all.iter().map(|one| chain.answer(one)).collect()),
            })
        })
    }
}

/// A provider for the node at an `http://` address that signs with this key. Nothing is sent yet.
///
/// # Errors
///
/// [`ChainError::Url`].
pub fn json_rpc(url: &str, key: PrivateKeySigner) -> Result<DynProvider, ChainError> {
    let parsed = url.parse().ok().filter(|_| url.starts_with("http://"));
    Ok(connect(RpcClient::new_http(parsed.ok_or_else(|| ChainError::Url(url.to_owned()))?), key))
}

/// Fills in gas, fees, chain id and nonce, and signs. The nonce is asked for each time, since other processes may use
/// the key too.
fn connect(client: RpcClient, key: PrivateKeySigner) -> DynProvider {
    ProviderBuilder::new()
        .disable_recommended_fillers()
        .with_simple_nonce_management()
        .with_gas_estimation()
        .fetch_chain_id()
        .wallet(EthereumWallet::from(key))
        .connect_client(client)
        .erased()
}
