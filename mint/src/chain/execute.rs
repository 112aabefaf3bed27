//! Running transactions and calls in the EVM.

use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Eip658Value, Header, Receipt, Transaction, TxEnvelope, TxType, Typed2718};
use alloy::eips::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use revm::context::{BlockEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::result::{EVMError, ExecutionResult, Output, ResultAndState};
use revm::primitives::hardfork::SpecId;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};

use super::state::{Ledger, Mined};
use super::{BLOCK_GAS_LIMIT, EMBEDDED_CHAIN_ID};

/// Why something did not run, or ran and failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request itself is wrong.
    Invalid(String),
    /// The protocol does not let the transaction into a block.
    Rejected(String),
    /// The contract reverted, with these bytes.
    Reverted(Bytes),
    /// The EVM stopped: out of gas, invalid opcode and the like.
    Halted(String),
}

/// Who runs it: a transaction pays and is checked for its nonce, a call only looks.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Transaction,
    Call,
}

/// Checks a signed transaction, executes it, and closes a block with it. Returns its hash.
pub(super) fn mine(ledger: &mut Ledger, raw: &[u8]) -> Result<B256, Failure> {
    let mut rest = raw;
    let transaction = TxEnvelope::decode_2718(&mut rest).map_err(|error| Failure::Invalid(error.to_string()))?;
    if !rest.is_empty() {
        return Err(Failure::Invalid("bytes after the transaction".to_owned()));
    }
    let hash = *transaction.tx_hash();
    if ledger.find_transaction(hash).is_some() {
        return Err(Failure::Rejected("already known".to_owned()));
    }
    if matches!(transaction.tx_type(), TxType::Eip4844 | TxType::Eip7702) {
        let text = "the embedded chain takes no blob (type 3) and no set-code (type 4) transactions";
        return Err(Failure::Rejected(text.to_owned()));
    }
    if transaction.chain_id() != Some(EMBEDDED_CHAIN_ID) {
        let text =
            format!("the transaction is signed for chain {:?}, this is {EMBEDDED_CHAIN_ID}", transaction.chain_id());
        return Err(Failure::Rejected(text));
    }
    let from = transaction.recover_signer().map_err(|error| Failure::Invalid(error.to_string()))?;
    let env = TxEnv {
        tx_type: transaction.ty(),
        caller: from,
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        ..TxEnv::default()
    };
    let header = ledger.next_header();
    let ResultAndState { result, state } = run(ledger, &header, env, Mode::Transaction)?;
    let contract = match &result {
        ExecutionResult::Success { output: Output::Create(_, address), .. } => *address,
        _ => None,
    };
    let receipt = Receipt {
        status: Eip658Value::Eip658(result.is_success()),
        cumulative_gas_used: result.tx_gas_used(),
        // What a failed transaction logged did not happen.
        logs: if result.is_success() { result.into_logs() } else { Vec::new() },
    };
    ledger.commit(header, Mined { transaction, from, receipt, contract }, state);
    Ok(hash)
}

/// Executes a call on the newest state and forgets its changes.
pub(super) fn call(ledger: &Ledger, request: &TransactionRequest) -> Result<Bytes, Failure> {
    let gas = request.gas.unwrap_or(BLOCK_GAS_LIMIT).min(BLOCK_GAS_LIMIT);
    output(attempt(ledger, request, gas)?.result)
}

/// The least gas limit with which the transaction succeeds, found by bisection: what it uses is not enough where gas is
/// refunded at its end or kept back from inner calls.
pub(super) fn estimate_gas(ledger: &Ledger, request: &TransactionRequest) -> Result<u64, Failure> {
    let most = request.gas.unwrap_or(BLOCK_GAS_LIMIT).min(BLOCK_GAS_LIMIT);
    let first = attempt(ledger, request, most)?.result;
    let mut failing = first.tx_gas_used().saturating_sub(1);
    output(first)?;
    let mut enough = most;
    while failing + 1 < enough {
        // Most need little more than they use: look there first.
        let middle = if enough == most {
            (failing + failing / 63 + 2_400).min(failing.midpoint(enough))
        } else {
            failing.midpoint(enough)
        };
        let middle = middle.max(failing + 1);
        match attempt(ledger, request, middle) {
            Ok(done) if done.result.is_success() => enough = middle,
            // Too little to begin with is a rejection, too little on the way is a halt or a revert.
            Ok(_) | Err(Failure::Rejected(_)) => failing = middle,
            Err(other) => return Err(other),
        }
    }
    Ok(enough)
}

fn attempt(ledger: &Ledger, request: &TransactionRequest, gas_limit: u64) -> Result<ResultAndState, Failure> {
    if request.blob_versioned_hashes.is_some() || request.authorization_list.is_some() {
        return Err(Failure::Invalid("the embedded chain has no blob and no set-code transactions".to_owned()));
    }
    let env = TxEnv {
        caller: request.from.unwrap_or(Address::ZERO),
        gas_limit,
        gas_price: 0,
        kind: request.to.unwrap_or(TxKind::Create),
        value: request.value.unwrap_or(U256::ZERO),
        data: request.input.input().cloned().unwrap_or_default(),
        chain_id: Some(EMBEDDED_CHAIN_ID),
        access_list: request.access_list.clone().unwrap_or_default(),
        tx_type: u8::from(request.access_list.is_some()),
        ..TxEnv::default()
    };
    run(ledger, &ledger.next_header(), env, Mode::Call)
}

fn output(result: ExecutionResult) -> Result<Bytes, Failure> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(Failure::Reverted(output)),
        ExecutionResult::Halt { reason, .. } => Err(Failure::Halted(format!("{reason:?}"))),
    }
}

fn run(ledger: &Ledger, header: &Header, env: TxEnv, mode: Mode) -> Result<ResultAndState, Failure> {
    let is_call = mode == Mode::Call;
    let block = BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        // A call pays nothing, so nothing may be asked of it.
        basefee: if is_call { 0 } else { header.base_fee_per_gas.unwrap_or_default() },
        difficulty: U256::ZERO,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new_with_spec(0, SpecId::PRAGUE)),
        ..BlockEnv::default()
    };
    let mut evm = Context::mainnet()
        .with_db(ledger)
        .with_block(block)
        .modify_cfg_chained(|cfg| {
            cfg.chain_id = EMBEDDED_CHAIN_ID;
            cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
            cfg.disable_nonce_check = is_call;
            // A call may come from a contract's address, a transaction never does (EIP-3607).
            cfg.disable_eip3607 = is_call;
        })
        .build_mainnet();
    evm.transact(env).map_err(|error| match error {
        EVMError::Transaction(invalid) => Failure::Rejected(invalid.to_string()),
        other => Failure::Invalid(other.to_string()),
    })
}
