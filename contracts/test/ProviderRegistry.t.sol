// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {SlashSplit} from "../src/SlashSplit.sol";
import {Hardware, Requirement, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `ProviderRegistry.tree`.
contract ProviderRegistryTest is MarketTest {
    function none() internal pure returns (Requirement memory) {
        return Requirement(0, 0, 0, Tier.Unmeasured);
    }

    function lock(uint96 amount, Requirement memory need) internal returns (bool) {
        vm.prank(address(market));
        return registry.lock(provider, amount, need);
    }

    function slash(uint96 locked, uint96 amount, uint96 harm, uint16 bps) internal returns (uint96) {
        vm.prank(address(market));
        return registry.slash(provider, locked, amount, requestor, harm, CHALLENGER, bps);
    }

    function assertProvider(uint96 stake, uint96 locked, uint96 unbonding) internal view {
        ProviderRegistry.Provider memory p = registry.providerOf(provider);
        assertEq(p.stake, stake, "stake");
        assertEq(p.locked, locked, "locked");
        assertEq(p.unbonding, unbonding, "unbonding");
        assertEq(token.balanceOf(address(registry)), uint256(stake) + unbonding, "what the registry holds");
    }

    function assertMeasured(Tier tier, uint256 totalRate) internal view {
        assertEq(uint256(registry.tierOf(provider)), uint256(tier), "tier");
        assertEq(registry.totalRate(), totalRate, "rate of the network");
    }

    // stake

    function test_stake_refuses_nothing_and_too_little() public {
        fund(STRANGER, 1_000 ether);
        vm.startPrank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.stake(0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ProviderRegistry.StakeTooSmall.selector, uint96(1_000 ether - 1), uint96(1_000 ether)
            )
        );
        registry.stake(1_000 ether - 1);
        registry.stake(1_000 ether);
        vm.stopPrank();
        assertEq(registry.providerOf(STRANGER).stake, 1_000 ether);
    }

    function test_stake_adds() public {
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Staked(provider, 7);
        vm.prank(provider);
        registry.stake(7);
        assertProvider(10_000 ether + 7, 0, 0);
    }

    // setHardware, setPrice

    function test_hardware_and_price_are_the_providers_word() public {
        vm.expectEmit(address(registry));
        emit ProviderRegistry.HardwareSet(provider, Hardware(7, 80, 3));
        vm.prank(provider);
        registry.setHardware(Hardware(7, 80, 3));
        vm.expectEmit(address(registry));
        emit ProviderRegistry.PriceSet(provider, 99);
        vm.prank(provider);
        registry.setPrice(99);
        ProviderRegistry.Provider memory p = registry.providerOf(provider);
        assertEq(p.gpuClass, 7);
        assertEq(p.vramGiB, 80);
        assertEq(p.region, 3);
        assertEq(p.unitPrice, 99);
    }

    // attest, expire

    function test_an_attestation_counts_until_it_ends() public {
        attest(provider, Tier.DataCentre, 9_000);
        assertEq(registry.totalRate(), 9_000);
        attest(provider, Tier.Professional, 3_000);
        assertEq(registry.totalRate(), 3_000);
        assertEq(uint256(registry.tierOf(provider)), 2);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.expire(provider);
        vm.warp(START + 30 days - 1);
        assertEq(uint256(registry.tierOf(provider)), 2);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.expire(provider);
        vm.warp(START + 30 days);
        assertEq(uint256(registry.tierOf(provider)), 0);
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Attested(provider, Tier.Unmeasured, 0, 0);
        registry.expire(provider);
        assertEq(registry.totalRate(), 0);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.expire(provider);
    }

    function test_an_attestation_is_taken_back() public {
        attest(provider, Tier.DataCentre, 9_000);
        attest(provider, Tier.Unmeasured, 9_000);
        assertEq(registry.totalRate(), 0);
        assertEq(uint256(registry.tierOf(provider)), 0);
    }

    function test_leaving_ends_the_attestation() public {
        attest(provider, Tier.DataCentre, 9_000);
        vm.prank(provider);
        registry.unbond(9_000 ether);
        assertEq(registry.totalRate(), 9_000);
        vm.prank(provider);
        registry.unbond(1_000 ether);
        assertEq(registry.totalRate(), 0);
        assertEq(uint256(registry.tierOf(provider)), 0);
    }

    function test_an_attestation_needs_the_least_stake() public {
        address small = vm.addr(5);
        join(small, 1_000 ether);
        attest(small, Tier.Consumer, 1);
        assertEq(registry.totalRate(), 1);
    }

    // lock, unlock

    function test_only_the_market_locks_unlocks_and_slashes() public {
        bytes memory refusal = abi.encodeWithSelector(ProviderRegistry.NotTheMarket.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        registry.lock(provider, 1, none());
        vm.expectRevert(refusal);
        registry.unlock(provider, 1);
        vm.expectRevert(refusal);
        registry.slash(provider, 0, 1, STRANGER, 1, STRANGER, 0);
        vm.stopPrank();
    }

    function test_lock_takes_free_stake_alone() public {
        assertTrue(lock(6_000 ether, none()), "free");
        assertTrue(!lock(4_000 ether + 1, none()), "one too many");
        assertProvider(10_000 ether, 6_000 ether, 0);
        assertTrue(lock(4_000 ether, none()), "the rest");
        vm.prank(address(market));
        registry.unlock(provider, 1_000 ether);
        assertProvider(10_000 ether, 9_000 ether, 0);
    }

    function test_lock_needs_the_least_stake() public {
        address small = vm.addr(5);
        join(small, 1_000 ether);
        vm.prank(address(market));
        assertTrue(registry.lock(small, 1, none()), "at the least");
        vm.prank(address(market));
        registry.slash(small, 1, 1, requestor, 1, CHALLENGER, 0);
        vm.prank(address(market));
        assertTrue(!registry.lock(small, 1, none()), "below it");
    }

    function test_lock_needs_the_machine() public {
        assertTrue(lock(1, Requirement(5, 24, 1, Tier.Unmeasured)), "exactly that");
        assertTrue(lock(1, Requirement(4, 23, 0, Tier.Unmeasured)), "more than that");
        assertTrue(!lock(1, Requirement(6, 24, 1, Tier.Unmeasured)), "a slower GPU");
        assertTrue(!lock(1, Requirement(5, 25, 1, Tier.Unmeasured)), "less memory");
        assertTrue(!lock(1, Requirement(5, 24, 2, Tier.Unmeasured)), "another region");
        assertTrue(!lock(1, Requirement(5, 24, 1, Tier.Consumer)), "not measured");
        attest(provider, Tier.Consumer, 1_000);
        assertTrue(lock(1, Requirement(5, 24, 1, Tier.Consumer)), "that tier");
        assertTrue(!lock(1, Requirement(5, 24, 1, Tier.Professional)), "a lower tier");
        attest(provider, Tier.DataCentre, 1_000);
        assertTrue(lock(1, Requirement(5, 24, 1, Tier.Professional)), "a higher tier");
        vm.warp(START + 30 days);
        assertTrue(!lock(1, Requirement(5, 24, 1, Tier.Consumer)), "ended");
        assertTrue(lock(1, none()), "nothing asked");
    }

    // unbond, withdraw

    function test_unbond_refuses_nothing_and_what_is_not_free() public {
        lock(4_000 ether, none());
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.unbond(0);
        vm.expectRevert(
            abi.encodeWithSelector(ProviderRegistry.NotFree.selector, uint96(6_000 ether + 1), uint96(6_000 ether))
        );
        registry.unbond(6_000 ether + 1);
        registry.unbond(6_000 ether);
        vm.stopPrank();
        assertProvider(4_000 ether, 4_000 ether, 6_000 ether);
    }

    function test_unbond_leaves_the_least_or_the_locked() public {
        vm.startPrank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(
                ProviderRegistry.StakeTooSmall.selector, uint96(1_000 ether - 1), uint96(1_000 ether)
            )
        );
        registry.unbond(9_000 ether + 1);
        registry.unbond(9_000 ether);
        registry.unbond(1_000 ether);
        vm.stopPrank();
        assertProvider(0, 0, 10_000 ether);
    }

    function test_unbond_can_leave_only_what_is_locked() public {
        lock(40 ether, none());
        vm.prank(provider);
        registry.unbond(9_960 ether);
        assertProvider(40 ether, 40 ether, 9_960 ether);
        vm.prank(address(market));
        registry.unlock(provider, 40 ether);
        vm.prank(provider);
        registry.unbond(40 ether);
        assertProvider(0, 0, 10_000 ether);
    }

    function test_withdraw_after_21_days_of_the_last_unbonding() public {
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.Nothing.selector));
        registry.withdraw();
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Unbonding(provider, 1 ether, uint40(START + 21 days));
        registry.unbond(1 ether);
        vm.warp(START + 20 days);
        registry.unbond(2 ether);
        vm.warp(START + 41 days - 1);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.StillUnbonding.selector, uint40(START + 41 days)));
        registry.withdraw();
        vm.warp(START + 41 days);
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Withdrawn(provider, 3 ether);
        registry.withdraw();
        vm.stopPrank();
        assertProvider(10_000 ether - 3 ether, 0, 0);
        assertEq(token.balanceOf(provider), 103 ether);
    }

    // slash

    function test_slash_refuses_a_share_above_the_cap() public {
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.ShareAboveCap.selector, uint16(3_001)));
        slash(0, 1, 0, 3_001);
        assertEq(slash(0, 1, 0, 3_000), 1);
    }

    function test_slash_takes_from_the_lease_first_and_frees_the_rest_of_its_lock() public {
        lock(100 ether, none());
        lock(50 ether, none());
        uint256 supply = token.totalSupply();
        uint256 before = token.balanceOf(requestor);
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Slashed(provider, 80 ether, 40 ether, 24 ether, 16 ether);
        assertEq(slash(100 ether, 80 ether, 40 ether, 3_000), 80 ether);
        assertProvider(9_920 ether, 50 ether, 0);
        assertEq(token.balanceOf(requestor) - before, 40 ether);
        assertEq(token.balanceOf(CHALLENGER), 24 ether);
        assertEq(supply - token.totalSupply(), 16 ether);
    }

    function test_slash_without_a_challenger_burns_its_share() public {
        uint256 supply = token.totalSupply();
        vm.prank(address(market));
        registry.slash(provider, 0, 10, requestor, 4, address(0), 3_000);
        assertEq(supply - token.totalSupply(), 6);
    }

    function test_slash_gives_the_challenger_no_more_than_the_requestor_leaves() public {
        uint256 supply = token.totalSupply();
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Slashed(provider, 10, 9, 1, 0);
        assertEq(slash(0, 10, 9, 3_000), 10);
        vm.expectEmit(address(registry));
        emit ProviderRegistry.Slashed(provider, 10, 10, 0, 0);
        assertEq(slash(0, 10, 11, 3_000), 10);
        assertEq(token.balanceOf(CHALLENGER), 1);
        assertEq(token.totalSupply(), supply);
    }

    function test_slash_begins_with_unbonding_stake() public {
        lock(40 ether, none());
        lock(60 ether, none());
        vm.prank(provider);
        registry.unbond(9_000 ether);
        assertEq(slash(40 ether, 8_999 ether, 0, 0), 8_999 ether);
        assertProvider(1_000 ether, 60 ether, 1 ether);
        assertEq(slash(0, 2 ether, 0, 0), 2 ether);
        assertProvider(999 ether, 60 ether, 0);
    }

    function test_slash_reaches_what_other_leases_locked() public {
        lock(40 ether, none());
        lock(6_000 ether, none());
        vm.prank(provider);
        registry.unbond(3_000 ether);
        assertEq(slash(40 ether, type(uint96).max, 0, 0), 10_000 ether);
        assertProvider(0, 6_000 ether, 0);
        assertEq(slash(0, 1, 0, 0), 0);

        // New stake covers the other lease first: none of it is free until that is settled.
        fund(provider, 6_001 ether);
        vm.startPrank(provider);
        registry.stake(5_000 ether);
        assertProvider(5_000 ether, 6_000 ether, 0);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.NotFree.selector, uint96(1), uint96(0)));
        registry.unbond(1);
        vm.stopPrank();
        assertTrue(!lock(1, none()), "more leases");
        vm.prank(provider);
        registry.stake(1_001 ether);
        assertTrue(!lock(1 ether + 1, none()), "more than is free");
        assertTrue(lock(1 ether, none()), "what is free");
        vm.startPrank(address(market));
        registry.unlock(provider, 6_000 ether);
        registry.unlock(provider, 1 ether);
        vm.stopPrank();
        assertProvider(6_001 ether, 0, 0);
    }

    function test_slash_below_the_least_stake_ends_the_attestation() public {
        attest(provider, Tier.DataCentre, 9_000);
        slash(0, 9_000 ether, 0, 0);
        assertMeasured(Tier.DataCentre, 9_000);
        slash(0, 1, 0, 0);
        assertMeasured(Tier.Unmeasured, 0);
    }

    function testFuzz_slash_is_at_most_the_stake(uint96 amount, uint96 lock_, uint96 out, uint96 harm, uint16 bps)
        public
    {
        lock_ = uint96(bound(lock_, 0, 5_000 ether));
        out = uint96(bound(out, 1, 4_000 ether));
        bps = uint16(bound(bps, 0, 3_000));
        lock(lock_, none());
        lock(500 ether, none());
        vm.prank(provider);
        registry.unbond(out);
        uint256 taken = slash(lock_, amount, harm, bps);
        assertEq(taken, amount < 10_000 ether ? amount : 10_000 ether, "all that there is, and no more");
        ProviderRegistry.Provider memory p = registry.providerOf(provider);
        assertEq(p.stake + p.unbonding, 10_000 ether - taken, "what is left");
        assertEq(p.locked, 500 ether, "the other lease's");
        if (p.unbonding != 0) assertEq(p.stake, 10_000 ether - out, "what covers no lease is taken first");
    }

    function testFuzz_a_slash_is_split_to_the_last_wei(uint96 taken, uint96 harm, uint16 bps) public pure {
        bps = uint16(bound(bps, 0, 3_000));
        (uint256 toRequestor, uint256 toChallenger, uint256 burnt) = SlashSplit.split(taken, harm, bps);
        assertEq(toRequestor + toChallenger + burnt, taken, "all of it");
        assertEq(toRequestor, taken < harm ? taken : harm, "the requestor first");
        assertLe(toChallenger, uint256(taken) * 3 / 10, "at most 30 %");
    }
}
