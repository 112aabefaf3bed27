// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../src/IBurnableToken.sol";
import {IProviderRegistry} from "../src/IProviderRegistry.sol";
import {Fees} from "../src/market/Fees.sol";
import {JobMarket} from "../src/market/JobMarket.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `JobMarket.tree`.
contract JobMarketTest is MarketTest {
    // constructor

    // A call of its own: where contracts are deployed by their artifacts, as in `tools/mutants.mjs`, a constructor that
    // refuses would end the test.
    function make(address stakers, address community, address pool) external {
        new JobMarket(
            IBurnableToken(address(token)),
            IProviderRegistry(address(registry)),
            address(gate),
            stakers,
            community,
            pool
        );
    }

    function test_constructor_refuses_zero_addresses() public {
        for (uint256 i = 0; i < 3; ++i) {
            address[3] memory some = [STAKERS, COMMUNITY, POOL];
            some[i] = address(0);
            vm.expectRevert(abi.encodeWithSelector(JobMarket.ZeroAddress.selector));
            this.make(some[0], some[1], some[2]);
        }
        this.make(STAKERS, COMMUNITY, POOL);
    }

    function test_constructor_keeps_everything() public view {
        assertEq(address(market.token()), address(token));
        assertEq(address(market.registry()), address(registry));
        assertEq(market.gate(), address(gate));
        assertEq(market.stakers(), STAKERS);
        assertEq(market.community(), COMMUNITY);
        assertEq(market.pool(), POOL);
        assertEq(market.account().stepAt, START);
        assertEq(market.basePrice(), 1e12);
    }

    // distribute

    function test_distribute_moves_all_fees() public {
        (, bytes32 leaseId) = newLease();
        redeem(leaseId, CAP);
        uint256 supply = token.totalSupply();
        vm.expectEmit(address(market));
        emit JobMarket.Distributed(1 ether, 1.5 ether, 1 ether, 1.5 ether);
        market.distribute();
        assertEq(supply - token.totalSupply(), 1 ether);
        assertEq(token.balanceOf(STAKERS), 1.5 ether);
        assertEq(token.balanceOf(COMMUNITY), 1 ether);
        assertEq(token.balanceOf(POOL), 1.5 ether);
        assertEq(fees(), 0);
        market.distribute();
        assertEq(token.balanceOf(POOL), 1.5 ether);
    }

    function testFuzz_fees_are_split_to_the_last_wei(uint96 amount) public pure {
        (uint256 burnt, uint256 stakers, uint256 community, uint256 pool) = Fees.split(amount);
        assertEq(burnt + stakers + community + pool, amount, "all of it");
        assertLe(stakers * 10, uint256(amount) * 3, "stakers");
        assertLe(uint256(amount) * 3, pool * 10, "the pool has the rest");
        assertEq(Fees.on(amount), uint256(amount) / 20, "one in twenty");
    }
}
