// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {ValidationGate} from "../src/ValidationGate.sol";
import {Rulings} from "../src/market/Rulings.sol";
import {LeaseState, Ruling, Tier} from "../src/market/Types.sol";
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
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotYet.selector, START + 90 days));
        gate.install();
        assertEq(gate.validation(), VALIDATION);
        vm.warp(START + 90 days);
        vm.expectEmit(address(gate));
        emit ValidationGate.Installed(NEXT);
        gate.install();
        assertEq(gate.validation(), NEXT);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotYet.selector, 0));
        gate.install();
        uint256 leaving = market.MAX_DURATION() + market.SETTLE_DELAY() + market.RULING_TIME() + registry.UNBONDING();
        assertLe(leaving, gate.APPOINTMENT_DELAY(), "the way out is shorter");
    }

    function test_a_new_appointment_waits_anew() public {
        vm.startPrank(GOVERNOR);
        gate.appoint(NEXT);
        vm.warp(START + 80 days);
        gate.appoint(STRANGER);
        vm.stopPrank();
        vm.warp(START + 90 days);
        vm.expectRevert(abi.encodeWithSelector(ValidationGate.NotYet.selector, START + 170 days));
        gate.install();
    }
}
