//! Accounts and blocks, and the rules by which a block follows another.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root, calculate_withdrawals_root};
use alloy::consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, TrieAccount, TxEnvelope, TxType,
    constants::EMPTY_WITHDRAWALS, proofs,
};
use alloy::eips::eip1559::BaseFeeParams;
use alloy::eips::eip4895::Withdrawal;
use alloy::eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy::primitives::{Address, B256, Bloom, Bytes, KECCAK256_EMPTY, U256, logs_bloom};
use revm::bytecode::Bytecode;
use revm::primitives::AddressMap;
use revm::state::{Account as Change, AccountInfo};
use serde::{Deserialize, Serialize};

use super::BLOCK_GAS_LIMIT;

/// Timestamp of the first block: 2026-01-01 00:00 UTC.
const GENESIS_TIMESTAMP: u64 = 1_767_225_600;
/// Base fee of the first block, in wei per gas; from there on EIP-1559 decides.
const GENESIS_BASE_FEE: u64 = 1_000_000_000;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
    pub(super) storage: BTreeMap<U256, U256>,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY, storage: BTreeMap::new() }
    }
}

/// A transaction and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mined {
    pub(super) transaction: TxEnvelope,
    pub(super) from: Address,
    pub(super) receipt: Receipt,
    pub(super) contract: Option<Address>,
}

/// A block: the first one, one with a single transaction, or one with a single withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) hash: B256,
    pub(super) header: Header,
    pub(super) mined: Option<Mined>,
    pub(super) withdrawals: Vec<Withdrawal>,
}

/// The whole chain: every block, and the accounts after the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    blocks: Vec<Block>,
    accounts: BTreeMap<Address, Account>,
    code: BTreeMap<B256, Bytes>,
}

impl Mined {
    /// The receipt with its bloom and its transaction's type.
    pub(super) fn envelope(&self) -> ReceiptEnvelope {
        let receipt = ReceiptWithBloom::new(self.receipt.clone(), self.bloom());
        match self.transaction.tx_type() {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
            TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        }
    }

    fn bloom(&self) -> Bloom {
        logs_bloom(&self.receipt.logs)
    }
}

impl Ledger {
    /// The empty chain.
    pub(super) fn genesis() -> Self {
        let mut ledger = Self { blocks: Vec::new(), accounts: BTreeMap::new(), code: BTreeMap::new() };
        let header = Header {
            timestamp: GENESIS_TIMESTAMP,
            base_fee_per_gas: Some(GENESIS_BASE_FEE),
            ..ledger.template(B256::ZERO, 0)
        };
        ledger.push(header, None, Vec::new());
        ledger
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn latest(&self) -> &Block {
        self.blocks.last().expect("a chain has its first block")
    }

    pub(super) fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).cloned().unwrap_or_default()
    }

    pub(super) fn code(&self, address: Address) -> Bytes {
        self.accounts.get(&address).and_then(|account| self.code.get(&account.code_hash)).cloned().unwrap_or_default()
    }

    pub(super) fn find_transaction(&self, hash: B256) -> Option<(&Block, &Mined)> {
        self.blocks.iter().rev().find_map(|block| {
            let mined = block.mined.as_ref()?;
            (*mined.transaction.tx_hash() == hash).then_some((block, mined))
        })
    }

    pub(super) fn was_funded(&self, address: Address) -> bool {
        self.blocks.iter().any(|block| block.withdrawals.iter().any(|withdrawal| withdrawal.address == address))
    }

    /// Credits an account in a block of its own.
    pub(super) fn fund(&mut self, address: Address, gwei: u64) {
        let index = self.blocks.iter().map(|block| block.withdrawals.len() as u64).sum();
        let withdrawal = Withdrawal { index, validator_index: 0, address, amount: gwei };
        let account = self.accounts.entry(address).or_default();
        account.balance = account.balance.saturating_add(withdrawal.amount_wei());
        let header = self.next_header();
        self.push(header, None, vec![withdrawal]);
    }

    /// The header of the block that comes next, before anything is in it.
    pub(super) fn next_header(&self) -> Header {
        let parent = &self.latest().header;
        Header {
            timestamp: parent.timestamp + 1,
            base_fee_per_gas: parent.next_block_base_fee(BaseFeeParams::ethereum()),
            ..self.template(self.latest().hash, parent.number + 1)
        }
    }

    fn template(&self, parent_hash: B256, number: u64) -> Header {
        Header {
            parent_hash,
            number,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            gas_limit: BLOCK_GAS_LIMIT,
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// Applies a transaction's changes and closes its block.
    pub(super) fn commit(&mut self, header: Header, mined: Mined, changes: AddressMap<Change>) {
        for (address, change) in changes {
            self.apply(address, change);
        }
        self.push(header, Some(mined), Vec::new());
    }

    fn apply(&mut self, address: Address, change: Change) {
        if !change.is_touched() {
            return;
        }
        // EIP-161: an account that has nothing is none.
        if change.is_selfdestructed() || change.is_empty() {
            self.accounts.remove(&address);
            return;
        }
        if let Some(code) = change.info.code.as_ref().filter(|code| !code.is_empty()) {
            self.code.insert(change.info.code_hash, code.original_bytes());
        }
        let account = self.accounts.entry(address).or_default();
        if change.is_created() {
            account.storage.clear();
        }
        account.nonce = change.info.nonce;
        account.balance = change.info.balance;
        account.code_hash = change.info.code_hash;
        for (slot, value) in change.changed_storage_slots() {
            if value.present_value.is_zero() {
                account.storage.remove(slot);
            } else {
                account.storage.insert(*slot, value.present_value);
            }
        }
    }

    fn push(&mut self, mut header: Header, mined: Option<Mined>, withdrawals: Vec<Withdrawal>) {
        header.state_root = self.state_root();
        let transactions: Vec<&TxEnvelope> = mined.iter().map(|mined| &mined.transaction).collect();
        let receipts: Vec<ReceiptEnvelope> = mined.iter().map(Mined::envelope).collect();
        header.transactions_root = calculate_transaction_root(&transactions);
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom = mined.as_ref().map(Mined::bloom).unwrap_or_default();
        header.gas_used = mined.as_ref().map_or(0, |mined| mined.receipt.cumulative_gas_used);
        header.withdrawals_root = Some(calculate_withdrawals_root(&withdrawals));
        self.blocks.push(Block { hash: header.hash_slow(), header, mined, withdrawals });
    }

    fn state_root(&self) -> B256 {
        proofs::state_root_unhashed(self.accounts.iter().map(|(address, account)| {
            let storage = account.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
            let storage_root = proofs::storage_root_unhashed(storage);
            let Account { nonce, balance, code_hash, .. } = *account;
            (*address, TrieAccount::new(nonce, balance, storage_root, code_hash))
        }))
    }

    /// Whether the blocks follow one another, and the accounts are those of the last.
    pub(super) fn is_consistent(&self) -> bool {
        let linked = self.blocks.windows(2).all(|pair| {
            pair[1].header.parent_hash == pair[0].hash && pair[1].header.number == pair[0].header.number + 1
        });
        let sealed = self.blocks.iter().all(|block| block.header.hash_slow() == block.hash);
        let coded = self.code.iter().all(|(hash, code)| alloy::primitives::keccak256(code) == *hash);
        let first = self.blocks.first().is_some_and(|block| block.header.number == 0);
        linked && sealed && coded && first && self.latest().header.state_root == self.state_root()
    }
}

/// What the EVM reads.
impl revm::Database for &Ledger {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.code.get(&hash).map(|code| Bytecode::new_raw(code.clone())).unwrap_or_default())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        let block = usize::try_from(number).ok().and_then(|number| self.blocks.get(number));
        Ok(block.map(|block| block.hash).unwrap_or_default())
    }
}
