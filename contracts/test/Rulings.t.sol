// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MarketState} from "../src/market/MarketState.sol";
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
}
