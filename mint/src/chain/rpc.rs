//! The JSON-RPC methods of an embedded chain.
//!
//! Specification: <https://ethereum.github.io/execution-apis/>. A method or a block of the past that is not served is an
//! error that says so; nothing is made up.

use std::borrow::Cow;

use alloy::consensus::Transaction as _;
use alloy::consensus::transaction::Recovered;
use alloy::eips::eip1559::BaseFeeParams;
use alloy::eips::eip4895::Withdrawals;
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::rpc::json_rpc::ErrorPayload;
use alloy::rpc::types::{
    Block as RpcBlock, BlockTransactions, FeeHistory, Filter, FilterBlockOption, Header as RpcHeader, Log as RpcLog,
    Transaction, TransactionReceipt, TransactionRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::execute::{self, Failure};
use super::state::{Block, Ledger, Mined};
use super::{EMBEDDED_CHAIN_ID, EmbeddedChain, INTERNAL_ERROR};

/// The most logs in one answer.
const MAX_LOGS: usize = 100_000;
/// The most blocks in one fee history, as other nodes bound it.
const MAX_FEE_BLOCKS: u64 = 1_024;

type Answer = Result<Box<RawValue>, ErrorPayload>;

// Error codes of EIP-1474 and, for reverts, of geth.
const INVALID_PARAMS: i64 = -32602;
const METHOD_NOT_FOUND: i64 = -32601;
const SERVER: i64 = -32000;
const REJECTED: i64 = -32003;
const REVERTED: i64 = 3;

/// Answers one request.
pub(super) fn answer(chain: &EmbeddedChain, method: &str, params: Option<&str>) -> Answer {
    let params = Params::parse(params)?;
    let mut ledger = chain.newest().map_err(internal)?;
    match method {
        "eth_chainId" => json(&U64::from(EMBEDDED_CHAIN_ID)),
        "net_version" => json(&EMBEDDED_CHAIN_ID.to_string()),
        "web3_clientVersion" => json(&concat!("seedstorm-mint/", env!("CARGO_PKG_VERSION"), "/revm")),
        "eth_syncing" => json(&false),
        "eth_accounts" => json(&[Address::ZERO; 0]),
        "eth_blockNumber" => json(&U64::from(ledger.latest().header.number)),
        "eth_gasPrice" => json(&U256::from(next_base_fee(ledger.latest()))),
        "eth_maxPriorityFeePerGas" => json(&U256::ZERO),
        "eth_feeHistory" => json(&fee_history(&ledger, &params)?),
        "eth_getBalance" => json(&params.newest_state(&ledger, 1)?.account(params.get(0)?).balance),
        "eth_getTransactionCount" => json(&U64::from(params.newest_state(&ledger, 1)?.account(params.get(0)?).nonce)),
        "eth_getCode" => json(&params.newest_state(&ledger, 1)?.code(params.get(0)?)),
        "eth_getStorageAt" => {
            let account = params.newest_state(&ledger, 2)?.account(params.get(0)?);
            json(&B256::from(account.storage.get(&params.get::<U256>(1)?).copied().unwrap_or_default()))
        }
        "eth_call" => {
            params.no_more_than(2, "state overrides")?;
            json(&execute::call(params.newest_state(&ledger, 1)?, &params.get::<TransactionRequest>(0)?)?)
        }
        "eth_estimateGas" => {
            params.no_more_than(2, "state overrides")?;
            let gas = execute::estimate_gas(params.newest_state(&ledger, 1)?, &params.get::<TransactionRequest>(0)?)?;
            json(&U64::from(gas))
        }
        "eth_sendRawTransaction" => {
            let raw: Bytes = params.get(0)?;
            let mined = chain.shared.file.update(&mut ledger, |ledger| execute::mine(ledger, &raw));
            json(&mined.map_err(internal)??)
        }
        "eth_getTransactionByHash" => {
            json(&ledger.find_transaction(params.get(0)?).map(|(block, mined)| transaction(block, mined)))
        }
        "eth_getTransactionReceipt" => {
            json(&ledger.find_transaction(params.get(0)?).map(|(block, mined)| receipt(block, mined)))
        }
        "eth_getBlockByNumber" => json(&find_block(&ledger, params.get(0)?).map(|found| block(found, params.flag(1)))),
        "eth_getBlockByHash" => {
            let hash: B256 = params.get(0)?;
            let found = ledger.blocks().iter().rev().find(|block| block.hash == hash);
            json(&found.map(|found| block(found, params.flag(1))))
        }
        "eth_getLogs" => json(&logs(&ledger, &params.get(0)?)?),
        other => Err(error(METHOD_NOT_FOUND, format!("the embedded chain has no method {other}"))),
    }
}

fn next_base_fee(latest: &Block) -> u64 {
    latest.header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default()
}

fn fee_history(ledger: &Ledger, params: &Params) -> Result<FeeHistory, ErrorPayload> {
    let count = params.get::<U64>(0)?.to::<u64>().min(MAX_FEE_BLOCKS);
    let newest = find_block(ledger, params.get(1)?).ok_or_else(|| error(INVALID_PARAMS, "no such block"))?;
    let percentiles: Option<Vec<f64>> = params.get_or_none(2)?;
    let end = newest.header.number as usize + 1;
    let start = end.saturating_sub(count as usize);
    let blocks = &ledger.blocks()[start..end];
    let base_fees = blocks.iter().map(|block| u128::from(block.header.base_fee_per_gas.unwrap_or_default()));
    let gas_used_ratio = |block: &Block| block.header.gas_used as f64 / block.header.gas_limit as f64;
    // With at most one transaction a block, every percentile is that one's.
    let tip = |block: &Block| {
        let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
        block.mined.as_ref().and_then(|mined| mined.transaction.effective_tip_per_gas(base_fee)).unwrap_or_default()
    };
    Ok(FeeHistory {
        oldest_block: start as u64,
        base_fee_per_gas: base_fees.chain([u128::from(next_base_fee(newest))]).collect(),
        gas_used_ratio: blocks.iter().map(gas_used_ratio).collect(),
        base_fee_per_blob_gas: vec![1; blocks.len() + 1],
        blob_gas_used_ratio: vec![0.0; blocks.len()],
        reward: percentiles.map(|wanted| blocks.iter().map(|block| vec![tip(block); wanted.len()]).collect()),
    })
}

fn find_block(ledger: &Ledger, which: BlockNumberOrTag) -> Option<&Block> {
    match which {
        BlockNumberOrTag::Number(number) => ledger.blocks().get(usize::try_from(number).ok()?),
        BlockNumberOrTag::Earliest => ledger.blocks().first(),
        // What is mined is final here, and nothing is ever pending.
        _ => Some(ledger.latest()),
    }
}

fn block(block: &Block, full: bool) -> RpcBlock {
    let mined = block.mined.iter();
    let transactions = if full {
        BlockTransactions::Full(mined.map(|mined| transaction(block, mined)).collect())
    } else {
        BlockTransactions::Hashes(mined.map(|mined| *mined.transaction.tx_hash()).collect())
    };
    let header = RpcHeader { hash: block.hash, inner: block.header.clone(), total_difficulty: None, size: None };
    let withdrawals = Some(Withdrawals::new(block.withdrawals.clone()));
    RpcBlock { header, uncles: Vec::new(), transactions, withdrawals }
}

fn effective_gas_price(block: &Block, mined: &Mined) -> u128 {
    mined.transaction.effective_gas_price(block.header.base_fee_per_gas)
}

fn transaction(block: &Block, mined: &Mined) -> Transaction {
    Transaction {
        inner: Recovered::new_unchecked(mined.transaction.clone(), mined.from),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        transaction_index: Some(0),
        effective_gas_price: Some(effective_gas_price(block, mined)),
        block_timestamp: Some(block.header.timestamp),
    }
}

fn receipt(block: &Block, mined: &Mined) -> TransactionReceipt {
    let mut index = 0;
    let inner = mined.envelope().map_logs(|log| {
        index += 1;
        rpc_log(block, mined, index - 1, log)
    });
    TransactionReceipt {
        inner,
        transaction_hash: *mined.transaction.tx_hash(),
        transaction_index: Some(0),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        gas_used: mined.receipt.cumulative_gas_used,
        effective_gas_price: effective_gas_price(block, mined),
        blob_gas_used: None,
        blob_gas_price: None,
        from: mined.from,
        to: mined.transaction.to(),
        contract_address: mined.contract,
    }
}

fn rpc_log(block: &Block, mined: &Mined, index: u64, log: alloy::primitives::Log) -> RpcLog {
    RpcLog {
        inner: log,
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(*mined.transaction.tx_hash()),
        transaction_index: Some(0),
        log_index: Some(index),
        removed: false,
    }
}

fn logs(ledger: &Ledger, filter: &Filter) -> Result<Vec<RpcLog>, ErrorPayload> {
    let blocks = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let at = ledger.blocks().iter().position(|block| block.hash == hash);
            let at = at.ok_or_else(|| error(SERVER, "there is no block with this hash"))?;
            &ledger.blocks()[at..=at]
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let count = ledger.blocks().len();
            let place = |which: BlockNumberOrTag| match which {
                BlockNumberOrTag::Number(number) => usize::try_from(number).unwrap_or(usize::MAX),
                BlockNumberOrTag::Earliest => 0,
                _ => count - 1,
            };
            let first = place(from_block.unwrap_or_default()).min(count);
            let last = place(to_block.unwrap_or_default()).min(count - 1);
            ledger.blocks().get(first..=last).unwrap_or_default()
        }
    };
    let mut found = Vec::new();
    for block in blocks {
        let Some(mined) = &block.mined else { continue };
        for (index, log) in mined.receipt.logs.iter().enumerate().filter(|(_, log)| filter.matches(log)) {
            if found.len() == MAX_LOGS {
                return Err(error(SERVER, format!("more than {MAX_LOGS} logs match: ask for fewer blocks")));
            }
            found.push(rpc_log(block, mined, index as u64, log.clone()));
        }
    }
    Ok(found)
}

/// The parameters of a request, by position.
struct Params(Vec<Value>);

impl Params {
    fn parse(text: Option<&str>) -> Result<Self, ErrorPayload> {
        let values: Option<Vec<Value>> = text.map_or(Ok(None), serde_json::from_str).map_err(invalid)?;
        Ok(Self(values.unwrap_or_default()))
    }

    fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, ErrorPayload> {
        let value = self.0.get(index).ok_or_else(|| error(INVALID_PARAMS, format!("parameter {index} is missing")))?;
        T::deserialize(value).map_err(invalid)
    }

    fn get_or_none<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ErrorPayload> {
        if self.0.get(index).is_some_and(|value| !value.is_null()) { self.get(index).map(Some) } else { Ok(None) }
    }

    fn flag(&self, index: usize) -> bool {
        self.0.get(index).and_then(Value::as_bool).unwrap_or_default()
    }

    fn no_more_than(&self, count: usize, what: &str) -> Result<(), ErrorPayload> {
        if self.0.iter().skip(count).any(|value| !value.is_null()) {
            return Err(error(INVALID_PARAMS, format!("the embedded chain knows no {what}")));
        }
        Ok(())
    }

    /// The state of the block that a parameter names, as far as it is kept: the newest.
    fn newest_state<'a>(&self, ledger: &'a Ledger, index: usize) -> Result<&'a Ledger, ErrorPayload> {
        let latest = ledger.latest();
        let newest = match self.get_or_none::<BlockId>(index)? {
            None => true,
            Some(BlockId::Hash(hash)) => hash.block_hash == latest.hash,
            Some(BlockId::Number(BlockNumberOrTag::Number(number))) => number == latest.header.number,
            Some(BlockId::Number(tag)) => tag != BlockNumberOrTag::Earliest || latest.header.number == 0,
        };
        let text = "the embedded chain keeps the state of its newest block only, not of earlier ones";
        if newest { Ok(ledger) } else { Err(error(SERVER, text)) }
    }
}

impl From<Failure> for ErrorPayload {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(text) => error(INVALID_PARAMS, text),
            Failure::Rejected(text) => error(REJECTED, text),
            Failure::Halted(text) => error(SERVER, format!("execution stopped: {text}")),
            Failure::Reverted(bytes) => {
                Self { code: REVERTED, message: Cow::Borrowed("execution reverted"), data: to_raw_value(&bytes).ok() }
            }
        }
    }
}

fn json(value: &impl Serialize) -> Answer {
    to_raw_value(value).map_err(internal)
}

fn error(code: i64, message: impl Into<Cow<'static, str>>) -> ErrorPayload {
    ErrorPayload { code, message: message.into(), data: None }
}

fn internal(reason: impl std::fmt::Display) -> ErrorPayload {
    error(INTERNAL_ERROR, reason.to_string())
}

fn invalid(reason: serde_json::Error) -> ErrorPayload {
    error(INVALID_PARAMS, reason.to_string())
}
