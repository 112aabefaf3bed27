//! The compute network's contracts on the in-process chain: deployed from the committed artifacts, found again through
//! their file, and a job's life on them as far as it goes without waiting for days.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

use alloy::primitives::{Address, B256, U256, Uint};
use alloy::providers::{DynProvider, Provider};
use alloy::signers::SignerSync;
use seedstorm_mint::chain::EMBEDDED_CHAIN_ID;
use seedstorm_mint::network::contract::gate::ValidationGate;
use seedstorm_mint::network::contract::market::JobMarket;
use seedstorm_mint::network::contract::registry::ProviderRegistry;
use seedstorm_mint::network::contract::token::StormToken;
use seedstorm_mint::network::{Beginnings, Bid, Network, NetworkError, Terms};
use seedstorm_mint::{EmbeddedChain, PrivateKeySigner};

const TOKEN: u128 = 1_000_000_000_000_000_000;

fn key(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_slice(&[number; 32]).unwrap()
}

/// A person with ether: their key, and the chain as seen with it.
fn person(chain: &EmbeddedChain, number: u8) -> (PrivateKeySigner, DynProvider) {
    let key = key(number);
    chain.fund(key.address()).unwrap();
    (key.clone(), chain.provider(key))
}

fn amount(value: u128) -> Uint<96, 2> {
    Uint::from(value)
}

macro_rules! send {
    ($call:expr) => {{
        let receipt = $call.send().await.unwrap().get_receipt().await.unwrap();
        assert!(receipt.status());
        receipt
    }};
}

#[tokio::test]
async fn a_job_is_paid_for_on_the_chain_in_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let chain = EmbeddedChain::open(folder.path().join("chain")).unwrap();
    let (treasury, as_treasury) = person(&chain, 1);
    let (requestor, as_requestor) = person(&chain, 2);
    let (provider, as_provider) = person(&chain, 3);
    let (validation, as_validation) = person(&chain, 4);
    let sink = |byte| Address::repeat_byte(byte);

    // Deployed, written, read.
    let beginnings = Beginnings {
        treasury: treasury.address(),
        governor: treasury.address(),
        validation: validation.address(),
        stakers: sink(0xa1),
        community: sink(0xa2),
        pool: sink(0xa3),
    };
    let deployed = Network::deploy(&as_treasury, treasury.address(), &beginnings).await.unwrap();
    let file = folder.path().join("network.json");
    deployed.write(&file).unwrap();
    let network = Network::read(&file).unwrap();
    assert_eq!(network, deployed);
    assert_eq!(network.chain_id, EMBEDDED_CHAIN_ID);
    for address in [network.token, network.gate, network.registry, network.market, network.board, network.bonus] {
        assert!(!as_treasury.get_code_at(address).await.unwrap().is_empty());
    }

    // Money and a stake.
    let token = StormToken::new(network.token, as_treasury.clone());
    for person in [requestor.address(), provider.address()] {
        send!(token.transfer(person, U256::from(20_000 * TOKEN)));
    }
    let approve = |by: &DynProvider, whom| {
        StormToken::new(network.token, by.clone()).approve(whom, U256::MAX).into_transaction_request()
    };
    for (by, whom) in
        [(&as_requestor, network.market), (&as_provider, network.registry), (&as_provider, network.market)]
    {
        let request = approve(by, whom);
        assert!(by.send_transaction(request).await.unwrap().get_receipt().await.unwrap().status());
    }
    let registry = ProviderRegistry::new(network.registry, as_provider.clone());
    send!(registry.stake(amount(10_000 * TOKEN)));
    send!(registry.setHardware(ProviderRegistry::Hardware { gpuClass: 5, vramGiB: 24, region: 1 }));

    // A job.
    let now = as_requestor.get_block(alloy::eips::BlockId::latest()).await.unwrap().unwrap().header.timestamp;
    let market = JobMarket::new(network.market, as_requestor.clone());
    let manifest = B256::repeat_byte(7);
    send!(market.createJob(JobMarket::JobTerms {
        manifest,
        program: B256::ZERO,
        signer: requestor.address(),
        deadline: Uint::from(now + 86_400),
        priceCap: 1_000_000_000_000_000,
        escrow: amount(1_000 * TOKEN),
        priority: amount(0),
        need: JobMarket::Requirement { gpuClass: 5, vramGiB: 24, region: 1, tier: 0 },
        mode: 0,
        quorum: 0,
    }));
    let job = market.jobCount().call().await.unwrap();
    assert_eq!(job, 1);

    // A bid, signed here; the contract gives it the same id.
    let terms = Terms::of(&network);
    let bid = Bid {
        job,
        requestor: requestor.address(),
        manifest,
        provider: provider.address(),
        unitPrice: 1_000_000_000_000_000,
        units: Uint::from(100_000),
        taskReward: Uint::from(TOKEN),
        eta: Uint::from(now + 3_600),
        expiry: Uint::from(now + 3_600),
        salt: B256::repeat_byte(9),
    };
    let lease = terms.bid(&bid);
    let signature = provider.sign_hash_sync(&lease).unwrap();
    let signed = JobMarket::Bid {
        provider: bid.provider,
        unitPrice: bid.unitPrice,
        units: bid.units,
        taskReward: bid.taskReward,
        eta: bid.eta,
        expiry: bid.expiry,
        salt: bid.salt,
        v: 27 + u8::from(signature.v()),
        r: signature.r().into(),
        s: signature.s().into(),
    };
    assert_eq!(market.leaseIdOf(job, signed.clone()).call().await.unwrap(), lease);
    let receipt = send!(market.award(job, vec![signed]));
    assert_eq!(receipt.decoded_log::<JobMarket::Awarded>().unwrap().leaseId, lease);

    // Two vouchers, of which the second is shown; anybody may show it.
    let cumulative = 30 * TOKEN;
    let digest = terms.voucher(lease, cumulative);
    assert_eq!(market.voucherDigest(lease, amount(cumulative)).call().await.unwrap(), digest);
    let signature = requestor.sign_hash_sync(&digest).unwrap();
    let (v, r, s) = (27 + u8::from(signature.v()), signature.r().into(), signature.s().into());
    let before = token.balanceOf(provider.address()).call().await.unwrap();
    send!(JobMarket::new(network.market, as_provider.clone()).redeem(lease, amount(cumulative), v, r, s));
    let after = token.balanceOf(provider.address()).call().await.unwrap();
    assert_eq!(after - before, U256::from(cumulative - cumulative / 20));
    // Not twice, and nothing is settled before its time.
    let again = market.redeem(lease, amount(cumulative), v, r, s).call().await.unwrap_err();
    assert!(
        again
            .as_decoded_interface_error::<JobMarket::JobMarketErrors>()
            .is_some_and(|error| matches!(error, JobMarket::JobMarketErrors::NothingNew(_)))
    );
    let early = market.settle(lease).call().await.unwrap_err();
    assert!(
        early
            .as_decoded_interface_error::<JobMarket::JobMarketErrors>()
            .is_some_and(|error| matches!(error, JobMarket::JobMarketErrors::TooEarly(_)))
    );

    // The fees, and a ruling through the gate.
    send!(market.distribute());
    assert_eq!(token.balanceOf(sink(0xa1)).call().await.unwrap(), U256::from(cumulative / 20 * 3 / 10));
    send!(JobMarket::new(network.market, as_provider.clone()).dispute(lease));
    let gate = ValidationGate::new(network.gate, as_validation);
    send!(gate.rule(
        lease,
        ValidationGate::Ruling {
            earned: amount(31 * TOKEN),
            forfeit: amount(0),
            slash: amount(0),
            challenger: Address::ZERO,
            challengerBps: 0,
            providerIsRight: true,
        }
    ));
    assert_eq!(market.leaseOf(lease).call().await.unwrap().redeemed, amount(31 * TOKEN));
}

#[test]
fn a_file_that_is_no_network_says_so() {
    assert!(matches!(Network::from_json("{}"), Err(NetworkError::Malformed(_))));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Network::read(&folder.path().join("none")), Err(NetworkError::Io { .. })));
}
