// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {ResultBoard} from "../src/ResultBoard.sol";
import {ValidationGate} from "../src/ValidationGate.sol";
import {Awards} from "../src/market/Awards.sol";
import {Fees} from "../src/market/Fees.sol";
import {JobEscrow} from "../src/market/JobEscrow.sol";
import {JobMarket} from "../src/market/JobMarket.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Payments} from "../src/market/Payments.sol";
import {Bid, Hardware, JobTerms, LeaseState, Mode, Ruling, Tier} from "../src/market/Types.sol";
import {CallbackToken, Reentrant} from "./CallbackToken.sol";
import {MarketTest} from "./Market.base.sol";
import {PaymentHarness} from "./PaymentHarness.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Attacks, kept for ever. Each passes here, and fails where its defence is taken out of the sources:
/// `node tools/mutants.mjs attacks` takes out each one in turn, and `tools/attacks.json` says how.
contract AttacksTest is MarketTest {
    /// The order of secp256k1: https://www.secg.org/sec2-v2.pdf
    uint256 internal constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function skipped(uint32 job, bytes32 leaseId, Awards.Skipped why) internal {
        vm.expectEmit(address(market));
        emit Awards.BidSkipped(job, leaseId, why);
    }

    // A token that calls back while it pays: whatever the market pays by, nothing that moves money can be entered.
    function test_attack_reentrancy_through_token_callbacks() public {
        useCallbackToken();
        (uint32 job, bytes32 leaseId) = newLease();
        Ruling memory r = ruling();
        (uint8 v, bytes32 vr, bytes32 vs) = voucher(leaseId, 3 ether);
        bytes[] memory calls = new bytes[](8);
        calls[0] = abi.encodeCall(market.redeem, (leaseId, 3 ether, v, vr, vs));
        calls[1] = abi.encodeCall(market.settle, (leaseId));
        calls[2] = abi.encodeCall(market.refund, (job));
        calls[3] = abi.encodeCall(market.dispute, (leaseId));
        calls[4] = abi.encodeCall(market.rule, (leaseId, r));
        calls[5] = abi.encodeCall(market.award, (job, new Bid[](0)));
        calls[6] = abi.encodeCall(market.createJob, (terms()));
        calls[7] = abi.encodeCall(market.distribute, ());
        vm.prank(provider);
        market.dispute(leaseId);
        vm.etch(provider, type(Reentrant).runtimeCode);
        Reentrant(provider).arm(address(market), calls);

        uint256 here = vm.snapshotState();
        redeem(leaseId, 2 ether);
        assertRefused(8);
        vm.revertToState(here);
        (r.earned, r.forfeit, r.providerIsRight) = (2 ether, 1 ether, true);
        rule(leaseId, r);
        assertRefused(8);
        vm.revertToState(here);
        vm.warp(block.timestamp + 60 days);
        market.settle(leaseId);
        assertRefused(8);
    }

    function assertRefused(uint256 calls) internal view {
        assertEq(Reentrant(provider).attempts(), calls, "the token called back");
        assertEq(Reentrant(provider).guarded(), calls, "calls that the guard refused");
    }

    // The same, where a guard would be forgotten: a voucher is still paid once.
    function test_attack_voucher_paid_again_from_within() public {
        useCallbackToken();
        (, bytes32 leaseId) = newLease();
        vm.etch(provider, type(Reentrant).runtimeCode);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 2 ether);
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(market.redeem, (leaseId, 2 ether, v, r, s));
        Reentrant(provider).arm(address(market), calls);
        uint256 balance = token.balanceOf(provider);
        redeem(leaseId, 2 ether);
        assertEq(Reentrant(provider).attempts(), 1, "the token called back");
        assertEq(token.balanceOf(provider) - balance, 1.9 ether, "paid once");
    }

    // Stake that is being withdrawn or slashed is not withdrawn again from within. The registry has no guard.
    function test_attack_reentrancy_into_stakes() public {
        useCallbackToken();
        vm.prank(provider);
        registry.unbond(9_000 ether);
        vm.warp(block.timestamp + 21 days);
        vm.etch(provider, type(Reentrant).runtimeCode);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(registry.withdraw, ());
        calls[1] = abi.encodeCall(registry.unbond, (1_000 ether));
        Reentrant(provider).arm(address(registry), calls);
        uint256 here = vm.snapshotState();
        vm.prank(provider);
        registry.withdraw();
        assertEq(Reentrant(provider).attempts(), 2, "the token called back");
        assertEq(token.balanceOf(provider), 9_100 ether, "withdrawn once");
        assertEq(registry.providerOf(provider).unbonding, 1_000 ether, "what was left waits its time");
        vm.revertToState(here);

        // The provider is its own requestor, and is paid while it is slashed.
        vm.prank(address(market));
        registry.slash(provider, 0, type(uint96).max, provider, 1 ether, address(0), 0);
        assertEq(Reentrant(provider).attempts(), 2, "the token called back");
        assertEq(Reentrant(provider).succeeded(), 0, "nothing is left");
        assertEq(token.balanceOf(provider), 101 ether, "nothing but the slash");
    }

    function useCallbackToken() internal {
        // Where the network's token is, with its storage.
        vm.etch(address(token), address(new CallbackToken(TREASURY)).code);
    }

    // One voucher, shown again and again.
    function test_attack_voucher_replayed() public {
        (, bytes32 leaseId) = newLease();
        uint256 balance = token.balanceOf(provider);
        redeem(leaseId, 10 ether);
        redeem(leaseId, 11 ether);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 10 ether);
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingNew.selector, 10 ether, 11 ether));
        market.redeem(leaseId, 10 ether, v, r, s);
        (v, r, s) = voucher(leaseId, 11 ether);
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingNew.selector, 11 ether, 11 ether));
        market.redeem(leaseId, 11 ether, v, r, s);
        assertEq(token.balanceOf(provider) - balance, 10.45 ether, "paid once");
    }

    // A voucher of one lease, shown for another lease of the same provider and requestor.
    function test_attack_voucher_of_another_lease() public {
        (uint32 job, bytes32 leaseId) = newLease();
        bytes32 other = lease(job, 2);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 10 ether);
        vm.expectRevert();
        market.redeem(other, 10 ether, v, r, s);
        market.redeem(leaseId, 10 ether, v, r, s);
    }

    // The same bid and voucher, on another market of the same chain, and on the same market of a forked chain.
    function test_attack_bid_and_voucher_of_another_market_or_chain() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 10 ether);

        uint256 here = vm.snapshotState();
        vm.chainId(777);
        bytes32 there = market.leaseIdOf(job, bid);
        skipped(job, there, Awards.Skipped.WrongSignature);
        assertEq(awardOne(job, bid), 0, "a bid of another chain");
        vm.revertToState(here);
        assertEq(awardOne(job, bid), 1);
        vm.chainId(777);
        vm.expectRevert();
        market.redeem(leaseId, 10 ether, v, r, s);
        vm.revertToState(here);

        // Another network, with the same job under the same id.
        JobMarket first = market;
        super.setUp();
        assertTrue(address(first) != address(market), "another market");
        uint32 twin = createJob();
        assertEq(twin, job);
        skipped(twin, market.leaseIdOf(twin, bid), Awards.Skipped.WrongSignature);
        assertEq(awardOne(twin, bid), 0, "a bid of another market");
    }

    // The other signature that the curve allows for the same voucher and the same bid.
    function test_attack_malleable_signatures() public {
        (uint32 job, bytes32 leaseId) = newLease();
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 10 ether);
        (v, s) = (v == 27 ? 28 : 27, bytes32(N - uint256(s)));
        assertEq(ecrecover(market.voucherDigest(leaseId, 10 ether), v, r, s), requestor);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, s));
        market.redeem(leaseId, 10 ether, v, r, s);

        Bid memory bid = bidOf(provider, 2);
        bytes32 id = signBid(job, bid, PROVIDER_KEY);
        (bid.v, bid.s) = (bid.v == 27 ? 28 : 27, bytes32(N - uint256(bid.s)));
        assertEq(ecrecover(id, bid.v, bid.r, bid.s), provider);
        skipped(job, id, Awards.Skipped.WrongSignature);
        assertEq(awardOne(job, bid), 0, "a bid with the other signature");
    }

    // A signature of nobody recovers to the zero address, which must be nobody's.
    function test_attack_signature_of_nobody() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(address(0), 1);
        (bid.v, bid.r, bid.s) = (27, bytes32(0), bytes32(uint256(1)));
        skipped(job, market.leaseIdOf(job, bid), Awards.Skipped.WrongSignature);
        assertEq(awardOne(job, bid), 0, "a bid of nobody");
        JobTerms memory t = terms();
        t.signer = address(0);
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.IncompleteTerms.selector));
        createJob(t);
    }

    // Somebody sees an award on its way and sends it first; the requestor sends theirs twice; a bid is in it twice.
    function test_attack_award_front_run_and_replayed() public {
        uint32 job = createJob();
        Bid[] memory bids = new Bid[](2);
        bids[0] = bidOf(provider, 1);
        bytes32 leaseId = signBid(job, bids[0], PROVIDER_KEY);
        bids[1] = bids[0];
        vm.expectRevert(abi.encodeWithSelector(MarketState.NotTheRequestor.selector, STRANGER));
        vm.prank(STRANGER);
        market.award(job, bids);

        vm.prank(requestor);
        assertEq(market.award(job, bids), 1, "a bid becomes one lease");
        redeem(leaseId, 10 ether);
        skipped(job, leaseId, Awards.Skipped.Used);
        assertEq(awardOne(job, bids[0]), 0, "an award replayed");
        assertEq(market.leaseOf(leaseId).redeemed, 10 ether, "what was paid is not forgotten");
        assertEq(registry.providerOf(provider).locked, 40 ether, "locked once");
        assertEq(market.jobOf(job).free, ESCROW - CAP, "reserved once");

        // Nor is it good for the requestor's next job.
        uint32 next = createJob();
        skipped(next, market.leaseIdOf(next, bids[0]), Awards.Skipped.WrongSignature);
        assertEq(awardOne(next, bids[0]), 0, "a bid on another job");
    }

    // Bidders that cannot or will not deliver do not stop the others of their batch.
    function test_attack_bid_griefing() public {
        uint32 job = createJob();
        uint256 key = 0xBADD;
        join(vm.addr(key), 1_000 ether);
        Bid[] memory bids = new Bid[](4);
        // Stake taken away in front of the award.
        bids[0] = bidOf(vm.addr(key), 1);
        bytes32 unfit = signBid(job, bids[0], key);
        vm.prank(vm.addr(key));
        registry.unbond(1_000 ether);
        // A signature of garbage.
        bids[1] = bidOf(provider, 2);
        (bids[1].v, bids[1].r, bids[1].s) = (99, bytes32(type(uint256).max), bytes32(0));
        bytes32 garbage = market.leaseIdOf(job, bids[1]);
        // Numbers as large as they go.
        bids[2] = bidOf(provider, 3);
        (bids[2].units, bids[2].taskReward) = (type(uint40).max, type(uint88).max);
        bytes32 huge = signBid(job, bids[2], PROVIDER_KEY);
        bids[3] = bidOf(provider, 4);
        signBid(job, bids[3], PROVIDER_KEY);

        skipped(job, unfit, Awards.Skipped.ProviderUnfit);
        skipped(job, garbage, Awards.Skipped.WrongSignature);
        skipped(job, huge, Awards.Skipped.AboveEscrow);
        vm.prank(requestor);
        assertEq(market.award(job, bids), 1, "the honest bid");
    }

    // Many identities, each with hardware of the highest class by its own word.
    function test_attack_sybil_tiers() public {
        JobTerms memory t = terms();
        t.need.tier = Tier.Professional;
        uint32 job = createJob(t);
        for (uint256 i = 1; i <= 10; ++i) {
            address sybil = vm.addr(i);
            join(sybil, 1_000 ether);
            vm.prank(sybil);
            registry.setHardware(Hardware(255, 255, 1));
            Bid memory bid = bidOf(sybil, i);
            skipped(job, signBid(job, bid, i), Awards.Skipped.ProviderUnfit);
            assertEq(awardOne(job, bid), 0, "a claimed tier");
        }
        // Measured below what is needed, measured and expired, measured and then another machine.
        Bid memory own = bidOf(provider, 1);
        signBid(job, own, PROVIDER_KEY);
        attest(provider, Tier.Consumer, 1_000);
        assertEq(awardOne(job, own), 0, "a lower tier");
        vm.prank(VALIDATION);
        gate.attest(provider, Tier.DataCentre, 9_000, uint32(block.timestamp));
        assertEq(awardOne(job, own), 0, "a tier that has ended");
        attest(provider, Tier.DataCentre, 9_000);
        vm.prank(provider);
        registry.setHardware(Hardware(1, 1, 1));
        assertEq(awardOne(job, own), 0, "the tier of another machine");
        assertEq(registry.totalRate(), 0, "nor does its speed count");
        // Without a stake there is no identity to attest.
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.NotAProvider.selector, STRANGER));
        attest(STRANGER, Tier.DataCentre, 9_000);
        attest(provider, Tier.DataCentre, 9_000);
        assertEq(awardOne(job, own), 1, "measured");
    }

    // A provider that knows its work is false takes its stake away before that is found.
    function test_attack_unbonding_to_dodge_a_slash() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, 30 ether);
        vm.startPrank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(ProviderRegistry.NotFree.selector, uint96(10_000 ether), uint96(9_960 ether))
        );
        registry.unbond(10_000 ether);
        registry.unbond(9_960 ether);
        vm.stopPrank();

        // While the lease runs, more is taken than it has locked.
        uint256 here = vm.snapshotState();
        uint256 balance = token.balanceOf(requestor);
        Ruling memory r = ruling();
        (r.slash, r.challengerBps) = (100 ether, 3_000);
        rule(leaseId, r);
        assertEq(registry.providerOf(provider).stake + registry.providerOf(provider).unbonding, 9_900 ether);
        assertEq(token.balanceOf(requestor) - balance, 30 ether, "the requestor first");
        assertEq(token.balanceOf(CHALLENGER), 30 ether, "then the challenger, at most 30 %");
        vm.revertToState(here);

        // Settled at the first moment, and unbonded at the next: what was in it can still be slashed until it leaves.
        warpToSettlement(job);
        market.settle(leaseId);
        vm.startPrank(provider);
        registry.unbond(40 ether);
        vm.warp(block.timestamp + 21 days - 1);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.StillUnbonding.selector, uint40(block.timestamp + 1)));
        registry.withdraw();
        vm.stopPrank();
        r.slash = type(uint96).max;
        rule(leaseId, r);
        assertEq(registry.providerOf(provider).unbonding, 0, "all of it was in reach");
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        vm.prank(provider);
        registry.withdraw();
    }

    // A provider that knows its work is false hires itself, to lock all of its stake in a lease with nobody.
    function test_attack_stake_locked_again_to_dodge_a_slash() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        warpToSettlement(job);
        uint32 sham = hireOneself(250 ether, 10e18);
        market.settle(leaseId);
        bytes32 shamLease = awardOneself(sham, 1e18, 250, 250 ether);
        assertEq(registry.providerOf(provider).locked, 10_000 ether, "all of it");

        Ruling memory r = ruling();
        (r.slash, r.challengerBps) = (type(uint96).max, 3_000);
        uint256 balance = token.balanceOf(requestor);
        vm.warp(block.timestamp + 1 days);
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor) - balance, CAP, "the requestor is made whole");
        assertEq(token.balanceOf(CHALLENGER), 3_000 ether, "the challenger is paid");
        assertEq(registry.providerOf(provider).stake, 0, "the whole stake");
        // The other lease ends as ever.
        vm.warp(market.settlesFrom(sham));
        market.settle(shamLease);
        assertEq(registry.providerOf(provider).locked, 0, "nothing is left");
    }

    function hireOneself(uint96 escrow, uint64 priceCap) internal returns (uint32 job) {
        fund(provider, 2 * uint256(escrow));
        JobTerms memory t = terms();
        (t.escrow, t.priceCap, t.signer, t.deadline) = (escrow, priceCap, provider, uint40(block.timestamp + 30 days));
        vm.prank(provider);
        job = market.createJob(t);
    }

    function awardOneself(uint32 job, uint64 unitPrice, uint40 units, uint88 task) internal returns (bytes32 leaseId) {
        Bid[] memory bids = new Bid[](1);
        bids[0] = bidOf(provider, block.timestamp);
        (bids[0].unitPrice, bids[0].units, bids[0].taskReward) = (unitPrice, units, task);
        leaseId = signBid(job, bids[0], PROVIDER_KEY);
        vm.prank(provider);
        assertEq(market.award(job, bids), 1, "a lease with oneself");
    }

    // Slashed to nothing, a provider stakes again and is a data centre without being measured.
    function test_attack_tier_kept_after_a_slash() public {
        attest(provider, Tier.DataCentre, 9_000);
        (, bytes32 leaseId) = newLease();
        Ruling memory r = ruling();
        r.slash = type(uint96).max;
        rule(leaseId, r);
        assertEq(registry.totalRate(), 0, "its speed does not count");
        fund(provider, 1_000 ether);
        vm.prank(provider);
        registry.stake(1_000 ether);
        JobTerms memory t = terms();
        t.need.tier = Tier.Consumer;
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 9);
        skipped(job, signBid(job, bid, PROVIDER_KEY), Awards.Skipped.ProviderUnfit);
        assertEq(awardOne(job, bid), 0, "a tier of before");
    }

    // Work without measure is leased for next to nothing, so that nobody else can afford a job.
    function test_attack_price_pumped_for_a_wei() public {
        attest(provider, Tier.Consumer, 1_000);
        uint32 sham = hireOneself(1e14, 10e18);
        for (uint256 i = 1; i <= 24; ++i) {
            awardOneself(sham, 1, type(uint40).max, 1);
            vm.warp(START + i * 1 hours);
            assertEq(market.basePrice(), 1e12, "for a wei a unit");
        }
        // Who pays for all machines, for an hour, moves it for an hour, by an eighth.
        sham = hireOneself(1 ether, 10e18);
        awardOneself(sham, 1e12, 3_600, 1);
        vm.warp(block.timestamp + 1 hours);
        assertEq(market.basePrice(), 1.125e12, "for the base price");
    }

    // As long as no machine is measured, any lease is more than all machines can do.
    function test_attack_price_pumped_without_machines() public {
        uint32 sham = hireOneself(1 ether, 10e18);
        for (uint256 i = 1; i <= 24; ++i) {
            awardOneself(sham, 1e13, 1_000, 1);
            vm.warp(START + i * 1 hours);
        }
        assertEq(market.basePrice(), 1e12, "nothing can be used");
    }

    // A machine that leaves after quiet days makes the work of then a throng.
    function test_attack_price_leap_by_a_machine_that_leaves() public {
        address second = vm.addr(0x5EC);
        join(second, 1_000 ether);
        vm.warp(START + 3_600);
        attest(second, Tier.Consumer, 1);
        uint32 sham = hireOneself(1_000 ether, 10e18);
        for (uint256 i = 2; i <= 40; ++i) {
            awardOneself(sham, 1e15, 1_000, 1);
            vm.warp(START + i * 1 hours);
        }
        attest(provider, Tier.DataCentre, 1_000_000);
        awardOneself(sham, 1e15, 1_000, 1);
        vm.warp(block.timestamp + 1 hours);
        uint64 price = market.basePrice();
        assertLe(1e13, price, "far from the bottom");
        vm.prank(provider);
        registry.setHardware(Hardware(5, 24, 1));
        assertEq(market.basePrice(), price, "nothing happened in this hour");
        attest(provider, Tier.DataCentre, 4_000_000_000);
        assertEq(market.basePrice(), price, "nor by a machine that comes");
    }

    // A bid of the past, on a job that still runs, locks a stake in the moment in which it is free.
    function test_attack_bid_of_the_past() public {
        JobTerms memory t = terms();
        t.deadline = uint40(START + 30 days);
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 1);
        bid.expiry = type(uint40).max;
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        uint256 here = vm.snapshotState();
        vm.prank(provider);
        market.cancelBid(job, bid);
        skipped(job, leaseId, Awards.Skipped.Used);
        assertEq(awardOne(job, bid), 0, "taken back");
        vm.revertToState(here);

        // Unbonding what is free takes all bids back at once, also for later, when a lease ends: its lock is small.
        (uint32 other, bytes32 otherLease) = newLease();
        vm.prank(provider);
        registry.unbond(9_960 ether);
        warpToSettlement(other);
        market.settle(otherLease);
        skipped(job, leaseId, Awards.Skipped.ProviderUnfit);
        assertEq(awardOne(job, bid), 0, "leaving");
        vm.revertToState(here);

        // Where it is not, bids have to be taken back one by one.
        other = createJob();
        Bid memory large = bidOf(provider, 2);
        large.taskReward = 25 ether;
        otherLease = signBid(other, large, PROVIDER_KEY);
        assertEq(awardOne(other, large), 1);
        vm.prank(provider);
        registry.unbond(9_000 ether);
        skipped(job, leaseId, Awards.Skipped.ProviderUnfit);
        assertEq(awardOne(job, bid), 0, "all that stays is locked");
        warpToSettlement(other);
        market.settle(otherLease);
        uint256 settled = vm.snapshotState();
        assertEq(awardOne(job, bid), 1, "leaving, and hired");
        vm.revertToState(settled);
        vm.prank(provider);
        market.cancelBid(job, bid);
        assertEq(awardOne(job, bid), 0, "taken back");
    }

    // The chain is reorganised, and somebody else has a job with the same id and manifest.
    function test_attack_bid_after_a_reorganisation() public {
        uint256 here = vm.snapshotState();
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        signBid(job, bid, PROVIDER_KEY);
        vm.revertToState(here);
        fund(STRANGER, 2 * uint256(ESCROW));
        JobTerms memory t = terms();
        t.signer = STRANGER;
        vm.prank(STRANGER);
        assertEq(market.createJob(t), job);
        skipped(job, market.leaseIdOf(job, bid), Awards.Skipped.WrongSignature);
        Bid[] memory bids = new Bid[](1);
        bids[0] = bid;
        vm.prank(STRANGER);
        assertEq(market.award(job, bids), 0, "a bid on the job of another");
    }

    /// Two leases of `provider` in a quorum of two, of which the first has a commitment.
    function twoOfAQuorum() internal returns (uint32 job, bytes32[2] memory leases) {
        JobTerms memory t = terms();
        (t.mode, t.quorum) = (Mode.Quorum, 2);
        job = createJob(t);
        leases = [lease(job, 1), lease(job, 2)];
        commit(provider, leases[0], "false");
    }

    function commit(address who, bytes32 leaseId, bytes32 root) internal {
        bytes32 commitment = board.commitmentOf(leaseId, root, "s");
        vm.prank(who);
        board.commit(leaseId, commitment);
    }

    // One provider takes two leases of a quorum and agrees with itself, or commits to one result in each, and reveals the
    // one that suits it when the others' are known.
    function test_attack_quorum_of_oneself() public {
        (, bytes32[2] memory leases) = twoOfAQuorum();
        bytes32 commitment = board.commitmentOf(leases[1], "true", "s");
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.Already.selector, leases[1]));
        vm.prank(provider);
        board.commit(leases[1], commitment);
    }

    // Who was found false in a job decides with another lease what is true in it.
    function test_attack_quorum_of_who_was_slashed() public {
        (uint32 job, bytes32[2] memory leases) = twoOfAQuorum();
        Ruling memory r = ruling();
        r.slash = 1 ether;
        rule(leases[1], r);
        vm.warp(market.jobOf(job).deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.SlashedHere.selector, provider));
        vm.prank(provider);
        board.reveal(leases[0], "false", "s");
    }

    // A cheat lets the slash land while nothing is paid, so that nobody is made whole, and shows its vouchers then.
    function test_attack_voucher_held_back_over_a_slash() public {
        (uint32 job, bytes32 leaseId) = newLease();
        (uint8 v, bytes32 vr, bytes32 vs) = voucher(leaseId, CAP);
        Ruling memory r = ruling();
        (r.slash, r.challengerBps) = (100 ether, 3_000);
        rule(leaseId, r);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        market.redeem(leaseId, CAP, v, vr, vs);
        assertEq(market.jobOf(job).free, ESCROW, "the job's again");
        warpToSettlement(job);
        market.refund(job);
        assertEq(token.balanceOf(requestor), 1_000_000 ether, "escrow and deposit");
    }

    // A cheat has a trifle ruled on, so that nothing is locked any more, and no other ruling can come.
    function test_attack_amnesty_by_a_ruling_on_a_trifle() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, 50 ether);
        vm.prank(provider);
        market.dispute(leaseId);
        rule(leaseId, ruling());
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.NotFree.selector, 10_000 ether, 9_960 ether));
        vm.prank(provider);
        registry.unbond(10_000 ether);
        redeem(leaseId, CAP);
        uint256 before = token.balanceOf(requestor);
        Ruling memory r = ruling();
        r.slash = type(uint96).max;
        uint256 here = vm.snapshotState();
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor) - before, CAP, "made whole");
        vm.revertToState(here);
        warpToSettlement(job);
        market.settle(leaseId);
        vm.prank(provider);
        registry.unbond(10_000 ether);
        vm.warp(block.timestamp + 21 days);
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor) - before, CAP, "made whole, later");
    }

    // The requestor disputes in front of a ruling against the provider, which does not know of a dispute.
    function test_attack_bond_of_a_dispute_in_front_of_a_ruling() public {
        (, bytes32 leaseId) = newLease();
        Ruling memory r = ruling();
        r.slash = 50 ether;
        uint256 before = token.balanceOf(requestor);
        vm.prank(requestor);
        market.dispute(leaseId);
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor), before, "the bond is back");
    }

    // The provider settles in front of a ruling that slashes and pays.
    function test_attack_settling_in_front_of_a_ruling() public {
        (uint32 job, bytes32 leaseId) = newLease();
        warpToSettlement(job);
        Ruling memory r = ruling();
        (r.earned, r.forfeit, r.slash) = (1 ether, 1 ether, 100 ether);
        market.settle(leaseId);
        rule(leaseId, r);
        assertEq(registry.providerOf(provider).stake, 9_900 ether, "slashed");
        assertEq(token.balanceOf(provider), 100 ether, "and nothing else");
    }

    // A requestor opens a dispute about nothing, loses it, and with it the provider its bonus.
    function test_attack_bonus_lost_by_a_dispute_of_the_requestor() public {
        vm.prank(TREASURY);
        token.transfer(address(bonus), 1_000 ether);
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        vm.prank(requestor);
        market.dispute(leaseId);
        Ruling memory r = ruling();
        r.providerIsRight = true;
        rule(leaseId, r);
        warpToSettlement(job);
        market.settle(leaseId);
        vm.warp(block.timestamp + 22 days);
        assertEq(bonus.claim(leaseId), 5 ether * bonus.shareAt(START + 10 days) / 10_000, "all of it");
    }

    // A governor keeps an appointment ready, for a provider that joins when nobody thinks of it any more.
    function test_attack_appointment_kept_ready() public {
        vm.prank(GOVERNOR);
        gate.appoint(STRANGER);
        vm.warp(START + 365 days);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, START + 90 days, START + 104 days));
        gate.install();
        assertEq(gate.validation(), VALIDATION);
    }

    // The requestor wants the escrow back before the provider has shown its last voucher.
    function test_attack_refund_racing_a_voucher() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.prank(requestor);
        market.closeJob(job);
        uint256 deadline = market.jobOf(job).deadline;
        vm.warp(deadline + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, deadline + 7 days));
        market.settle(leaseId);
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, deadline + 7 days));
        market.refund(job);
        uint256 balance = token.balanceOf(provider);
        redeem(leaseId, CAP);
        assertEq(token.balanceOf(provider) - balance, 95 ether, "the last second is good");

        // Later, what is not settled is still the provider's: a refund takes only what no lease has reserved.
        bytes32 second = reserveAnother();
        uint32 secondJob = market.leaseOf(second).job;
        warpToSettlement(secondJob);
        balance = token.balanceOf(requestor);
        market.refund(secondJob);
        assertEq(token.balanceOf(requestor) - balance, ESCROW - CAP, "what no lease has reserved");
        redeem(second, CAP);
        market.settle(second);
        (uint8 v, bytes32 r, bytes32 s) = voucher(second, CAP);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, second, LeaseState.Settled));
        market.redeem(second, CAP, v, r, s);
    }

    function reserveAnother() internal returns (bytes32 leaseId) {
        (, leaseId) = newLease();
    }

    // A deadline that is over is closed anew again and again, to keep a provider's stake locked.
    function test_attack_closing_late_to_keep_a_stake_locked() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.warp(market.settlesFrom(job));
        vm.prank(requestor);
        market.closeJob(job);
        market.settle(leaseId);
        assertEq(registry.providerOf(provider).locked, 0, "free");
    }

    // 19 wei owe no fee by themselves; 1,000,000 payments of 19 wei owe that on 19,000,000.
    function test_attack_rounding_over_a_million_redemptions() public {
        (, bytes32 leaseId) = newLease();
        for (uint96 i = 1; i <= 100; ++i) {
            redeem(leaseId, 19 * i);
        }
        assertEq(fees(), 95, "fees of 100 vouchers");

        // By its artifact, so that `tools/mutants.mjs` can put another under this test.
        bytes memory arguments = abi.encode(token, POOL);
        PaymentHarness harness = PaymentHarness(vm.deployCode("PaymentHarness.sol:PaymentHarness", arguments));
        vm.prank(TREASURY);
        token.transfer(address(harness), 19_000_000);
        harness.begin(leaseId, STRANGER, 19_000_000);
        for (uint256 i = 0; i < 100; ++i) {
            harness.payMany(leaseId, 19, 10_000);
        }
        assertEq(harness.account().fees, 950_000, "fees of 1,000,000 payments");
        assertEq(token.balanceOf(STRANGER), 18_050_000, "the provider's");
        assertEq(token.balanceOf(address(harness)), 950_000, "nothing made, nothing lost");
    }

    // Tokens sent for nothing, and leases of a single wei.
    function test_attack_dust_and_donation() public {
        fund(STRANGER, 2_000 ether);
        vm.startPrank(STRANGER);
        token.transfer(address(market), 1_000 ether);
        token.transfer(address(registry), 1_000 ether);
        vm.stopPrank();

        JobTerms memory t = terms();
        t.escrow = 1e12;
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 1);
        (bid.unitPrice, bid.units, bid.taskReward) = (1, 1, 1);
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1, "a lease of one wei");
        redeem(leaseId, 1);
        uint256 supply = token.totalSupply();
        market.distribute();
        assertEq(token.totalSupply(), supply, "no fee, nothing to burn");
        assertEq(token.balanceOf(STAKERS) + token.balanceOf(COMMUNITY) + token.balanceOf(POOL), 0, "nor to move");
        warpToSettlement(job);
        market.settle(leaseId);
        uint256 balance = token.balanceOf(requestor);
        market.refund(job);
        assertEq(token.balanceOf(requestor) - balance, 1e12 - 1 + 0.05e12, "the escrow's rest and the deposit");
        assertEq(token.balanceOf(address(market)), 1_000 ether, "a donation is nobody's");
        assertEq(token.balanceOf(address(registry)), 11_000 ether, "nor is one to the registry");
    }

    // The provider delivers, and no voucher ever comes.
    function test_attack_requestor_who_never_signs() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.prank(provider);
        market.dispute(leaseId);
        // The requestor cannot have the escrow of the lease before the ruling, nor the deposit.
        vm.warp(market.settlesFrom(job));
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, START + 21 days));
        market.settle(leaseId);
        uint256 requestors = token.balanceOf(requestor);
        market.refund(job);
        assertEq(token.balanceOf(requestor) - requestors, ESCROW - CAP, "what is in no lease");

        uint256 balance = token.balanceOf(provider);
        Ruling memory r = ruling();
        (r.earned, r.forfeit, r.providerIsRight) = (1 ether, type(uint96).max, true);
        rule(leaseId, r);
        // One task less the fee, the whole deposit, and the bond.
        assertEq(token.balanceOf(provider) - balance, 0.95 ether + DEPOSIT + TASK, "made whole");
        market.settle(leaseId);
        assertEq(registry.providerOf(provider).locked, 0, "its stake is free");
    }

    // As above, and validation sleeps too: nobody is stuck.
    function test_attack_requestor_who_never_signs_and_no_ruling() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.prank(provider);
        market.dispute(leaseId);
        vm.warp(START + 21 days);
        market.settle(leaseId);
        market.refund(job);
        assertEq(token.balanceOf(provider), 100 ether, "the bond is back");
        assertEq(token.balanceOf(requestor), 1_000_000 ether, "and the escrow");
        assertEq(token.balanceOf(address(market)), 0, "all of it");
        vm.startPrank(provider);
        registry.unbond(10_000 ether);
        vm.warp(block.timestamp + 21 days);
        registry.withdraw();
    }

    // The provider takes the lease and vanishes.
    function test_attack_provider_who_never_delivers() public {
        (uint32 job, bytes32 leaseId) = newLease();
        Ruling memory r = ruling();
        r.slash = 40 ether;
        uint256 here = vm.snapshotState();
        // Whether validation rules or not, and without the provider, all comes back.
        for (uint256 ruled = 0; ruled < 2; ++ruled) {
            if (ruled == 1) {
                rule(leaseId, r);
                assertEq(registry.providerOf(provider).stake, 9_960 ether, "slashed");
            }
            warpToSettlement(job);
            vm.startPrank(STRANGER);
            if (ruled == 0) market.settle(leaseId);
            market.refund(job);
            vm.stopPrank();
            assertEq(token.balanceOf(requestor), 1_000_000 ether, "escrow and deposit");
            vm.revertToState(here);
        }
    }

    // A provider hires itself, to be given the early bonus.
    function test_attack_hiring_oneself_for_the_bonus() public {
        vm.prank(TREASURY);
        token.transfer(address(bonus), 1_000 ether);
        (uint32 job, bytes32 leaseId) = newLease();
        uint256 before = token.balanceOf(provider);
        redeem(leaseId, CAP);
        warpToSettlement(job);
        market.settle(leaseId);
        vm.warp(block.timestamp + 22 days);
        bonus.claim(leaseId);
        vm.expectRevert();
        bonus.claim(leaseId);
        market.distribute();
        // Even if all stakers were the same person.
        uint256 got = token.balanceOf(provider) - before + token.balanceOf(STAKERS);
        assertLe(got + Fees.on(CAP) / 5, CAP, "a fifth of the fee is lost at least");
    }

    // Somebody uses a provider's bonus up while there is a single wei to pay it with.
    function test_attack_bonus_claimed_for_a_wei() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        warpToSettlement(job);
        market.settle(leaseId);
        uint256 due = 5 ether * bonus.shareAt(block.timestamp) / 10_000;
        vm.warp(block.timestamp + 22 days);
        fund(STRANGER, 1);
        vm.prank(STRANGER);
        token.transfer(address(bonus), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, address(bonus), uint256(1), due)
        );
        bonus.claim(leaseId);
        vm.prank(TREASURY);
        token.transfer(address(bonus), 1_000 ether);
        assertEq(bonus.claim(leaseId), due, "all of it");
    }
}
