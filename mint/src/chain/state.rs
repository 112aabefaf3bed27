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
#[serde(expecting = "an account")]
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
#[serde(expecting = "a transaction and its receipt")]
pub(super) struct Mined {
    pub(super) transaction: TxEnvelope,
    pub(super) from: Address,
    pub(super) receipt: Receipt,
    pub(super) contract: Option<Address>,
}

/// A block: the first one, one with a single transaction, or one with a single withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a block")]
pub(super) struct Block {
    pub(super) hash: B256,
    pub(super) header: Header,
    pub(super) mined: Option<Mined>,
    pub(super) withdrawals: Vec<Withdrawal>,
}

/// The whole chain: every block, and the accounts after the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object of blocks, accounts and code")]
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
        ledger.push(first_header(), None, Vec::new());
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

    pub(super) fn has_contracts(&self) -> bool {
        !self.code.is_empty()
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
        self.latest().next_header()
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
        close(&mut header, mined.as_ref(), &withdrawals);
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

    /// Whether this is a chain that could have grown here: each header is the one that the rules give for its parent and
    /// its content, code is what could be deployed, and the accounts are those of the last block. That the accounts follow
    /// from the transactions is not checked, nor are signatures: only running them again could.
    pub(super) fn is_consistent(&self) -> bool {
        let headers = self.blocks.iter().enumerate().all(|(index, block)| {
            let parent = index.checked_sub(1).map(|parent| &self.blocks[parent]);
            let mut expected = parent.map_or_else(first_header, Block::next_header);
            expected.state_root = block.header.state_root;
            close(&mut expected, block.mined.as_ref(), &block.withdrawals);
            expected == block.header
                && block.header.hash_slow() == block.hash
                && block.header.gas_used <= BLOCK_GAS_LIMIT
        });
        // EIP-3541: no code begins with this byte, and what reads code takes it for another format.
        let coded = self.code.iter().all(|(hash, code)| {
            alloy::primitives::keccak256(code) == *hash && code.first().is_none_or(|byte| *byte != 0xef)
        });
        headers && coded && self.blocks.last().is_some_and(|last| last.header.state_root == self.state_root())
    }
}

impl Block {
    fn next_header(&self) -> Header {
        let parent = &self.header;
        Header {
            timestamp: parent.timestamp + 1,
            base_fee_per_gas: parent.next_block_base_fee(BaseFeeParams::ethereum()),
            ..template(self.hash, parent.number + 1)
        }
    }
}

fn first_header() -> Header {
    Header { timestamp: GENESIS_TIMESTAMP, base_fee_per_gas: Some(GENESIS_BASE_FEE), ..template(B256::ZERO, 0) }
}

fn template(parent_hash: B256, number: u64) -> Header {
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

/// Fills in what a header says of its block's content.
fn close(header: &mut Header, mined: Option<&Mined>, withdrawals: &[Withdrawal]) {
    let transactions: Vec<&TxEnvelope> = mined.iter().map(|mined| &mined.transaction).collect();
    let receipts: Vec<ReceiptEnvelope> = mined.iter().map(|mined| mined.envelope()).collect();
    header.transactions_root = calculate_transaction_root(&transactions);
    header.receipts_root = calculate_receipt_root(&receipts);
    header.logs_bloom = mined.map(Mined::bloom).unwrap_or_default();
    header.gas_used = mined.map_or(0, |mined| mined.receipt.cumulative_gas_used);
    header.withdrawals_root = Some(calculate_withdrawals_root(withdrawals));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of three blocks whose headers are changed, and sealed and linked again as a forger would.
    fn forged(change: impl Fn(&mut Ledger)) -> Ledger {
        let mut ledger = Ledger::genesis();
        ledger.fund(Address::repeat_byte(1), 5);
        ledger.fund(Address::repeat_byte(2), 6);
        change(&mut ledger);
        let mut parent = B256::ZERO;
        for block in &mut ledger.blocks {
            block.header.parent_hash = parent;
            block.hash = block.header.hash_slow();
            parent = block.hash;
        }
        ledger
    }

    #[test]
    fn a_chain_that_grew_here_is_consistent() {
        assert!(forged(|_| {}).is_consistent());
        assert!(Ledger::genesis().is_consistent());
    }

    /// Each of these was taken once, and made the next block divide by zero, overflow or panic.
    #[test]
    fn a_forged_header_is_refused() {
        type Change = fn(&mut Ledger);
        let changes: [(&str, Change); 9] = [
            ("no gas", |l| l.blocks[2].header.gas_limit = 0),
            ("the end of time", |l| l.blocks[2].header.timestamp = u64::MAX),
            ("the last number", |l| l.blocks[0].header.number = u64::MAX),
            ("no base fee", |l| l.blocks[2].header.base_fee_per_gas = None),
            ("a base fee", |l| l.blocks[2].header.base_fee_per_gas = Some(u64::MAX)),
            ("gas that nobody used", |l| l.blocks[2].header.gas_used = u64::MAX),
            ("another chain's first block", |l| drop(l.blocks.remove(0))),
            ("a withdrawal", |l| l.blocks[1].withdrawals[0].amount = u64::MAX),
            ("no block", |l| l.blocks.clear()),
        ];
        for (name, change) in changes {
            assert!(!forged(change).is_consistent(), "{name}");
        }
    }

    /// EIP-3541. The EVM's reader panics on some of it.
    #[test]
    fn code_of_another_format_is_refused() {
        let ledger = forged(|ledger| {
            let code = Bytes::from_static(&[0xef, 0x01, 0x00, 0x07]);
            let code_hash = alloy::primitives::keccak256(&code);
            ledger.code.insert(code_hash, code);
            ledger.accounts.entry(Address::repeat_byte(1)).or_default().code_hash = code_hash;
            let root = ledger.state_root();
            ledger.blocks[2].header.state_root = root;
        });
        assert!(!ledger.is_consistent());
    }
}
