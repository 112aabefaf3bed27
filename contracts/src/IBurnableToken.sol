// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title An ERC-20 token whose holders can burn their own
interface IBurnableToken is IERC20 {
    /// @notice Destroys tokens of the caller.
    /// @param value How many.
    function burn(uint256 value) external;
}
