// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title The base price of a work unit
/// @notice Follows the use of the network as EIP-1559's base fee follows that of blocks: it rises when more work was
/// leased in a step than half of what the measured machines can do in it, and falls when it was less, by at most an
/// eighth a step, and never leaves its bounds.
/// @dev https://eips.ethereum.org/EIPS/eip-1559
library BasePrice {
    /// @notice The lowest price.
    uint64 internal constant LEAST = 1e12;
    /// @notice The highest price: 10 tokens.
    uint64 internal constant MOST = 10e18;
    /// @notice The length of a step.
    uint256 internal constant STEP = 1 hours;
    /// @notice After so many steps without work even the highest price has fallen to the lowest.
    uint256 internal constant IDLE_STEPS = 128;

    /// @notice The price in the next step.
    /// @param price The price in this one.
    /// @param units Work units leased in it.
    /// @param target Work units at which the price stays; 0 if no machine is measured.
    /// @return The price, within its bounds, at most an eighth (or 1) from the last.
    function next(uint64 price, uint256 units, uint256 target) internal pure returns (uint64) {
        if (units == target) return price;
        uint256 change = price / 8;
        if (units > target) {
            if (units < 2 * target) change = change * (units - target) / target;
            // At least 1, so that it moves.
            uint256 raised = price + (change == 0 ? 1 : change);
            return raised > MOST ? MOST : SafeCast.toUint64(raised);
        }
        change = change * (target - units) / target;
        uint256 lowered = price - change;
        return lowered < LEAST ? LEAST : SafeCast.toUint64(lowered);
    }

    /// @notice The price after some steps, in the first of which all the work was leased.
    /// @param price The price in the first step.
    /// @param units Work units leased in it.
    /// @param rate The speed of all machines, in thousandths of the reference machine.
    /// @param steps How many steps have ended.
    /// @return The price now.
    function after_(uint64 price, uint256 units, uint256 rate, uint256 steps) internal pure returns (uint64) {
        if (steps == 0) return price;
        // A machine as fast as the reference does one unit a second; half of all that is the target.
        uint256 target = rate * STEP / 2_000;
        price = next(price, units, target);
        // Without a machine there is nothing that could stand idle: a step without work then leaves the price.
        if (target == 0) return price;
        if (steps > IDLE_STEPS) return LEAST;
        for (uint256 i = 1; i < steps && price != LEAST; ++i) {
            price = next(price, 0, target);
        }
        return price;
    }
}
