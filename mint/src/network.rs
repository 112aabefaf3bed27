//! The compute network's contracts on any Ethereum chain: where they are, how they are deployed, their bindings, and what
//! providers and requestors sign.
//!
//! The contracts are those of `contracts/src`; bindings and bytecode come from the artifacts committed beside them. Where
//! a network is stands in a file that `contracts/script/Deploy.s.sol` writes for a real chain and [`Network::deploy`]
//! for one in this process: both have the same form, [`Network`].
//!
//! ```
//! use seedstorm_mint::network::{Network, Terms};
//!
//! let text = r#"{
//!   "chain_id": 1, "block": 7,
//!   "token": "0x0000000000000000000000000000000000000001",
//!   "gate": "0x0000000000000000000000000000000000000002",
//!   "registry": "0x0000000000000000000000000000000000000003",
//!   "market": "0x0000000000000000000000000000000000000004",
//!   "board": "0x0000000000000000000000000000000000000005",
//!   "bonus": "0x0000000000000000000000000000000000000006"
//! }"#;
//! let network = Network::from_json(text)?;
//! // Another market is another domain: nothing that is signed for one is good in the other.
//! let other = Network { market: network.bonus, ..network };
//! assert_ne!(Terms::of(&network).voucher([1; 32], 5), Terms::of(&other).voucher([1; 32], 5));
//! # Ok::<(), seedstorm_mint::network::NetworkError>(())
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use alloy::contract::Error as ContractError;
use alloy::network::{Ethereum, TransactionBuilder};
use alloy::primitives::{Address, B256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};
use alloy::transports::{RpcError, TransportErrorKind};
use serde::{Deserialize, Serialize};

use crate::files::{self, Access};

/// The bindings, one module a contract.
#[allow(missing_docs, reason = "made from the contracts' ABI, which has no documentation in it")]
#[allow(clippy::too_many_arguments, reason = "a contract's function has the arguments that it has")]
pub mod contract {
    /// The token.
    pub mod token {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            StormToken,
            "../contracts/artifacts/StormToken.json"
        }
    }
    /// The gate of validation.
    pub mod gate {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            ValidationGate,
            "../contracts/artifacts/ValidationGate.json"
        }
    }
    /// Providers and their stakes.
    pub mod registry {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            ProviderRegistry,
            "../contracts/artifacts/ProviderRegistry.json"
        }
    }
    /// Jobs, leases and vouchers.
    pub mod market {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            JobMarket,
            "../contracts/artifacts/JobMarket.json"
        }
    }
    /// Commitments to results.
    pub mod board {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            ResultBoard,
            "../contracts/artifacts/ResultBoard.json"
        }
    }
    /// The bonus of early providers.
    pub mod bonus {
        alloy::sol! {
            #[sol(rpc)]
            #[derive(Debug)]
            EarlyBonus,
            "../contracts/artifacts/EarlyBonus.json"
        }
    }
}

mod typed {
    alloy::sol! {
        /// As in `contracts/src/market/Terms.sol`.
        struct Bid {
            uint32 job;
            address requestor;
            bytes32 manifest;
            address provider;
            uint64 unitPrice;
            uint40 units;
            uint88 taskReward;
            uint40 eta;
            uint40 expiry;
            bytes32 salt;
        }
        /// As in `contracts/src/market/Terms.sol`.
        struct Voucher {
            bytes32 lease;
            uint96 cumulative;
        }
    }
}

pub use typed::Bid;

/// The largest file of addresses.
pub const MAX_NETWORK_BYTES: u64 = 1 << 16;
/// How long a contract's deployment may take to be mined before [`NetworkError::NotMined`].
pub const MINING_TIMEOUT: Duration = Duration::from_secs(300);
/// How often a node is asked whether a deployment was mined.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Where a network's contracts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The chain's id.
    pub chain_id: u64,
    /// A block before which there is nothing of the network.
    pub block: u64,
    /// The token.
    pub token: Address,
    /// The gate of validation.
    pub gate: Address,
    /// Providers and their stakes.
    pub registry: Address,
    /// Jobs, leases and vouchers.
    pub market: Address,
    /// Commitments to results.
    pub board: Address,
    /// The bonus of early providers.
    pub bonus: Address,
}

/// What a network begins with: whom it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginnings {
    /// Who is given the whole supply.
    pub treasury: Address,
    /// Who appoints validation.
    pub governor: Address,
    /// Who has the role of validation at first; zero if nobody.
    pub validation: Address,
    /// Whom the stakers' share of the fees goes to.
    pub stakers: Address,
    /// Whom the community's share goes to.
    pub community: Address,
    /// Whom the pool's share goes to.
    pub pool: Address,
}

/// Why a network could not be deployed, or its file not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The disk refused.
    #[error("network file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not a network's.
    #[error("not a network's addresses: {0}; deploy writes such a file")]
    Malformed(#[from] serde_json::Error),
    /// The node, or a contract behind it, said no.
    #[error("network: {0}")]
    Contract(#[from] Box<ContractError>),
    /// The node could not be reached or did not understand.
    #[error("chain: {0}")]
    Rpc(#[from] RpcError<TransportErrorKind>),
    /// A transaction was mined and failed.
    #[error("transaction {0} was mined, but failed")]
    Failed(B256),
    /// A transaction was not mined in time.
    #[error("transaction {0} was not mined within {MINING_TIMEOUT:?}")]
    NotMined(B256),
    /// Another transaction of the same key came between.
    #[error(
        "a contract is at {actual} and not at {expected}: another transaction of the key came between; deploy again"
    )]
    Misplaced {
        /// Where the others were told that it would be.
        expected: Address,
        /// Where it is.
        actual: Address,
    },
}

impl From<ContractError> for NetworkError {
    fn from(error: ContractError) -> Self {
        Self::Contract(Box::new(error))
    }
}

impl Network {
    /// Deploys a network's six contracts; `deployer` is the address of the provider's key.
    ///
    /// # Errors
    ///
    /// What the node says; [`NetworkError::Misplaced`] if the key sent something else meanwhile: three of the contracts
    /// know each other in a circle, so that their places are computed from the key's transaction number.
    pub async fn deploy(
        provider: &DynProvider,
        deployer: Address,
        beginnings: &Beginnings,
    ) -> Result<Self, NetworkError> {
        let chain_id = provider.get_chain_id().await?;
        let block = provider.get_block_number().await?;
        let nonce = provider.get_transaction_count(deployer).await?;
        let [token, gate, registry, market, board, bonus] =
            [0, 1, 2, 3, 4, 5].map(|place: u64| deployer.create(nonce + place));
        let Beginnings { treasury, governor, validation, stakers, community, pool } = *beginnings;

        let deploy = contract::token::StormToken::deploy_builder(provider, treasury);
        place(provider, deploy.into_transaction_request(), token).await?;
        let deploy = contract::gate::ValidationGate::deploy_builder(provider, governor, validation, registry, market);
        place(provider, deploy.into_transaction_request(), gate).await?;
        let deploy = contract::registry::ProviderRegistry::deploy_builder(provider, token, market, gate);
        place(provider, deploy.into_transaction_request(), registry).await?;
        let deploy =
            contract::market::JobMarket::deploy_builder(provider, token, registry, gate, stakers, community, pool);
        place(provider, deploy.into_transaction_request(), market).await?;
        let deploy = contract::board::ResultBoard::deploy_builder(provider, market);
        place(provider, deploy.into_transaction_request(), board).await?;
        let deploy = contract::bonus::EarlyBonus::deploy_builder(provider, token, market);
        place(provider, deploy.into_transaction_request(), bonus).await?;
        Ok(Self { chain_id, block, token, gate, registry, market, board, bonus })
    }

    /// Reads the text of a file of addresses.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Malformed`].
    pub fn from_json(text: &str) -> Result<Self, NetworkError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Reads a file of addresses, at most [`MAX_NETWORK_BYTES`] of it.
    ///
    /// # Errors
    ///
    /// The disk's; [`NetworkError::Malformed`].
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        let bytes = files::read_bounded(path, MAX_NETWORK_BYTES)
            .map_err(|source| NetworkError::Io { path: path.to_owned(), source })?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Writes the file of addresses.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn write(&self, path: &Path) -> Result<(), NetworkError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        files::write_atomically(path, text.as_bytes(), Access::Shared)
            .map_err(|source| NetworkError::Io { path: path.to_owned(), source })
    }
}

/// What is signed for a network's market (EIP-712). The domain is its chain and its market.
#[derive(Debug, Clone)]
pub struct Terms {
    domain: Eip712Domain,
}

impl Terms {
    /// Those of a network.
    pub fn of(network: &Network) -> Self {
        let domain = eip712_domain! {
            name: "Seedstorm JobMarket",
            version: "1",
            chain_id: network.chain_id,
            verifying_contract: network.market,
        };
        Self { domain }
    }

    /// What a provider signs as its bid. It is the id of the lease that the bid becomes.
    pub fn bid(&self, bid: &Bid) -> B256 {
        bid.eip712_signing_hash(&self.domain)
    }

    /// What the job's signer signs as a voucher: all that the lease's provider has earned in it, fee included, in the
    /// token's smallest unit (at most 96 bits of it).
    pub fn voucher(&self, lease: impl Into<B256>, cumulative: u128) -> B256 {
        let cumulative = alloy::primitives::Uint::<96, 2>::saturating_from(cumulative);
        typed::Voucher { lease: lease.into(), cumulative }.eip712_signing_hash(&self.domain)
    }
}

/// Sends a deployment, waits for it, and compares its place with the one that the others are told.
async fn place(
    provider: &DynProvider,
    request: <Ethereum as alloy::network::Network>::TransactionRequest,
    expected: Address,
) -> Result<(), NetworkError> {
    debug_assert!(request.kind().is_some_and(|kind| kind.is_create()), "a deployment");
    let hash = *provider.send_transaction(request).await?.tx_hash();
    let receipt = mined(provider, hash).await?;
    match receipt.contract_address {
        Some(actual) if actual == expected => Ok(()),
        Some(actual) => Err(NetworkError::Misplaced { expected, actual }),
        None => Err(NetworkError::Failed(hash)),
    }
}

async fn mined(provider: &DynProvider, hash: B256) -> Result<TransactionReceipt, NetworkError> {
    let begin = Instant::now();
    loop {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await? {
            return if receipt.status() { Ok(receipt) } else { Err(NetworkError::Failed(hash)) };
        }
        if begin.elapsed() > MINING_TIMEOUT {
            return Err(NetworkError::NotMined(hash));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
