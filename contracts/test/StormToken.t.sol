// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {StormToken} from "../src/StormToken.sol";
import {Test} from "./Vm.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// The branches are those of `StormToken.tree`.
contract StormTokenTest is Test {
    uint256 internal constant KEY = 0xA11CE;
    bytes32 internal constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    StormToken internal token;
    address internal holder;

    function setUp() public {
        holder = vm.addr(KEY);
        token = new StormToken(holder);
    }

    function test_the_whole_supply_is_made_once() public view {
        assertEq(token.name(), "Seedstorm");
        assertEq(token.symbol(), "STORM");
        assertEq(token.decimals(), 18);
        assertEq(token.totalSupply(), 1_000_000_000 ether);
        assertEq(token.CAP(), token.totalSupply());
        assertEq(token.balanceOf(holder), token.CAP());
        assertLe(token.CAP(), type(uint96).max, "amounts fit into 96 bits");
    }

    function test_burning_lowers_the_supply_for_ever() public {
        vm.prank(holder);
        token.burn(1 ether);
        assertEq(token.totalSupply(), token.CAP() - 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, address(this), 0, 1));
        token.burn(1);
    }

    function test_a_permit_is_an_approval_once() public {
        bytes32 hash = keccak256(abi.encode(PERMIT, holder, address(this), 5, 0, block.timestamp));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), hash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        token.permit(holder, address(this), 5, block.timestamp, v, r, s);
        assertEq(token.allowance(holder, address(this)), 5);
        vm.expectRevert();
        token.permit(holder, address(this), 5, block.timestamp, v, r, s);
    }
}
