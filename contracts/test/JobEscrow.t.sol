// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/market/Awards.sol";
import {JobEscrow} from "../src/market/JobEscrow.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Bid, Job, JobTerms, Mode, Requirement, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `JobEscrow.tree`.
contract JobEscrowTest is MarketTest {
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
}
