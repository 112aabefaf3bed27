// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bid} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// What whole transactions cost, the 21,000 included: each call from here is executed as a transaction of its own
/// (`isolate`), with cold storage and refunds. The figures are kept in `snapshots/MarketGas.json`.
/// forge-config: default.isolate = true
contract MarketGasTest is MarketTest {
    uint256 internal constant AWARD_LIMIT = 70_000;
    uint256 internal constant REDEEM_LIMIT = 65_000;
    uint256 internal constant FIRST_RECEIPT_LIMIT = 95_000;

    function keep(string memory name) internal returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("MarketGas", name, gas);
    }

    /// A batch of leases, of as many providers or of one.
    function batch(uint32 job, uint256 size, bool manyProviders) internal returns (Bid[] memory bids) {
        bids = new Bid[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 key = manyProviders ? 0xF00D + i : PROVIDER_KEY;
            if (manyProviders) join(vm.addr(key), 10_000 ether);
            bids[i] = bidOf(vm.addr(key), uint256(keccak256(abi.encode(i))));
            bids[i].units = 10_000;
            signBid(job, bids[i], key);
        }
    }

    function test_gas_award_in_a_batch_of_100_providers() public {
        uint32 job = createJob();
        Bid[] memory bids = batch(job, 100, true);
        vm.prank(requestor);
        uint32 awarded = market.award(job, bids);
        uint256 gas = keep("award of 100 leases to 100 providers");
        assertEq(awarded, 100);
        vm.snapshotValue("MarketGas", "the same, a lease", gas / 100);
        assertLe(gas / 100, AWARD_LIMIT, "gas of a lease");
    }

    function test_gas_award_alone() public {
        uint32 job = createJob();
        Bid[] memory bids = batch(job, 1, false);
        vm.prank(requestor);
        market.award(job, bids);
        keep("award of one lease");
    }

    function test_gas_redeem() public {
        (, bytes32 leaseId) = newLease();
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 1 ether);
        market.redeem(leaseId, 1 ether, v, r, s);
        (v, r, s) = voucher(leaseId, 2 ether);
        market.redeem(leaseId, 2 ether, v, r, s);
        assertLe(keep("redeem"), REDEEM_LIMIT, "gas of redeem");
    }

    function test_gas_first_receipt() public {
        (, bytes32 leaseId) = newLease();
        uint256 balance = token.balanceOf(provider);
        vm.prank(provider);
        token.transfer(TREASURY, balance);
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, 1 ether);
        market.redeem(leaseId, 1 ether, v, r, s);
        assertLe(keep("redeem, the first receipt of a provider"), FIRST_RECEIPT_LIMIT, "gas of a first receipt");
    }

    /// Creating and closing cost the same in a network of 2 providers and of 60, and settling one of 2 leases the same
    /// as one of 60.
    function test_gas_create_close_and_refund_do_not_depend_on_providers() public {
        uint256 before = vm.snapshotState();
        uint256[4] memory few = lifeWith(2, true);
        vm.revertToState(before);
        uint256[4] memory many = lifeWith(60, false);
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(few[i], many[i], "gas in a large network");
        }
    }

    function lifeWith(uint256 size, bool snapshot) internal returns (uint256[4] memory gas) {
        uint32 job = createJob();
        Bid[] memory bids = batch(job, size, true);
        vm.prank(requestor);
        market.award(job, bids);

        createJob();
        gas[0] = vm.lastCallGas().gasTotalUsed;
        vm.prank(requestor);
        market.closeJob(job);
        gas[1] = vm.lastCallGas().gasTotalUsed;
        vm.warp(market.settlesFrom(job));
        bytes32 leaseId = market.leaseIdOf(job, bids[0]);
        market.settle(leaseId);
        gas[2] = vm.lastCallGas().gasTotalUsed;
        market.refund(job);
        gas[3] = vm.lastCallGas().gasTotalUsed;
        if (snapshot) {
            vm.snapshotValue("MarketGas", "createJob", gas[0]);
            vm.snapshotValue("MarketGas", "closeJob", gas[1]);
            vm.snapshotValue("MarketGas", "settle", gas[2]);
            vm.snapshotValue("MarketGas", "refund", gas[3]);
        }
    }

    function test_gas_of_the_rest() public {
        (, bytes32 leaseId) = newLease();
        redeem(leaseId, 10 ether);
        vm.prank(provider);
        market.dispute(leaseId);
        keep("dispute");
        market.distribute();
        keep("distribute, first time");
        redeem(leaseId, 20 ether);
        market.distribute();
        keep("distribute");
        vm.prank(provider);
        registry.unbond(1_000 ether);
        keep("unbond");
        vm.warp(block.timestamp + 21 days);
        vm.prank(provider);
        registry.withdraw();
        keep("withdraw");
    }
}
