// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../src/IBurnableToken.sol";
import {IProviderRegistry} from "../src/IProviderRegistry.sol";
import {Awards} from "../src/market/Awards.sol";
import {BasePrice} from "../src/market/BasePrice.sol";
import {Fees} from "../src/market/Fees.sol";
import {JobEscrow} from "../src/market/JobEscrow.sol";
import {JobMarket} from "../src/market/JobMarket.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Payments} from "../src/market/Payments.sol";
import {Rulings} from "../src/market/Rulings.sol";
import {Bid, Job, JobTerms, Lease, LeaseState, Mode, Requirement, Ruling, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `JobMarket.tree`.
contract JobMarketTest is MarketTest {
    // constructor

    function test_constructor_refuses_zero_addresses() public {
        address[3] memory sinks = [STAKERS, COMMUNITY, POOL];
        for (uint256 i = 0; i < 3; ++i) {
            address[3] memory some = sinks;
            some[i] = address(0);
            vm.expectRevert(abi.encodeWithSelector(JobMarket.ZeroAddress.selector));
            new JobMarket(
                IBurnableToken(address(token)),
                IProviderRegistry(address(registry)),
                address(gate),
                some[0],
                some[1],
                some[2]
            );
        }
        assertEq(address(market.token()), address(token));
        assertEq(address(market.registry()), address(registry));
        assertEq(market.gate(), address(gate));
        assertEq(market.stakers(), STAKERS);
        assertEq(market.community(), COMMUNITY);
        assertEq(market.pool(), POOL);
        assertEq(market.account().stepAt, START);
        assertEq(market.basePrice(), 1e12);
    }

    // createJob

    function test_create_refuses_a_wrong_deadline() public {
        JobTerms memory t = terms();
        uint256[2] memory wrong = [START, START + 30 days + 1];
        for (uint256 i = 0; i < 2; ++i) {
            t.deadline = uint40(wrong[i]);
            vm.expectRevert(abi.encodeWithSelector(JobEscrow.WrongDeadline.selector, t.deadline));
            createJob(t);
        }
        uint256[2] memory right = [START + 1, START + 30 days];
        for (uint256 i = 0; i < 2; ++i) {
            t.deadline = uint40(right[i]);
            createJob(t);
        }
    }

    function test_create_refuses_incomplete_terms() public {
        for (uint256 i = 0; i < 3; ++i) {
            JobTerms memory t = terms();
            if (i == 0) t.escrow = 0;
            else if (i == 1) t.manifest = 0;
            else t.signer = address(0);
            vm.expectRevert(abi.encodeWithSelector(JobEscrow.IncompleteTerms.selector));
            createJob(t);
        }
    }

    function test_create_refuses_a_quorum_of_one_and_elsewhere() public {
        JobTerms memory t = terms();
        t.quorum = 2;
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.WrongQuorum.selector, uint8(2)));
        createJob(t);
        t.mode = Mode.Race;
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.WrongQuorum.selector, uint8(2)));
        createJob(t);
        t.mode = Mode.Quorum;
        uint32 job = createJob(t);
        assertEq(market.jobOf(job).quorum, 2);
        t.quorum = 1;
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.WrongQuorum.selector, uint8(1)));
        createJob(t);
    }

    function test_create_refuses_a_cap_below_the_base_price() public {
        JobTerms memory t = terms();
        t.priceCap = 1e12 - 1;
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.BelowBasePrice.selector, uint64(1e12 - 1), uint64(1e12)));
        createJob(t);
        t.priceCap = 1e12;
        createJob(t);
    }

    function test_create_keeps_the_terms_and_the_money() public {
        JobTerms memory t = terms();
        t.priority = 3 ether;
        t.signer = STRANGER;
        t.need = Requirement(1, 2, 3, Tier.Professional);
        // Rounded up: 5 % of this is 50 ether and a twentieth of a wei.
        t.escrow = ESCROW + 1;
        vm.expectEmit(address(market));
        emit JobEscrow.JobCreated(1, requestor, t.manifest, t, DEPOSIT + 1);
        uint32 job = createJob(t);
        assertEq(job, 1);
        assertEq(market.jobCount(), 1);
        Job memory stored = market.jobOf(job);
        assertEq(stored.requestor, requestor);
        assertEq(stored.signer, STRANGER);
        assertEq(stored.deadline, t.deadline);
        assertEq(stored.closedAt, 0);
        assertEq(stored.priceCap, t.priceCap);
        assertEq(stored.free, t.escrow);
        assertEq(stored.deposit, DEPOSIT + 1);
        assertEq(stored.priority, 3 ether);
        assertEq(stored.manifest, t.manifest);
        assertEq(stored.gpuClass, 1);
        assertEq(stored.vramGiB, 2);
        assertEq(stored.region, 3);
        assertEq(uint256(stored.tier), 2);
        assertEq(token.balanceOf(address(market)), ESCROW + DEPOSIT + 2 + 3 ether);
        assertEq(createJob(), 2);
    }

    function test_create_fails_without_the_money() public {
        vm.expectRevert();
        vm.prank(STRANGER);
        market.createJob(terms());
    }

    // closeJob

    function test_close_is_the_requestors_and_happens_once() public {
        uint32 job = createJob();
        vm.expectRevert(abi.encodeWithSelector(MarketState.NotTheRequestor.selector, STRANGER));
        vm.prank(STRANGER);
        market.closeJob(job);
        vm.expectEmit(address(market));
        emit JobEscrow.JobClosed(job, uint40(START));
        vm.startPrank(requestor);
        market.closeJob(job);
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.AlreadyClosed.selector, job));
        market.closeJob(job);
        vm.stopPrank();
    }

    function test_close_ends_awards() public {
        uint32 job = createJob();
        vm.prank(requestor);
        market.closeJob(job);
        Bid memory bid = bidOf(provider, 1);
        signBid(job, bid, PROVIDER_KEY);
        vm.expectRevert(abi.encodeWithSelector(Awards.NotOpen.selector, job));
        awardOne(job, bid);
    }

    function test_settlement_is_seven_days_after_deadline_or_close() public {
        uint32 job = createJob();
        vm.expectRevert(abi.encodeWithSelector(MarketState.NoSuchJob.selector, uint32(9)));
        market.settlesFrom(9);
        assertEq(market.settlesFrom(job), START + 10 days);
        uint256 here = vm.snapshotState();
        // Before the deadline, the deadline counts; after it, the closing; after settlement opened, the deadline again.
        uint256[4] memory closings = [START + 1 days, START + 4 days, START + 10 days - 1, START + 10 days];
        uint256[4] memory settlements = [START + 10 days, START + 11 days, START + 17 days - 1, START + 10 days];
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(closings[i]);
            vm.prank(requestor);
            market.closeJob(job);
            assertEq(market.settlesFrom(job), settlements[i], "from when on");
            vm.revertToState(here);
        }
    }

    // refund

    function test_refund_refuses_jobs_that_are_not_and_moments_too_early() public {
        vm.expectRevert(abi.encodeWithSelector(MarketState.NoSuchJob.selector, uint32(1)));
        market.refund(1);
        uint32 job = createJob();
        vm.warp(START + 10 days - 1);
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, START + 10 days));
        market.refund(job);
    }

    function test_refund_of_a_job_without_leases_is_everything() public {
        JobTerms memory t = terms();
        t.priority = 3 ether;
        uint32 job = createJob(t);
        warpToSettlement(job);
        vm.expectEmit(address(market));
        emit JobEscrow.Refunded(job, requestor, ESCROW + DEPOSIT + 3 ether);
        vm.prank(STRANGER);
        market.refund(job);
        assertEq(token.balanceOf(requestor), 1_000_000 ether);
        vm.expectRevert(abi.encodeWithSelector(JobEscrow.NothingToRefund.selector, job));
        market.refund(job);
    }

    function test_refund_keeps_the_deposit_until_the_last_lease() public {
        (uint32 job, bytes32 leaseId) = newLease();
        bytes32 other = lease(job, 2);
        warpToSettlement(job);
        market.refund(job);
        assertEq(token.balanceOf(requestor), 1_000_000 ether - 2 * CAP - DEPOSIT);
        market.settle(leaseId);
        market.refund(job);
        assertEq(token.balanceOf(requestor), 1_000_000 ether - CAP - DEPOSIT);
        market.settle(other);
        market.refund(job);
        assertEq(token.balanceOf(requestor), 1_000_000 ether);
        assertEq(token.balanceOf(address(market)), 0);
    }

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
        assertEq(market.account().units, 100_000);
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

    // redeem

    function test_redeem_pays_the_difference_less_the_fee() public {
        (, bytes32 leaseId) = newLease();
        uint256 before = token.balanceOf(provider);
        vm.expectEmit(address(market));
        emit Payments.Redeemed(leaseId, 10 ether, 9.5 ether);
        redeem(leaseId, 10 ether);
        vm.expectEmit(address(market));
        emit Payments.Redeemed(leaseId, 30 ether, 19 ether);
        redeem(leaseId, 30 ether);
        assertEq(token.balanceOf(provider) - before, 28.5 ether);
        assertEq(fees(), 1.5 ether);
        assertEq(market.leaseOf(leaseId).redeemed, 30 ether);
    }

    function test_redeem_up_to_the_cap() public {
        (, bytes32 leaseId) = newLease();
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, CAP + 1);
        vm.expectRevert(abi.encodeWithSelector(Payments.AboveCap.selector, CAP + 1, CAP));
        market.redeem(leaseId, CAP + 1, v, r, s);
        redeem(leaseId, CAP);
    }

    function test_redeem_needs_the_signers_signature() public {
        (, bytes32 leaseId) = newLease();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PROVIDER_KEY, market.voucherDigest(leaseId, 1 ether));
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongSigner.selector, provider));
        market.redeem(leaseId, 1 ether, v, r, s);
    }

    function test_redeem_of_no_lease() public {
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, bytes32(uint256(1)), LeaseState.None));
        market.redeem(bytes32(uint256(1)), 1, 27, 0, 0);
    }

    function test_redeem_while_disputed_and_after_a_ruling() public {
        (, bytes32 leaseId) = newLease();
        vm.prank(requestor);
        market.dispute(leaseId);
        redeem(leaseId, 1 ether);
        rule(leaseId, ruling());
        redeem(leaseId, 2 ether);
    }

    function testFuzz_redemptions_pay_what_one_would(uint96[6] memory steps) public {
        (, bytes32 leaseId) = newLease();
        uint256 before = token.balanceOf(provider);
        uint96 sum;
        for (uint256 i = 0; i < 6; ++i) {
            sum += uint96(bound(steps[i], 1, CAP / 6));
            redeem(leaseId, sum);
        }
        assertEq(fees(), Fees.on(sum), "the fee of the sum");
        assertEq(token.balanceOf(provider) - before, sum - Fees.on(sum), "the rest of the sum");
    }

    function testFuzz_a_voucher_is_good_for_one_lease_and_amount(uint96 signed, uint96 shown, bool other) public {
        (uint32 job, bytes32 leaseId) = newLease();
        bytes32 second = lease(job, 2);
        signed = uint96(bound(signed, 1, CAP));
        shown = uint96(bound(shown, 1, CAP));
        vm.assume(other || shown != signed);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, signed);
        vm.expectRevert();
        market.redeem(other ? second : leaseId, shown, v, r, s);
    }

    // settle

    function test_settle_refuses_moments_too_early_and_twice() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.warp(START + 10 days - 1);
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, START + 10 days));
        market.settle(leaseId);
        vm.warp(START + 10 days);
        redeem(leaseId, 1 ether);
        vm.expectEmit(address(market));
        emit Payments.Settled(leaseId, 1 ether, 99 ether);
        market.settle(leaseId);
        assertState(leaseId, LeaseState.Settled);
        assertEq(market.leaseOf(leaseId).since, START + 10 days);
        assertEq(market.jobOf(job).openLeases, 0);
        assertEq(market.jobOf(job).free, ESCROW - 1 ether);
        assertEq(registry.providerOf(provider).locked, 0);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Settled));
        market.settle(leaseId);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, bytes32(0), LeaseState.None));
        market.settle(bytes32(0));
    }

    function test_settle_of_a_lapsed_dispute_gives_the_bond_back() public {
        for (uint256 i = 0; i < 2; ++i) {
            uint256 here = vm.snapshotState();
            (, bytes32 leaseId) = newLease();
            address opener = i == 0 ? provider : requestor;
            uint256 before = token.balanceOf(opener);
            vm.warp(START + 9 days);
            vm.prank(opener);
            market.dispute(leaseId);
            assertEq(before - token.balanceOf(opener), TASK);
            vm.warp(START + 30 days - 1);
            vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, START + 30 days));
            market.settle(leaseId);
            vm.warp(START + 30 days);
            market.settle(leaseId);
            assertEq(token.balanceOf(opener), before);
            assertState(leaseId, LeaseState.Settled);
            vm.revertToState(here);
        }
    }

    function test_settle_of_a_dispute_in_a_long_job_waits_for_the_job() public {
        JobTerms memory t = terms();
        t.deadline = uint40(START + 30 days);
        uint32 job = createJob(t);
        bytes32 leaseId = lease(job, 1);
        vm.prank(provider);
        market.dispute(leaseId);
        vm.warp(START + 37 days - 1);
        vm.expectRevert(abi.encodeWithSelector(MarketState.TooEarly.selector, START + 37 days));
        market.settle(leaseId);
        vm.warp(START + 37 days);
        market.settle(leaseId);
    }

    function test_settle_after_a_ruling_closes() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.prank(provider);
        market.dispute(leaseId);
        rule(leaseId, ruling());
        warpToSettlement(job);
        market.settle(leaseId);
        assertState(leaseId, LeaseState.Closed);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        market.settle(leaseId);
        market.refund(job);
        assertEq(token.balanceOf(address(market)), 0);
    }

    // dispute

    function test_dispute_is_the_parties_and_happens_once() public {
        (, bytes32 leaseId) = newLease();
        vm.expectRevert(abi.encodeWithSelector(Rulings.NotAParty.selector, STRANGER));
        vm.prank(STRANGER);
        market.dispute(leaseId);
        vm.warp(START + 5);
        vm.expectEmit(address(market));
        emit Rulings.Disputed(leaseId, provider, TASK);
        vm.prank(provider);
        market.dispute(leaseId);
        assertState(leaseId, LeaseState.DisputedByProvider);
        assertEq(market.leaseOf(leaseId).since, START + 5);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.DisputedByProvider));
        vm.prank(requestor);
        market.dispute(leaseId);
    }

    // rule

    function test_rule_once() public {
        (uint32 job, bytes32 leaseId) = newLease();
        rule(leaseId, ruling());
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Ruled));
        rule(leaseId, ruling());
        warpToSettlement(job);
        market.settle(leaseId);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        rule(leaseId, ruling());
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, bytes32(0), LeaseState.None));
        rule(bytes32(0), ruling());
    }

    function test_rule_gives_the_bond_to_who_was_right() public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 here = vm.snapshotState();
            (, bytes32 leaseId) = newLease();
            address opener = i < 2 ? provider : requestor;
            address other = i < 2 ? requestor : provider;
            vm.prank(opener);
            market.dispute(leaseId);
            Ruling memory r = ruling();
            r.openerIsRight = i % 2 == 0;
            address winner = r.openerIsRight ? opener : other;
            uint256 before = token.balanceOf(winner);
            rule(leaseId, r);
            assertEq(token.balanceOf(winner) - before, TASK);
            assertState(leaseId, LeaseState.Ruled);
            vm.revertToState(here);
        }
    }

    function test_rule_pays_what_was_earned_up_to_the_cap() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, 10 ether);
        uint256 before = token.balanceOf(provider);
        Ruling memory r = ruling();
        uint256 here = vm.snapshotState();
        uint96[4] memory earned = [uint96(0), 10 ether, 40 ether, type(uint96).max];
        uint96[4] memory paid = [uint96(0), 0, 30 ether, CAP - 10 ether];
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(START + 1);
            r.earned = earned[i];
            vm.expectEmit(address(market));
            emit Rulings.Ruled(leaseId, paid[i], 0, 0);
            rule(leaseId, r);
            assertEq(token.balanceOf(provider) - before, paid[i] - paid[i] / 20);
            assertEq(market.leaseOf(leaseId).redeemed, 10 ether + paid[i]);
            assertEq(market.leaseOf(leaseId).since, START + 1);
            assertEq(registry.providerOf(provider).locked, 0);
            assertEq(market.jobOf(job).deposit, DEPOSIT);
            vm.revertToState(here);
        }
    }

    function test_rule_gives_of_the_deposit_up_to_all_of_it() public {
        (uint32 job, bytes32 leaseId) = newLease();
        bytes32 other = lease(job, 2);
        uint256 before = token.balanceOf(provider);
        Ruling memory r = ruling();
        r.forfeit = 20 ether;
        rule(leaseId, r);
        assertEq(token.balanceOf(provider) - before, 20 ether);
        assertEq(market.jobOf(job).deposit, DEPOSIT - 20 ether);
        r.forfeit = type(uint96).max;
        vm.expectEmit(address(market));
        emit Rulings.Ruled(other, 0, 30 ether, 0);
        rule(other, r);
        assertEq(token.balanceOf(provider) - before, DEPOSIT);
        assertEq(market.jobOf(job).deposit, 0);
    }

    function test_rule_slashes_and_makes_the_requestor_whole() public {
        (, bytes32 leaseId) = newLease();
        redeem(leaseId, 10 ether);
        uint256 before = token.balanceOf(requestor);
        Ruling memory r = ruling();
        (r.slash, r.challengerBps) = (40 ether, 3_000);
        vm.expectEmit(address(market));
        emit Rulings.Ruled(leaseId, 0, 0, 40 ether);
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor) - before, 10 ether);
        assertEq(token.balanceOf(CHALLENGER), 12 ether);
        assertEq(registry.providerOf(provider).stake, 9_960 ether);
    }

    function test_rule_late_slashes_and_nothing_else() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, 10 ether);
        warpToSettlement(job);
        market.settle(leaseId);
        Ruling memory r = ruling();
        (r.slash, r.earned) = (40 ether, 1);
        vm.expectRevert(abi.encodeWithSelector(Rulings.OnlyASlash.selector, leaseId));
        rule(leaseId, r);
        (r.earned, r.forfeit) = (0, 1);
        vm.expectRevert(abi.encodeWithSelector(Rulings.OnlyASlash.selector, leaseId));
        rule(leaseId, r);
        r.forfeit = 0;
        uint256 here = vm.snapshotState();
        vm.warp(START + 31 days + 1);
        vm.expectRevert(abi.encodeWithSelector(Rulings.OnlyASlash.selector, leaseId));
        rule(leaseId, r);
        vm.revertToState(here);
        vm.warp(START + 31 days);
        lease(createJob(), 7);
        vm.expectEmit(address(market));
        emit Rulings.Ruled(leaseId, 0, 0, 40 ether);
        rule(leaseId, r);
        assertState(leaseId, LeaseState.Closed);
        assertEq(registry.providerOf(provider).stake, 9_960 ether);
        assertEq(registry.providerOf(provider).locked, 40 ether, "the other lease's");
    }

    // distribute

    function test_distribute_moves_all_fees() public {
        (, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        uint256 supply = token.totalSupply();
        vm.expectEmit(address(market));
        emit JobMarket.Distributed(1 ether, 1.5 ether, 1 ether, 1.5 ether);
        market.distribute();
        assertEq(supply - token.totalSupply(), 1 ether);
        assertEq(token.balanceOf(STAKERS), 1.5 ether);
        assertEq(token.balanceOf(COMMUNITY), 1 ether);
        assertEq(token.balanceOf(POOL), 1.5 ether);
        assertEq(fees(), 0);
        market.distribute();
        assertEq(token.balanceOf(POOL), 1.5 ether);
    }

    function testFuzz_fees_are_split_to_the_last_wei(uint96 amount) public pure {
        (uint256 burnt, uint256 stakers, uint256 community, uint256 pool) = Fees.split(amount);
        assertEq(burnt + stakers + community + pool, amount, "all of it");
        assertLe(stakers * 10, uint256(amount) * 3, "stakers");
        assertLe(uint256(amount) * 3, pool * 10, "the pool has the rest");
        assertEq(Fees.on(amount), uint256(amount) / 20, "one in twenty");
    }

    // basePrice

    function test_base_price_follows_the_use() public {
        // 2,000 reference seconds a second: the target is 3,600,000 units an hour.
        attest(provider, Tier.DataCentre, 2_000_000);
        uint64 price = market.basePrice();
        JobTerms memory t = terms();
        t.escrow = 100_000 ether;
        uint32 job = createJob(t);
        Bid memory bid = bidOf(provider, 1);
        bid.units = 7_200_000;
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.basePrice(), price, "not within the hour");
        vm.warp(START + 1 hours - 1);
        assertEq(market.basePrice(), price, "not within the hour");
        vm.warp(START + 1 hours);
        assertEq(market.basePrice(), price + price / 8, "twice the target, one step");
        // Half a step more than the target: half as much more.
        bid = bidOf(provider, 2);
        bid.units = 5_400_000;
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.account().units, 5_400_000);
        assertEq(market.account().price, price + price / 8);
        assertEq(market.account().stepAt, START + 1 hours);
        vm.warp(START + 2 hours + 5);
        uint64 second = price + price / 8;
        assertEq(market.basePrice(), second + second / 16, "by half");
        // Idle, it falls back.
        uint64 third = second + second / 16;
        vm.warp(START + 3 hours);
        assertEq(market.basePrice(), third - third / 8, "one step without work");
        bid = bidOf(provider, 3);
        (bid.units, bid.unitPrice, bid.taskReward) = (1, PRICE, 1);
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.account().stepAt, START + 3 hours);
        assertEq(market.account().units, 1);
        (bid.salt, bid.units) = (bytes32(uint256(4)), 2);
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.account().units, 3, "counted together");
        vm.warp(START + 2000 hours);
        assertEq(market.basePrice(), 1e12, "and to the bottom");
    }

    function test_base_price_asks_of_the_next_job() public {
        attest(provider, Tier.DataCentre, 1);
        (uint32 job,) = newLease();
        assertEq(job, 1);
        vm.warp(START + 1 hours);
        JobTerms memory t = terms();
        t.priceCap = 1.125e12 - 1;
        vm.expectRevert(
            abi.encodeWithSelector(JobEscrow.BelowBasePrice.selector, uint64(1.125e12 - 1), uint64(1.125e12))
        );
        createJob(t);
    }

    function test_base_price_without_a_machine() public pure {
        assertEq(BasePrice.after_(1e15, 0, 0, 500), 1e15, "nothing stands idle");
        assertEq(BasePrice.after_(1e15, 1, 0, 500), 1.125e15, "work without a machine");
        assertEq(BasePrice.after_(1e15, 1, 0, 0), 1e15, "no step");
    }

    function test_base_price_falls_to_the_bottom_within_its_idle_steps() public pure {
        assertEq(BasePrice.after_(10e18, type(uint56).max, 1_000, 128), 1e12, "step by step");
        assertEq(BasePrice.after_(10e18, type(uint56).max, 1_000, 129), 1e12, "at once");
    }

    function testFuzz_base_price_stays_in_its_bounds(uint64 price, uint56 units, uint40 rate) public pure {
        price = uint64(bound(price, 1e12, 10e18));
        uint256 target = uint256(rate) * 3_600 / 2_000;
        uint64 next = BasePrice.next(price, units, target);
        assertLe(1e12, next, "above the least");
        assertLe(next, 10e18, "below the most");
        uint256 change = next > price ? next - price : price - next;
        assertLe(change, price / 8, "an eighth a step");
        if (units > target) assertLe(price, next, "up");
        if (units > target && price < 10e18) assertLe(uint256(price) + 1, next, "it moves");
        if (units < target) assertLe(next, price, "down");
        if (units == target) assertEq(next, price, "still");
    }
}
