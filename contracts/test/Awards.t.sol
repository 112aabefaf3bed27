// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/market/Awards.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Bid, JobTerms, Lease, LeaseState, Requirement, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `Awards.tree`.
contract AwardsTest is MarketTest {
    // award

    function test_award_makes_a_lease() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        vm.expectEmit(address(market));
        emit Awards.Awarded(job, provider, leaseId, CAP);
        assertEq(awardOne(job, bid), 1);
        Lease memory l = market.leaseOf(leaseId);
        assertEq(l.provider, provider);
        assertEq(l.cap, CAP);
        assertEq(l.redeemed, 0);
        assertEq(l.taskReward, TASK);
        assertEq(l.job, job);
        assertEq(l.since, START);
        assertState(leaseId, LeaseState.Active);
        assertEq(registry.providerOf(provider).locked, 40 * TASK);
        assertEq(market.jobOf(job).free, ESCROW - CAP);
        assertEq(market.jobOf(job).openLeases, 1);
    }

    function test_award_of_a_batch_adds_up() public {
        // 3,600,000 units an hour.
        attest(provider, Tier.DataCentre, 1_000_000);
        uint32 job = createJob();
        lease(job, 1);
        Bid[] memory bids = new Bid[](2);
        for (uint256 i = 0; i < 2; ++i) {
            bids[i] = bidOf(provider, 2 + i);
            signBid(job, bids[i], PROVIDER_KEY);
        }
        vm.prank(requestor);
        assertEq(market.award(job, bids), 2);
        assertEq(market.jobOf(job).openLeases, 3);
        assertEq(market.jobOf(job).free, ESCROW - 3 * CAP);
        assertEq(market.account().use, uint256(1e15) * 100_000 / 3_600_000 + uint256(1e15) * 200_000 / 3_600_000);
    }

    function test_award_until_the_deadline() public {
        uint32 job = createJob();
        vm.warp(START + 3 days);
        lease(job, 1);
        vm.warp(START + 3 days + 1);
        vm.expectRevert(abi.encodeWithSelector(Awards.NotOpen.selector, job));
        awardOne(job, bidOf(provider, 2));
    }

    function test_award_of_nothing_changes_nothing() public {
        JobTerms memory t = terms();
        t.priority = 3 ether;
        uint32 job = createJob(t);
        vm.prank(requestor);
        assertEq(market.award(job, new Bid[](0)), 0);
        assertEq(market.jobOf(job).priority, 3 ether);
    }

    function test_award_pays_the_priority_once() public {
        JobTerms memory t = terms();
        t.priority = 3 ether;
        uint32 job = createJob(t);
        lease(job, 1);
        assertEq(fees(), 3 ether);
        assertEq(market.jobOf(job).priority, 0);
        lease(job, 2);
        assertEq(fees(), 3 ether);
        JobTerms memory other = terms();
        other.priority = 2 ether;
        other.manifest = keccak256("other");
        lease(createJob(other), 1);
        assertEq(fees(), 5 ether);
    }

    function test_award_counts_what_the_base_price_buys() public {
        attest(provider, Tier.DataCentre, 1_000_000);
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        // A cap of a million units at the base price, at its price and at others.
        uint64[3] memory prices = [uint64(1e12), 1e6, 1e15];
        uint40[3] memory units = [uint40(1_000_000), 1e12, 1_000];
        uint256[3] memory counted = [uint256(1_000_000), 1_000_000, 1_000];
        uint256 before = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            (bid.unitPrice, bid.units, bid.taskReward) = (prices[i], units[i], 1);
            signBid(job, bid, PROVIDER_KEY);
            assertEq(awardOne(job, bid), 1);
            assertEq(market.account().use, 1e15 * counted[i] / 3_600_000);
            vm.revertToState(before);
        }
    }

    function test_award_closes_the_step_that_has_ended() public {
        attest(provider, Tier.DataCentre, 1_000);
        uint32 job = createJob();
        lease(job, 1);
        assertEq(market.account().use, 1e15);
        // A quarter of an hour into the second step after it.
        vm.warp(START + 2.25 hours);
        lease(job, 2);
        assertEq(market.account().price, 1e12);
        assertEq(market.account().stepAt, START + 2 hours);
        vm.prank(VALIDATION);
        gate.attest(provider, Tier.Unmeasured, 0, 0);
        vm.warp(START + 3 hours);
        lease(job, 3);
        assertEq(market.account().price, 1.125e12);
        assertEq(market.account().use, 0);
    }

    // cancelBid

    function test_cancel_is_the_bidders() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        vm.expectRevert(abi.encodeWithSelector(Awards.NotTheBidder.selector, STRANGER));
        vm.prank(STRANGER);
        market.cancelBid(job, bid);
    }

    function test_cancel_keeps_a_bid_from_becoming_a_lease() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        vm.expectEmit(address(market));
        emit Awards.BidCancelled(job, leaseId);
        vm.prank(provider);
        market.cancelBid(job, bid);
        assertState(leaseId, LeaseState.Closed);
        assertEq(market.leaseOf(leaseId).job, 0);
        vm.expectEmit(address(market));
        emit Awards.BidSkipped(job, leaseId, Awards.Skipped.Used);
        assertEq(awardOne(job, bid), 0);
        assertEq(registry.providerOf(provider).locked, 0);
    }

    function test_cancel_of_a_lease_and_twice() public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Active));
        market.cancelBid(job, bid);
        bid.salt = 0;
        market.cancelBid(job, bid);
        leaseId = market.leaseIdOf(job, bid);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        market.cancelBid(job, bid);
        vm.stopPrank();
    }

    function test_cancel_needs_a_job() public {
        vm.expectRevert(abi.encodeWithSelector(MarketState.NoSuchJob.selector, 1));
        vm.prank(provider);
        market.cancelBid(1, bidOf(provider, 1));
    }

    function test_cancel_of_a_batch_passes_over_what_is_no_bid_any_more() public {
        uint32[] memory jobs = new uint32[](3);
        Bid[] memory bids = new Bid[](3);
        for (uint256 i = 0; i < 3; ++i) {
            jobs[i] = i == 2 ? createJob() : i == 1 ? jobs[0] : createJob();
            bids[i] = bidOf(provider, i);
            signBid(jobs[i], bids[i], PROVIDER_KEY);
        }
        assertEq(awardOne(jobs[0], bids[0]), 1);
        vm.startPrank(provider);
        market.cancelBids(jobs, bids);
        market.cancelBids(jobs, bids);
        vm.stopPrank();
        assertState(market.leaseIdOf(jobs[0], bids[0]), LeaseState.Active);
        assertState(market.leaseIdOf(jobs[1], bids[1]), LeaseState.Closed);
        assertState(market.leaseIdOf(jobs[2], bids[2]), LeaseState.Closed);
        bids[1].salt = "another";
        vm.expectRevert(abi.encodeWithSelector(Awards.NotTheBidder.selector, STRANGER));
        vm.prank(STRANGER);
        market.cancelBids(jobs, bids);
    }

    function expectSkip(uint32 job, Bid memory bid, Awards.Skipped why) internal {
        bytes32 leaseId = signBid(job, bid, PROVIDER_KEY);
        vm.expectEmit(address(market));
        emit Awards.BidSkipped(job, leaseId, why);
        assertEq(awardOne(job, bid), 0);
        assertState(leaseId, LeaseState.None);
    }

    function test_award_skips_bids_that_cannot_be_leased() public {
        JobTerms memory t = terms();
        t.escrow = CAP;
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 1);
        bid.expiry = uint40(START - 1);
        expectSkip(job, bid, Awards.Skipped.Expired);
        bid = bidOf(provider, 1);
        bid.unitPrice = PRICE + 1;
        expectSkip(job, bid, Awards.Skipped.AbovePriceCap);
        bid = bidOf(provider, 1);
        bid.taskReward = 0;
        expectSkip(job, bid, Awards.Skipped.Malformed);
        bid = bidOf(provider, 1);
        bid.taskReward = uint88(CAP) + 1;
        expectSkip(job, bid, Awards.Skipped.Malformed);
        bid = bidOf(provider, 1);
        bid.units = 0;
        expectSkip(job, bid, Awards.Skipped.Malformed);
        bid = bidOf(provider, 1);
        bid.units += 1;
        expectSkip(job, bid, Awards.Skipped.AboveEscrow);
        bid = bidOf(STRANGER, 1);
        expectSkip(job, bid, Awards.Skipped.WrongSignature);
        bid = bidOf(provider, 1);
        bid.taskReward = uint88(CAP);
        // 40 × 100 is less than the stake; twice that is not there any more.
        bid.units = 50_000;
        bid.taskReward = 50 ether;
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.jobOf(job).free, CAP / 2);
        bid.salt = bytes32(uint256(2));
        bid.expiry = uint40(START);
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.jobOf(job).free, 0);
    }

    function test_award_skips_a_provider_without_enough_stake() public {
        JobTerms memory t = terms();
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 1);
        (bid.units, bid.taskReward) = (250_001, 250 ether + 1);
        expectSkip(job, bid, Awards.Skipped.ProviderUnfit);
        bid.taskReward = 250 ether;
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(registry.providerOf(provider).locked, 10_000 ether);
    }

    function test_award_asks_what_the_job_asks() public {
        Requirement[4] memory needs = [
            Requirement(6, 0, 0, Tier.Unmeasured),
            Requirement(0, 25, 0, Tier.Unmeasured),
            Requirement(0, 0, 2, Tier.Unmeasured),
            Requirement(0, 0, 0, Tier.Consumer)
        ];
        for (uint256 i = 0; i < 4; ++i) {
            JobTerms memory t = terms();
            t.need = needs[i];
            expectSkip(createJob(t), bidOf(provider, 1), Awards.Skipped.ProviderUnfit);
        }
    }

    function testFuzz_caps_never_exceed_the_escrow(uint40[8] memory units) public {
        uint32 job = createJob();
        Bid[] memory bids = new Bid[](8);
        for (uint256 i = 0; i < 8; ++i) {
            bids[i] = bidOf(provider, i);
            bids[i].units = uint40(bound(units[i], 0, 1_200_000));
            bids[i].taskReward = 1;
            signBid(job, bids[i], PROVIDER_KEY);
        }
        vm.prank(requestor);
        market.award(job, bids);
        uint256 caps;
        for (uint256 i = 0; i < 8; ++i) {
            caps += market.leaseOf(market.leaseIdOf(job, bids[i])).cap;
        }
        assertEq(caps + market.jobOf(job).free, ESCROW, "caps and what is free");
    }

    function testFuzz_a_bid_is_good_as_it_was_signed_only(uint8 field, uint256 value) public {
        uint32 job = createJob();
        Bid memory bid = bidOf(provider, 1);
        bytes32 signed = signBid(job, bid, PROVIDER_KEY);
        field = uint8(bound(field, 0, 5));
        if (field == 0) bid.unitPrice = uint64(bound(value, 1e9, PRICE - 1));
        else if (field == 1) bid.units = uint40(bound(value, 1_000, 99_999));
        else if (field == 2) bid.taskReward = uint88(bound(value, 1, TASK - 1));
        else if (field == 3) bid.eta = uint40(bound(value, 0, START));
        else if (field == 4) bid.expiry = uint40(bound(value, START, START + 1 hours - 1));
        else bid.salt = bytes32(bound(value, 2, type(uint256).max - 1));
        if (field == 0) bid.taskReward = 1;
        vm.assume(market.leaseIdOf(job, bid) != signed);
        assertEq(awardOne(job, bid), 0, "changed");
    }
}
