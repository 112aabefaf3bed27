// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BasePrice} from "../src/market/BasePrice.sol";
import {JobEscrow} from "../src/market/JobEscrow.sol";
import {Bid, JobTerms, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `BasePrice.tree`.
contract BasePriceTest is MarketTest {
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
        assertEq(market.account().use, 0.75e15);
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
        assertEq(market.account().use, uint256(1e15) / 7_200_000);
        (bid.salt, bid.units) = (bytes32(uint256(4)), 2);
        signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
        assertEq(market.account().use, uint256(1e15) / 7_200_000 + uint256(2e15) / 7_200_000, "counted together");
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

    function test_base_price_without_a_machine_falls() public {
        attest(provider, Tier.Consumer, 1_000);
        uint32 job = createJob();
        lease(job, 1);
        vm.warp(START + 1 hours);
        assertEq(market.basePrice(), 1.125e12, "up");
        lease(job, 2);
        vm.prank(provider);
        registry.unbond(9_920 ether);
        assertEq(registry.totalRate(), 0, "no machine");
        vm.warp(START + 2 hours);
        assertEq(market.basePrice(), 1.265625e12, "what was used is counted");
        vm.warp(START + 3 hours);
        assertEq(market.basePrice(), 1.107421875e12, "down");
        vm.warp(START + 4 hours);
        assertEq(market.basePrice(), 1e12, "to the bottom");
        assertEq(BasePrice.add(7, 1_000, 0), 7, "work that no machine does");
    }

    function test_base_price_stays_at_half_of_the_use() public pure {
        assertEq(BasePrice.next(1e15, 0.5e15), 1e15, "half");
        assertEq(BasePrice.next(1e15, 1e15), 1.125e15, "all");
        assertEq(BasePrice.next(1e15, 0), 0.875e15, "none");
        assertEq(BasePrice.next(1e15, 0.5e15 + 8), 1e15 + 2, "a little more");
        assertEq(BasePrice.next(1e15, 0.5e15 - 8), 1e15 - 2, "a little less");
        assertEq(BasePrice.after_(1e15, 1e15, 0), 1e15, "no step");
    }

    function test_base_price_falls_to_the_bottom_in_121_idle_steps() public pure {
        assertLe(1e12 + 1, BasePrice.after_(10e18, 1e15, 121), "120 of them");
        assertEq(BasePrice.after_(10e18, 1e15, 122), 1e12, "121 of them");
        assertEq(BasePrice.after_(10e18, 1e15, type(uint256).max), 1e12, "and no more are counted");
    }

    function test_base_price_falls_by_less_where_there_is_some_use() public {
        attest(provider, Tier.DataCentre, 2_000_000);
        JobTerms memory t = terms();
        t.escrow = 100_000 ether;
        uint32 job = createJob(t);
        uint40[2] memory units = [uint40(7_200_000), 1_800_000];
        uint64[2] memory prices = [uint64(1.125e12), 1.0546875e12];
        for (uint256 i = 0; i < 2; ++i) {
            Bid memory bid = bidOf(provider, i);
            (bid.units, bid.expiry) = (units[i], uint40(START + 1 days));
            signBid(job, bid, PROVIDER_KEY);
            assertEq(awardOne(job, bid), 1);
            vm.warp(START + (i + 1) * 1 hours);
            assertEq(market.basePrice(), prices[i]);
        }
    }

    function testFuzz_base_price_stays_in_its_bounds(uint64 price, uint56 use) public pure {
        price = uint64(bound(price, 1e12, 10e18));
        use = uint56(bound(use, 0, 1e15));
        uint64 next = BasePrice.next(price, use);
        assertLe(1e12, next, "above the least");
        assertLe(next, 10e18, "below the most");
        uint256 change = next > price ? next - price : price - next;
        assertLe(change, price / 8, "an eighth a step");
        if (use > 0.5e15) assertLe(price, next, "up");
        if (use < 0.5e15) assertLe(next, price, "down");
    }

    function testFuzz_use_is_full_at_most(uint56 use, uint96 units, uint40 rate) public pure {
        use = uint56(bound(use, 0, 1e15));
        uint56 more = BasePrice.add(use, units, rate);
        assertLe(use, more, "it grows");
        assertLe(more, 1e15, "up to all of it");
        if (rate != 0 && uint256(units) * 1_000 >= uint256(rate) * 3_600) {
            assertEq(more, 1e15, "all machines are busy");
        }
    }
}
