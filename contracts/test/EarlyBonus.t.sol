// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EarlyBonus} from "../src/EarlyBonus.sol";
import {Fees} from "../src/market/Fees.sol";
import {Bid, JobTerms, Ruling} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// The branches are those of `EarlyBonus.tree`.
contract EarlyBonusTest is MarketTest {
    function fill(uint256 amount) internal {
        vm.prank(TREASURY);
        token.transfer(address(bonus), amount);
    }

    function settled(uint96 redeemed) internal returns (bytes32 leaseId) {
        uint32 job;
        (job, leaseId) = newLease();
        if (redeemed != 0) redeem(leaseId, redeemed);
        warpToSettlement(job);
        market.settle(leaseId);
    }

    function test_the_share_falls_in_a_straight_line() public view {
        assertEq(bonus.shareAt(START), 5_000);
        assertEq(bonus.shareAt(START + 365 days), 2_500);
        assertEq(bonus.shareAt(START + 730 days - 1), 0);
        assertEq(bonus.shareAt(START + 730 days), 0);
        assertEq(bonus.shareAt(START + 10_000 days), 0);
    }

    function test_only_leases_that_are_settled_and_were_not_slashed() public {
        fill(100 ether);
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.NotEligible.selector, leaseId));
        bonus.claim(leaseId);
        warpToSettlement(job);
        market.settle(leaseId);
        Ruling memory r = ruling();
        r.slash = 1;
        rule(leaseId, r);
        vm.warp(block.timestamp + 60 days);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.NotEligible.selector, leaseId));
        bonus.claim(leaseId);
    }

    function test_paid_once_when_no_ruling_can_come() public {
        fill(100 ether);
        bytes32 leaseId = settled(CAP);
        uint256 settledAt = block.timestamp;
        vm.warp(settledAt + 21 days);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.TooEarly.selector, settledAt + 21 days));
        bonus.claim(leaseId);
        vm.warp(settledAt + 21 days + 1);
        uint256 share = bonus.shareAt(settledAt);
        uint256 before = token.balanceOf(provider);
        vm.expectEmit(address(bonus));
        emit EarlyBonus.BonusPaid(leaseId, provider, 5 ether * share / 10_000);
        bonus.claim(leaseId);
        assertEq(token.balanceOf(provider) - before, 5 ether * share / 10_000);
        assertEq(bonus.given(provider), 5 ether * share / 10_000);
        assertTrue(bonus.claimed(leaseId), "claimed");
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.Nothing.selector, leaseId));
        bonus.claim(leaseId);
    }

    function test_nothing_is_not_paid() public {
        fill(100 ether);
        bytes32 leaseId = settled(0);
        vm.warp(block.timestamp + 22 days);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.Nothing.selector, leaseId));
        bonus.claim(leaseId);
    }

    function test_a_claim_that_is_not_covered_stays() public {
        bytes32 leaseId = settled(CAP);
        uint256 due = 5 ether * bonus.shareAt(block.timestamp) / 10_000;
        vm.warp(block.timestamp + 22 days);
        fill(due - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, address(bonus), due - 1, due)
        );
        bonus.claim(leaseId);
        fill(1);
        assertEq(bonus.claim(leaseId), due);
    }

    function test_no_more_than_a_providers_cap() public {
        fill(200_000 ether);
        fund(requestor, 20_000_000 ether);
        JobTerms memory t = terms();
        (t.escrow, t.priceCap) = (12_000_000 ether, 10 ether);
        uint32 job = createJob(t);
        bytes32[3] memory leases;
        for (uint256 i = 0; i < 3; ++i) {
            Bid memory bid = bidOf(provider, i);
            (bid.unitPrice, bid.units) = (10 ether, 400_000);
            leases[i] = signBid(job, bid, PROVIDER_KEY);
            assertEq(awardOne(job, bid), 1);
            redeem(leases[i], 4_000_000 ether);
        }
        warpToSettlement(job);
        for (uint256 i = 0; i < 3; ++i) {
            market.settle(leases[i]);
        }
        uint256 due = 200_000 ether * bonus.shareAt(block.timestamp) / 10_000;
        vm.warp(block.timestamp + 22 days);
        assertEq(bonus.claim(leases[0]), due);
        assertEq(bonus.claim(leases[1]), 100_000 ether - due);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.Nothing.selector, leases[2]));
        bonus.claim(leases[2]);
        assertEq(bonus.given(provider), 100_000 ether);
        assertEq(token.balanceOf(address(bonus)), 100_000 ether);
    }

    function test_what_is_left_is_burnt_in_the_end() public {
        fill(7 ether);
        uint256 from = START + 910 days;
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(EarlyBonus.TooEarly.selector, from));
        bonus.retire();
        vm.warp(from);
        uint256 supply = token.totalSupply();
        vm.expectEmit(address(bonus));
        emit EarlyBonus.Retired(7 ether);
        bonus.retire();
        assertEq(supply - token.totalSupply(), 7 ether);
    }

    function testFuzz_never_more_than_half_of_the_fees(uint96 redeemed, uint32 later) public {
        fill(1_000 ether);
        redeemed = uint96(bound(redeemed, 1_000, CAP));
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, redeemed);
        vm.warp(market.settlesFrom(job) + bound(later, 0, 600 days));
        market.settle(leaseId);
        vm.warp(block.timestamp + 22 days);
        assertLe(bonus.claim(leaseId), Fees.on(redeemed) / 2, "half of the fee");
    }
}
