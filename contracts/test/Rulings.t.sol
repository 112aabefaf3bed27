// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MarketState} from "../src/market/MarketState.sol";
import {Payments} from "../src/market/Payments.sol";
import {Rulings} from "../src/market/Rulings.sol";
import {LeaseState, Ruling} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `Rulings.tree`.
contract RulingsTest is MarketTest {
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

    function expectOnlyASlash(bytes32 leaseId, Ruling memory r) internal {
        vm.expectRevert(abi.encodeWithSelector(Rulings.OnlyASlash.selector, leaseId));
        rule(leaseId, r);
    }

    function test_rule_once_on_the_money_and_once_with_a_slash() public {
        (uint32 job, bytes32 leaseId) = newLease();
        Ruling memory r = ruling();
        r.earned = 1 ether;
        rule(leaseId, r);
        assertState(leaseId, LeaseState.Ruled);
        expectOnlyASlash(leaseId, r);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Ruled));
        vm.prank(requestor);
        market.dispute(leaseId);
        uint256 before = token.balanceOf(provider);
        (r.earned, r.forfeit, r.slash) = (2 ether, 1 ether, 1 ether);
        vm.expectEmit(address(market));
        emit Rulings.Ruled(leaseId, 0, 0, 1 ether);
        rule(leaseId, r);
        assertEq(token.balanceOf(provider), before, "the money was ruled on");
        assertEq(market.jobOf(job).deposit, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        rule(leaseId, r);
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, bytes32(0), LeaseState.None));
        rule(bytes32(0), r);
    }

    function test_rule_without_a_slash_leaves_the_lock_and_the_lease() public {
        (uint32 job, bytes32 leaseId) = newLease();
        rule(leaseId, ruling());
        assertEq(registry.providerOf(provider).locked, 40 * TASK);
        assertEq(market.jobOf(job).openLeases, 1);
        assertTrue(!market.slashedIn(job, provider), "not slashed");
        redeem(leaseId, CAP);
        warpToSettlement(job);
        market.settle(leaseId);
        assertState(leaseId, LeaseState.Settled);
        assertEq(registry.providerOf(provider).locked, 0);
    }

    function test_rule_gives_the_bond_to_who_was_right() public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 here = vm.snapshotState();
            (, bytes32 leaseId) = newLease();
            vm.prank(i < 2 ? provider : requestor);
            market.dispute(leaseId);
            Ruling memory r = ruling();
            r.providerIsRight = i % 2 == 0;
            address winner = r.providerIsRight ? provider : requestor;
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
        // A payment of nothing would be an event that says nothing.
        vm.expectCall(address(token), abi.encodeCall(token.transfer, (provider, 0)), 0);
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(START + 1);
            r.earned = earned[i];
            vm.expectEmit(address(market));
            emit Rulings.Ruled(leaseId, paid[i], 0, 0);
            rule(leaseId, r);
            assertEq(token.balanceOf(provider) - before, paid[i] - paid[i] / 20);
            assertEq(market.leaseOf(leaseId).redeemed, 10 ether + paid[i]);
            assertEq(market.leaseOf(leaseId).since, START + 1);
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
        (uint32 job, bytes32 leaseId) = newLease();
        lease(job, 2);
        redeem(leaseId, 10 ether);
        uint256 before = token.balanceOf(requestor);
        Ruling memory r = ruling();
        (r.slash, r.challengerBps, r.earned) = (40 ether, 3_000, 15 ether);
        vm.warp(START + 1);
        vm.expectEmit(address(market));
        emit Payments.Settled(leaseId, 15 ether, CAP - 15 ether);
        vm.expectEmit(address(market));
        emit Rulings.Ruled(leaseId, 5 ether, 0, 40 ether);
        rule(leaseId, r);
        assertEq(token.balanceOf(requestor) - before, 15 ether);
        assertEq(token.balanceOf(CHALLENGER), 12 ether);
        assertEq(registry.providerOf(provider).stake, 9_960 ether);
        assertEq(registry.providerOf(provider).locked, 40 * TASK, "the other lease's");
        assertState(leaseId, LeaseState.Closed);
        assertEq(market.leaseOf(leaseId).since, START + 1);
        assertEq(market.jobOf(job).free, ESCROW - CAP - 15 ether);
        assertEq(market.jobOf(job).openLeases, 1);
        assertTrue(market.slashedIn(job, provider), "slashed");
        vm.expectRevert(abi.encodeWithSelector(MarketState.WrongState.selector, leaseId, LeaseState.Closed));
        market.settle(leaseId);
    }

    function test_rule_late_slashes_and_nothing_else() public {
        (uint32 job, bytes32 leaseId) = newLease();
        redeem(leaseId, 10 ether);
        warpToSettlement(job);
        market.settle(leaseId);
        Ruling memory r = ruling();
        expectOnlyASlash(leaseId, r);
        (r.slash, r.earned, r.forfeit) = (40 ether, 20 ether, 1);
        uint256 here = vm.snapshotState();
        vm.warp(START + 31 days + 1);
        expectOnlyASlash(leaseId, r);
        vm.revertToState(here);
        vm.warp(START + 31 days);
        lease(createJob(), 7);
        vm.expectEmit(address(market));
        emit Rulings.Ruled(leaseId, 0, 0, 40 ether);
        rule(leaseId, r);
        assertState(leaseId, LeaseState.Closed);
        assertEq(market.leaseOf(leaseId).redeemed, 10 ether);
        assertEq(market.jobOf(job).openLeases, 0);
        assertEq(registry.providerOf(provider).stake, 9_960 ether);
        assertEq(registry.providerOf(provider).locked, 40 ether, "the other lease's");
    }
}
