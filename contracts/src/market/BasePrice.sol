// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title The base price of a work unit
/// @notice Follows the use of the network as EIP-1559's base fee follows that of blocks: it rises when more work was
/// leased in a step than half of what the measured machines could do in it, and falls when it was less, by at most an
/// eighth a step, and never leaves its bounds.
/// @dev https://eips.ethereum.org/EIPS/eip-1559. The use is counted when work is leased, by the machines of that moment:
/// whatever machine comes or goes later, the price of steps that have ended stays what it is.
library BasePrice {
    /// @notice The lowest price.
    uint64 internal constant LEAST = 1e12;
    /// @notice The highest price: 10 tokens.
    uint64 internal constant MOST = 10e18;
    /// @notice The length of a step.
    uint256 internal constant STEP = 1 hours;
    /// @notice The use of a step in which all machines are busy all the time. More is not counted.
    uint56 internal constant FULL = 1e15;
    /// @notice The use at which the price stays.
    uint256 internal constant HALF = 0.5e15;

    /// @notice The use of a step after more work was leased in it.
    /// @param use The use before.
    /// @param units Work units leased.
    /// @param rate The speed of all machines, in thousandths of the reference machine. Where there is none, there is
    /// nothing to be used.
    /// @return The use, at most `FULL`.
    function add(uint56 use, uint256 units, uint256 rate) internal pure returns (uint56) {
        if (rate == 0) return use;
        // A machine as fast as the reference does one unit a second.
        uint256 sum = use + units * 1_000 * FULL / (rate * STEP);
        return sum > FULL ? FULL : SafeCast.toUint56(sum);
    }

    /// @notice The price in the next step.
    /// @param price The price in this one.
    /// @param use The use of it.
    /// @return The price, within its bounds, at most an eighth from the last.
    function next(uint64 price, uint56 use) internal pure returns (uint64) {
        if (use > HALF) {
            uint256 raised = price + price * (use - HALF) / (8 * HALF);
            return raised > MOST ? MOST : SafeCast.toUint64(raised);
        }
        uint256 lowered = price - price * (HALF - use) / (8 * HALF);
        return lowered < LEAST ? LEAST : SafeCast.toUint64(lowered);
    }

    /// @notice The price after some steps, in the first of which all the work was leased.
    /// @param price The price in the first step.
    /// @param use The use of it.
    /// @param steps How many steps have ended.
    /// @return The price now.
    function after_(uint64 price, uint56 use, uint256 steps) internal pure returns (uint64) {
        if (steps == 0) return price;
        price = next(price, use);
        // Even the highest price falls to the lowest in 121 steps.
        for (uint256 i = 1; i < steps && price != LEAST; ++i) {
            price = next(price, 0);
        }
        return price;
    }
}
