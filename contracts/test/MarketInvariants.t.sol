// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {Fees} from "../src/market/Fees.sol";
import {Job, Lease, LeaseState} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";
import {MarketHandler} from "./MarketHandler.sol";

/// What holds whatever people do. `FOUNDRY_PROFILE=full forge test` makes 1,000 runs of 100 calls of it.
contract MarketInvariantsTest is MarketTest {
    MarketHandler internal handler;

    function setUp() public override {
        super.setUp();
        // The one provider of other tests leaves.
        vm.prank(provider);
        registry.unbond(10_000 ether);
        vm.warp(START + 21 days);
        vm.prank(provider);
        registry.withdraw();
        handler = new MarketHandler(n, TREASURY, VALIDATION);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function isDisputed(LeaseState state) internal pure returns (bool) {
        return state == LeaseState.DisputedByProvider || state == LeaseState.DisputedByRequestor;
    }

    /// Escrow, deposits, priorities, unpaid caps, bonds and fees are what the market holds.
    function assertMarketBalances() internal view {
        uint256 owed = fees();
        uint256 jobs = handler.jobsCount();
        for (uint256 i = 0; i < jobs; ++i) {
            Job memory job = market.jobOf(handler.jobs(i));
            owed += uint256(job.free) + job.deposit + job.priority;
        }
        uint256 leases = handler.leasesCount();
        for (uint256 i = 0; i < leases; ++i) {
            Lease memory l = market.leaseOf(handler.leases(i));
            if (handler.isOpen(l.state)) owed += l.cap - l.redeemed;
            if (isDisputed(l.state)) owed += l.taskReward;
        }
        assertEq(token.balanceOf(address(market)), owed + handler.donatedToMarket(), "what the market holds");
    }

    /// Stakes and what unbonds are what the registry holds, locks are those of leases, and the rate of all machines is
    /// that of providers with a stake.
    function assertStakes() internal view {
        (uint256 owed, uint256 rates) = (0, 0);
        for (uint256 i = 0; i < 4; ++i) {
            address who = handler.providerAt(i);
            ProviderRegistry.Provider memory p = registry.providerOf(who);
            owed += uint256(p.stake) + p.unbonding;
            rates += p.rate;
            if (p.rate != 0) assertLe(1_000 ether, p.stake, "who is measured has a stake");
            uint256 locks;
            uint256 leases = handler.leasesCount();
            for (uint256 j = 0; j < leases; ++j) {
                Lease memory l = market.leaseOf(handler.leases(j));
                if (l.provider == who && handler.isOpen(l.state)) locks += uint256(l.taskReward) * 40;
            }
            assertEq(p.locked, locks, "40 rewards of a task for each lease");
        }
        assertEq(token.balanceOf(address(registry)), owed + handler.donatedToRegistry(), "what the registry holds");
        assertEq(registry.totalRate(), rates, "the machines of all providers");
    }

    /// Each lease paid the largest voucher once, less its fee, and no more than its cap; and a job's leases no more than
    /// its escrow.
    function assertPayments() internal view {
        uint256 leases = handler.leasesCount();
        for (uint256 i = 0; i < leases; ++i) {
            bytes32 id = handler.leases(i);
            Lease memory l = market.leaseOf(id);
            assertEq(l.redeemed, handler.promised(id), "what was promised");
            assertEq(handler.received(id), l.redeemed - Fees.on(l.redeemed), "paid once");
            assertLe(l.redeemed, l.cap, "up to the cap");
        }
        assertEq(handler.wronglyPaid(), 0, "vouchers that must not pay");
        assertEq(handler.overSlashed(), 0, "slashes above the stake");
    }

    function assertPriceBounds() internal view {
        assertLe(1e12, market.basePrice(), "the price is above its least");
        assertLe(market.basePrice(), 10e18, "the price is below its most");
    }

    function invariant_money_and_promises() public view {
        assertMarketBalances();
        assertStakes();
        assertPayments();
        assertPriceBounds();
    }

    /// Nothing above would be worth anything if the handler did nothing: in 2,000 calls it does everything, often.
    function test_the_handler_does_everything() public {
        bytes4[16] memory simple = [
            handler.wait.selector,
            handler.stake.selector,
            handler.unbond.selector,
            handler.withdraw.selector,
            handler.attest.selector,
            handler.createJob.selector,
            handler.award.selector,
            handler.closeJob.selector,
            handler.redeem.selector,
            handler.redeemWrongly.selector,
            handler.dispute.selector,
            handler.rule.selector,
            handler.settle.selector,
            handler.refund.selector,
            handler.distribute.selector,
            handler.donate.selector
        ];
        for (uint256 i = 0; i < 2_000; ++i) {
            bytes memory random = abi.encodePacked(simple[uint256(keccak256(abi.encode(i))) % 16]);
            for (uint256 word = 0; word < 9; ++word) {
                // 31 bits, so that the word is a number of every type of a parameter but bool and enum.
                uint256 value = uint256(keccak256(abi.encode(i, word))) >> 225;
                random = abi.encodePacked(random, value);
            }
            // A word that is no bool is refused before the call does anything.
            (bool success,) = address(handler).call(random);
            if (success) continue;
            random =
                abi.encodePacked(bytes4(random), uint256(i), uint256(i % 2), uint256(i % 2), uint256(1), uint256(1));
            (success,) = address(handler).call(abi.encodePacked(random, uint256(1), uint256(1), uint256(1)));
        }
        for (uint256 i = 0; i < 16; ++i) {
            assertLe(5, handler.done(simple[i]), "times");
        }
        invariant_money_and_promises();
        afterInvariant();
    }

    /// At the end of each run everybody but one stranger goes to sleep: all jobs can be closed, and every wei comes out.
    function afterInvariant() public {
        vm.warp(block.timestamp + 30 days + 7 days + 21 days);
        uint256 leases = handler.leasesCount();
        vm.startPrank(STRANGER);
        for (uint256 i = 0; i < leases; ++i) {
            bytes32 id = handler.leases(i);
            if (handler.isOpen(market.leaseOf(id).state)) market.settle(id);
        }
        uint256 jobs = handler.jobsCount();
        for (uint256 i = 0; i < jobs; ++i) {
            uint32 id = handler.jobs(i);
            Job memory job = market.jobOf(id);
            if (uint256(job.free) + job.deposit + job.priority != 0) market.refund(id);
        }
        market.distribute();
        vm.stopPrank();
        assertEq(token.balanceOf(address(market)), handler.donatedToMarket(), "nothing is left in the market");
        for (uint256 i = 0; i < 4; ++i) {
            address who = handler.providerAt(i);
            ProviderRegistry.Provider memory p = registry.providerOf(who);
            assertEq(p.locked, 0, "nothing is locked");
            vm.prank(who);
            if (p.stake != 0) registry.unbond(p.stake);
        }
        vm.warp(block.timestamp + 21 days);
        for (uint256 i = 0; i < 4; ++i) {
            address who = handler.providerAt(i);
            if (registry.providerOf(who).unbonding == 0) continue;
            vm.prank(who);
            registry.withdraw();
        }
        assertEq(token.balanceOf(address(registry)), handler.donatedToRegistry(), "nor in the registry");
    }
}
