// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {ValidationGate} from "../src/ValidationGate.sol";
import {Rulings} from "../src/market/Rulings.sol";
import {JobTerms, LeaseState, Ruling, Tier} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `ValidationGate.tree`.
contract ValidationGateTest is MarketTest {
    address internal constant NEXT = address(0x2E47);

    function test_only_validation_decides() public {
        bytes memory refusal = abi.encodeWithSelector(ValidationGate.NotValidation.selector, GOVERNOR);
        Ruling memory r = ruling();
        vm.startPrank(GOVERNOR);
        vm.expectRevert(refusal);
        gate.attest(provider, Tier.Consumer, 1, 1);
        vm.expectRevert(refusal);
        gate.rule(bytes32(0), r);
        vm.stopPrank();
    }

    function test_the_gate_is_the_only_door() public {
        Ruling memory r = ruling();
        vm.startPrank(VALIDATION);
        vm.expectRevert(abi.encodeWithSelector(ProviderRegistry.NotTheGate.selector, VALIDATION));
        registry.attest(provider, Tier.Consumer, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(Rulings.NotTheGate.selector, VALIDATION));
        market.rule(bytes32(0), r);
        vm.stopPrank();
    }

    function test_validation_decides() public {
        attest(provider, Tier.Professional, 2_000);
        assertEq(uint256(registry.tierOf(provider)), uint256(Tier.Professional));
        (, bytes32 leaseId) = newLease();
        rule(leaseId, ruling());
        assertState(leaseId, LeaseState.Ruled);
    }

    function test_only_the_governor_appoints() public {
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotTheGovernor.selector, VALIDATION));
        vm.prank(VALIDATION);
        gate.appoint(VALIDATION);
    }

    function test_an_appointment_waits_until_everybody_can_have_left() public {
        vm.expectEmit(address(gate));
        emit ValidationGate.Appointed(NEXT, START + 90 days);
        vm.prank(GOVERNOR);
        gate.appoint(NEXT);
        assertEq(gate.appointed(), NEXT);
        vm.warp(START + 90 days - 1);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, START + 90 days, START + 104 days));
        gate.install();
        assertEq(gate.validation(), VALIDATION);
        vm.warp(START + 90 days);
        vm.expectEmit(address(gate));
        emit ValidationGate.Installed(NEXT);
        gate.install();
        assertEq(gate.validation(), NEXT);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, 0, 14 days));
        gate.install();
    }

    /// A stake is held the longest where the job is long, the requestor closes it in the last second in which that still
    /// counts, and disputes in the last one, and nobody rules.
    function test_the_longest_way_out_is_shorter_than_the_delay() public {
        JobTerms memory t = terms();
        t.deadline = uint40(START + 30 days);
        uint32 job = createJob(t);
        bytes32 leaseId = lease(job, 1);
        vm.warp(START + 37 days - 1);
        vm.prank(requestor);
        market.closeJob(job);
        vm.warp(market.settlesFrom(job));
        vm.prank(requestor);
        market.dispute(leaseId);
        vm.warp(block.timestamp + 21 days);
        market.settle(leaseId);
        assertEq(block.timestamp, START + 65 days - 1, "the stake is free");
        vm.startPrank(provider);
        registry.unbond(10_000 ether);
        vm.warp(block.timestamp + 21 days);
        registry.withdraw();
        vm.stopPrank();
        assertEq(block.timestamp, START + 86 days - 1, "and out");
        assertLe(block.timestamp, START + gate.APPOINTMENT_DELAY(), "before an appointment");
    }

    function test_nobody_is_installed_where_nobody_is_appointed() public {
        // Also on a chain that has only just begun to count the time.
        vm.warp(1);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, 0, 14 days));
        gate.install();
    }

    function test_an_appointment_lapses() public {
        vm.prank(GOVERNOR);
        gate.appoint(NEXT);
        uint256 here = vm.snapshotState();
        vm.warp(START + 104 days);
        gate.install();
        vm.revertToState(here);
        vm.warp(START + 104 days + 1);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, START + 90 days, START + 104 days));
        gate.install();
        assertEq(gate.validation(), VALIDATION);
    }

    function test_a_new_appointment_waits_anew() public {
        vm.startPrank(GOVERNOR);
        gate.appoint(NEXT);
        vm.warp(START + 80 days);
        gate.appoint(STRANGER);
        vm.stopPrank();
        vm.warp(START + 90 days);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotNow.selector, START + 170 days, START + 184 days));
        gate.install();
    }
}
