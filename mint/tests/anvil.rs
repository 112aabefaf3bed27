//! A collection on a real Ethereum node: Foundry's Anvil, from the npm packages of `contracts/`.
//!
//! Without them the test fails and says how to install them: a check that silently does not happen proves nothing.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alloy::primitives::U256;
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionRequest;
use seedstorm_mint::chain::{ChainError, json_rpc};
use seedstorm_mint::{Collection, PrivateKeySigner};

/// The first account that Anvil gives ether to; its key is in Anvil's own banner.
const FIRST_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// A node that ends with the test.
struct Anvil {
    process: Child,
    url: String,
}

impl Anvil {
    async fn start(options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(binary());
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--silent"]).args(options);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut anvil = Self { process, url: format!("http://127.0.0.1:{port}") };
        let begin = Instant::now();
        while anvil.provider(FIRST_KEY).get_chain_id().await.is_err() {
            assert!(anvil.process.try_wait().unwrap().is_none(), "anvil ended at once");
            assert!(begin.elapsed() < Duration::from_secs(30), "anvil did not answer within 30 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anvil
    }

    fn provider(&self, key: &str) -> DynProvider {
        json_rpc(&self.url, key.parse().unwrap()).unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The native program in the package for this platform; npm's launcher would leave it running.
fn binary() -> PathBuf {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts");
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let package = format!("node_modules/@foundry-rs/anvil-{platform}-{architecture}/bin");
    let binary = contracts.join(package).join(format!("anvil{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.is_file(), "{} is missing: run `npm ci` in contracts/", binary.display());
    binary
}

#[tokio::test]
async fn a_collection_lives_on_anvil_as_on_the_embedded_chain() {
    let anvil = Anvil::start(&[]).await;
    let creator: PrivateKeySigner = FIRST_KEY.parse().unwrap();
    let other = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let stranger = (anvil.provider(other), other.parse::<PrivateKeySigner>().unwrap().address());
    let (deployment, _) = common::mint_and_read_back(anvil.provider(FIRST_KEY), &creator, stranger).await;
    assert_eq!(deployment.chain_id, 31337);
}

/// A transaction of the key that waits could be a mint that was cut off: no second one is sent before it is mined.
#[tokio::test]
async fn a_mint_waits_for_what_is_pending_and_is_made_once() {
    let anvil = Anvil::start(&[]).await;
    let provider = anvil.provider(FIRST_KEY);
    let me = FIRST_KEY.parse::<PrivateKeySigner>().unwrap().address();
    let collection = Collection::deploy(provider.clone(), common::new_collection(me)).await.unwrap();
    let mint = common::piece(1, me);

    // The node stops mining; a mint is sent and its sender cut off.
    let _: () = provider.raw_request("evm_setIntervalMining".into(), [0]).await.unwrap();
    let _: () = provider.raw_request("evm_setAutomine".into(), [false]).await.unwrap();
    let cut_off = tokio::time::timeout(Duration::from_secs(2), collection.mint(me, &mint)).await;
    assert!(cut_off.is_err(), "nothing is mined, so nothing is done");
    assert_eq!(provider.get_transaction_count(me).pending().await.unwrap(), 2);

    // The same mint again, while the node begins to mine.
    let again = collection.mint(me, &mint);
    let mine = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
    };
    let (token, ()) = tokio::join!(again, mine);
    assert_eq!(token.unwrap().id, 1);
    assert_eq!(collection.tokens().await.unwrap().len(), 1);
    assert_eq!(provider.get_transaction_count(me).pending().await.unwrap(), 2, "no second transaction");
}

/// What a call costs is the protocol's affair: both chains must say the same.
#[tokio::test]
async fn gas_is_the_same_as_on_the_embedded_chain() {
    let anvil = Anvil::start(&["--hardfork", "prague"]).await;
    let folder = tempfile::tempdir().unwrap();
    let chain = seedstorm_mint::EmbeddedChain::open(folder.path().join("chain")).unwrap();
    let key: PrivateKeySigner = FIRST_KEY.parse().unwrap();
    let me = key.address();
    chain.fund(me).unwrap();
    let mut gas = Vec::new();
    for provider in [anvil.provider(FIRST_KEY), chain.provider(key)] {
        let collection = Collection::deploy(provider.clone(), common::new_collection(me)).await.unwrap();
        let mut used = Vec::new();
        for number in 1..=2 {
            let token = collection.mint(me, &common::piece(number, me)).await.unwrap();
            let receipt = provider.get_transaction_receipt(token.transaction).await.unwrap().unwrap();
            used.push(receipt.gas_used);
        }
        let block = provider.get_block_by_number(collection.deployment().block.into()).await.unwrap().unwrap();
        used.push(block.header.gas_used);
        let transfer = TransactionRequest::default().from(me).to(me).value(U256::from(1));
        used.push(provider.estimate_gas(transfer).await.unwrap());
        gas.push(used);
    }
    assert_eq!(gas[0], gas[1]);
}

#[test]
fn an_address_that_is_none_is_refused() {
    let key: PrivateKeySigner = FIRST_KEY.parse().unwrap();
    for url in ["", "127.0.0.1:8545", "ftp://host", "https://host", "http://"] {
        assert!(matches!(json_rpc(url, key.clone()), Err(ChainError::Url(_))), "{url:?}");
    }
}
