//! The in-process chain: our contract on it, its file, its several processes, and what its methods answer.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

mod common;

use std::fs;
use std::path::Path;

use alloy::consensus::Transaction as _;
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256, bytes};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, TransactionRequest};
use seedstorm_mint::chain::{ChainError, EMBEDDED_CHAIN_ID};
use seedstorm_mint::{Collection, EmbeddedChain, PrivateKeySigner};

fn key(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_slice(&[number; 32]).unwrap()
}

fn funded(path: &Path, number: u8) -> (EmbeddedChain, DynProvider, Address) {
    let chain = EmbeddedChain::open(path).unwrap();
    let key = key(number);
    chain.fund(key.address()).unwrap();
    (chain.clone(), chain.provider(key.clone()), key.address())
}

/// Sends a transaction and waits for the block that it makes.
async fn send(provider: &DynProvider, request: TransactionRequest) -> B256 {
    *provider.send_transaction(request).await.unwrap().tx_hash()
}

#[tokio::test]
async fn a_collection_lives_on_it_and_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain");
    let (chain, provider, _) = funded(&path, 1);
    let stranger = (chain.provider(key(2)), key(2).address());
    let (deployment, tokens) = common::mint_and_read_back(provider, &key(1), stranger).await;
    assert_eq!(deployment.chain_id, EMBEDDED_CHAIN_ID);

    let later = EmbeddedChain::open(&path).unwrap();
    let collection = Collection::open(later.provider(key(3)), deployment).await.unwrap();
    assert_eq!(collection.tokens().await.unwrap(), tokens);
}

/// Many transactions are written as one change of the file, or none of them is, and nobody takes them for sent.
#[test]
fn what_is_sent_at_once_is_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain");
    let chain = EmbeddedChain::open(&path).unwrap();
    let balance = |number: u8| EmbeddedChain::open(&path).unwrap().balance(key(number).address()).unwrap();
    let fund = |numbers: &[u8]| numbers.iter().for_each(|number| chain.fund(key(*number).address()).unwrap());
    chain
        .at_once(|| {
            fund(&[1, 2]);
            assert!(!path.exists(), "nothing is written before the end");
        })
        .unwrap();
    assert!(balance(1) > U256::ZERO && balance(1) == balance(2));

    // A folder in the file's place is a disk that refuses.
    let aside = folder.path().join("aside");
    let refused = chain.at_once(|| {
        fund(&[3]);
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
    });
    assert!(matches!(refused, Err(ChainError::Io { .. })), "{refused:?}");
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert_eq!(chain.balance(key(3).address()).unwrap(), U256::ZERO, "what is on no disk was not sent");
    fund(&[3]);
    assert!(balance(3) > U256::ZERO);

    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        chain.at_once(|| {
            fund(&[4]);
            panic!("in the midst of it");
        })
    }));
    assert!(broken.is_err() && chain.balance(key(4).address()).unwrap() == U256::ZERO);
    fund(&[4]);
    assert!(balance(4) > U256::ZERO, "and what is sent afterwards is written again");
}

/// Two openings of one file see each other's blocks, and mints that race lose none.
#[test]
fn several_processes_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_, provider, me) = funded(&path, 1);
    let deployment = runtime().block_on(Collection::deploy(provider, common::new_collection(me))).unwrap().deployment();
    std::thread::scope(|scope| {
        for writer in 0..3_u8 {
            let path = &path;
            scope.spawn(move || {
                // A chain of its own, as another process has.
                let provider = EmbeddedChain::open(path).unwrap().provider(key(1));
                runtime().block_on(async {
                    let collection = Collection::open(provider, deployment).await.unwrap();
                    for number in 0..5 {
                        collection.mint(me, &common::piece(1 + writer * 5 + number, me)).await.unwrap();
                    }
                });
            });
        }
    });
    let (_, provider, _) = funded(&path, 1);
    let tokens =
        runtime().block_on(async { Collection::open(provider, deployment).await.unwrap().tokens().await.unwrap() });
    let mut roots: Vec<u8> = tokens.iter().map(|token| token.sim_root[0]).collect();
    roots.sort_unstable();
    assert_eq!(roots, (1..=15).collect::<Vec<u8>>());
    assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), (1..=15).collect::<Vec<u64>>());
}

#[tokio::test]
async fn test_ether_comes_once_and_in_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, provider, me) = funded(&folder.path().join("chain"), 1);
    let ether = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    assert_eq!(chain.balance(me).unwrap(), ether);
    chain.fund(me).unwrap();
    assert_eq!(chain.balance(me).unwrap(), ether);
    assert_eq!(provider.get_block_number().await.unwrap(), 1);
    let block = provider.get_block_by_number(1.into()).await.unwrap().unwrap();
    assert_eq!(block.withdrawals.unwrap()[0].address, me);
}

#[tokio::test]
async fn the_same_transactions_make_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut hashes = Vec::new();
    for name in ["a", "b"] {
        let (_, provider, me) = funded(&folder.path().join(name), 1);
        let collection = Collection::deploy(provider.clone(), common::new_collection(me)).await.unwrap();
        collection.mint(me, &common::piece(1, me)).await.unwrap();
        hashes.push(provider.get_block(BlockId::latest()).await.unwrap().unwrap().header.hash);
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), fs::read(folder.path().join("b")).unwrap());
}

#[tokio::test]
async fn blocks_transactions_and_receipts_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (_, provider, me) = funded(&folder.path().join("chain"), 1);
    let to = Address::repeat_byte(7);
    let hash = send(&provider, TransactionRequest::default().with_to(to).with_value(U256::from(5))).await;
    let receipt = provider.get_transaction_receipt(hash).await.unwrap().unwrap();
    assert!(receipt.status());
    assert_eq!((receipt.gas_used, receipt.from, receipt.to), (21_000, me, Some(to)));
    let transaction = provider.get_transaction_by_hash(hash).await.unwrap().unwrap();
    assert_eq!(transaction.inner.signer(), me);
    assert_eq!(transaction.value(), U256::from(5));
    assert_eq!(provider.get_balance(to).await.unwrap(), U256::from(5));
    assert_eq!(provider.get_transaction_count(me).await.unwrap(), 1);

    let number = receipt.block_number.unwrap();
    let full = provider.get_block_by_number(number.into()).full().await.unwrap().unwrap();
    assert_eq!(full.header.hash, receipt.block_hash.unwrap());
    assert_eq!(full.header.hash, full.header.inner.hash_slow());
    let signed = full.clone().map_transactions(|transaction| transaction.inner.into_inner());
    assert_eq!(signed.calculate_transactions_root().unwrap(), full.header.transactions_root);
    let parent = provider.get_block_by_hash(full.header.parent_hash).await.unwrap().unwrap();
    assert_eq!(parent.header.number + 1, full.header.number);
    assert_eq!(parent.header.timestamp + 1, full.header.timestamp);
    assert_eq!(provider.get_block_by_number(99.into()).await.unwrap(), None);
    assert_eq!(provider.get_transaction_receipt(B256::ZERO).await.unwrap(), None);

    // The sender paid the value and the gas, to the wei.
    let ether = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    let fee = U256::from(21_000_u64) * U256::from(receipt.effective_gas_price);
    assert_eq!(provider.get_balance(me).await.unwrap(), ether - fee - U256::from(5));
    let history = provider.get_fee_history(10, BlockNumberOrTag::Latest, &[50.0]).await.unwrap();
    assert_eq!(history.base_fee_per_gas.len(), history.gas_used_ratio.len() + 1);
}

#[tokio::test]
async fn logs_are_found_by_address_topics_and_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let (_, provider, me) = funded(&folder.path().join("chain"), 1);
    let one = Collection::deploy(provider.clone(), common::new_collection(me)).await.unwrap();
    let two = Collection::deploy(provider.clone(), common::new_collection(me)).await.unwrap();
    let token = one.mint(me, &common::piece(1, me)).await.unwrap();
    two.mint(me, &common::piece(1, me)).await.unwrap();
    one.mint(me, &common::piece(2, me)).await.unwrap();
    let count = |filter: Filter| {
        let provider = provider.clone();
        async move { provider.get_logs(&filter).await.unwrap().len() }
    };
    let minted = "FilmMinted(uint256,bytes32,bytes32,bytes32)";
    let all = Filter::new().from_block(0);
    assert_eq!(count(all.clone().event(minted)).await, 3);
    assert_eq!(count(all.clone().event(minted).address(one.deployment().address)).await, 2);
    assert_eq!(count(all.clone().event(minted).topic1(U256::from(1))).await, 2);
    assert_eq!(count(all.clone().event(minted).address(two.deployment().address).topic1(U256::from(2))).await, 0);
    assert_eq!(count(all.clone().event(minted).to_block(token.block)).await, 1);
    assert_eq!(count(Filter::new().event(minted).from_block(token.block + 1)).await, 2);
    assert_eq!(count(Filter::new().event(minted)).await, 1, "the latest block alone");
    assert_eq!(count(Filter::new().event(minted).from_block(99)).await, 0);
    let block = provider.get_block_by_number(token.block.into()).await.unwrap().unwrap();
    let logs = provider.get_logs(&Filter::new().at_block_hash(block.header.hash)).await.unwrap();
    assert_eq!(logs.len(), 2, "FilmMinted and Transfer");
    assert_eq!(logs.iter().map(|log| log.log_index.unwrap()).collect::<Vec<_>>(), [0, 1]);
    assert!(logs.iter().all(|log| log.transaction_hash == Some(token.transaction)));
}

#[tokio::test]
async fn an_estimate_is_the_least_gas_that_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let (_, provider, me) = funded(&folder.path().join("chain"), 1);
    // Init code that clears a slot it has set, for a refund: what it uses in the end is less than it needs on the way.
    // PUSH1 1, PUSH1 0, SSTORE, PUSH1 0, PUSH1 0, SSTORE, STOP
    let refunding = TransactionRequest::default().with_from(me).with_deploy_code(bytes!("6001600055600060005500"));
    let plain = TransactionRequest::default().with_from(me).with_to(Address::repeat_byte(1));
    for request in [refunding, plain] {
        let gas = provider.estimate_gas(request.clone()).await.unwrap();
        provider.call(request.clone().with_gas_limit(gas)).await.unwrap();
        assert!(provider.call(request.clone().with_gas_limit(gas - 1)).await.is_err());
        let hash = send(&provider, request.with_gas_limit(gas)).await;
        assert!(provider.get_transaction_receipt(hash).await.unwrap().unwrap().status());
    }
}

#[tokio::test]
async fn a_revert_brings_its_data_and_a_failed_transaction_its_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let (_, provider, me) = funded(&folder.path().join("chain"), 1);
    // PUSH1 0xAB, PUSH1 0, MSTORE8, PUSH1 1, PUSH1 0, REVERT
    let reverting = TransactionRequest::default().with_from(me).with_deploy_code(bytes!("60ab60005360016000fd"));
    let error = provider.call(reverting.clone()).await.unwrap_err();
    assert_eq!(error.as_error_resp().unwrap().as_revert_data().unwrap(), Bytes::from([0xab]));
    let error = provider.estimate_gas(reverting.clone()).await.unwrap_err();
    assert_eq!(error.as_error_resp().unwrap().as_revert_data().unwrap(), Bytes::from([0xab]));
    let hash = send(&provider, reverting.with_gas_limit(100_000)).await;
    let receipt = provider.get_transaction_receipt(hash).await.unwrap().unwrap();
    assert!(!receipt.status());
    assert_eq!(receipt.contract_address, None);
    assert_eq!(provider.get_transaction_count(me).await.unwrap(), 1);
}

#[tokio::test]
async fn what_it_does_not_have_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, provider, me) = funded(&folder.path().join("chain"), 1);
    let error = provider.raw_request::<_, ()>("eth_mining".into(), ()).await.unwrap_err();
    assert!(error.to_string().contains("no method eth_mining"), "{error}");
    let error = provider.get_balance(me).number(0).await.unwrap_err();
    assert!(error.to_string().contains("newest block only"), "{error}");
    provider.get_balance(me).number(1).await.unwrap();
    let error = provider.raw_request::<_, ()>("eth_getBalance".into(), ["zzz"]).await.unwrap_err();
    assert_eq!(error.as_error_resp().unwrap().code, -32602);
    let error = provider.raw_request::<_, ()>("eth_sendRawTransaction".into(), ["0x02"]).await.unwrap_err();
    assert_eq!(error.as_error_resp().unwrap().code, -32602);

    // A key without ether, and a nonce that is not next.
    let poor = chain.provider(key(9));
    let pay = TransactionRequest::default().with_to(me).with_value(U256::from(1)).with_gas_limit(21_000);
    let error = poor.send_transaction(pay.clone()).await.unwrap_err();
    assert!(error.to_string().contains("lack of funds"), "{error}");
    let error = provider.send_transaction(pay.clone().with_nonce(7)).await.unwrap_err();
    assert!(error.to_string().contains("nonce"), "{error}");
    let error = provider.send_transaction(pay.with_chain_id(1)).await.unwrap_err();
    assert!(error.to_string().contains("signed for chain"), "{error}");
    assert_eq!(provider.get_block_number().await.unwrap(), 1, "none of it made a block");
}

#[test]
fn a_file_that_was_damaged_or_made_by_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain");
    funded(&path, 1);
    let good = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], says: &str| {
        fs::write(&path, bytes).unwrap();
        let error = EmbeddedChain::open(&path).unwrap_err();
        assert!(matches!(error, ChainError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    refused(&good[..good.len() - 1], "not those that were written");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    refused(&flipped, "not those that were written");
    refused(b"", "does not begin like a chain");
    refused(b"{}", "does not begin like a chain");
    refused(&[b"seedstorm-chain 2", &good[17..]].concat(), "version 2");
    // A balance that somebody wrote, with a checksum that fits.
    let text = String::from_utf8(good.clone()).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let richer = body.replace("\"nonce\":0,\"balance\":\"0x", "\"nonce\":0,\"balance\":\"0xf");
    assert_ne!(richer, body);
    use sha2::{Digest, Sha256};
    let header = format!("seedstorm-chain 1 {} {}\n", richer.len(), hex::encode(Sha256::digest(&richer)));
    refused(format!("{header}{richer}").as_bytes(), "contradict");
    fs::write(&path, &good).unwrap();
    EmbeddedChain::open(&path).unwrap();
}
