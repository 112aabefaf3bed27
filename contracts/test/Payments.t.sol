// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Fees} from "../src/market/Fees.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Payments} from "../src/market/Payments.sol";
import {JobTerms, LeaseState} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `Payments.tree`.
contract PaymentsTest is MarketTest {
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

    function test_settle_after_a_ruling_moves_no_bond() public {
        (uint32 job, bytes32 leaseId) = newLease();
        vm.prank(provider);
        market.dispute(leaseId);
        rule(leaseId, ruling());
        warpToSettlement(job);
        market.settle(leaseId);
        assertState(leaseId, LeaseState.Settled);
        assertEq(registry.providerOf(provider).locked, 0);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Settled));
        market.settle(leaseId);
        market.refund(job);
        assertEq(token.balanceOf(address(market)), 0);
    }
}
