// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The token that the compute network is paid in
/// @notice ERC-20 with permits (ERC-2612) and burning. Its whole supply is made once, here; nobody can ever make more.
contract StormToken is ERC20, ERC20Permit, ERC20Burnable {
    /// @notice The supply at the beginning, and so the most that there will ever be: 10^9 tokens of 18 decimals.
    uint256 public constant CAP = 1_000_000_000 ether;

    /// @param holder Who is given the whole supply.
    constructor(address holder) ERC20("Seedstorm", "STORM") ERC20Permit("Seedstorm") {
        _mint(holder, CAP);
    }
}
