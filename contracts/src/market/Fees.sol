// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The market's rate, and who is given it
library Fees {
    /// @notice The market's share of what is paid, in hundredths of a per cent.
    uint256 internal constant TAKE_BPS = 500;
    /// @notice The burnt share of the fees.
    uint256 internal constant BURN_BPS = 2_000;
    /// @notice The stakers' share of the fees.
    uint256 internal constant STAKERS_BPS = 3_000;
    /// @notice The community's share of the fees. The pool is given the rest.
    uint256 internal constant COMMUNITY_BPS = 2_000;

    /// @notice The fee on all that was paid in a lease. What one payment owes is the difference of two of these, so that
    /// no splitting of payments changes the sum.
    /// @param cumulative All that was paid, fee included.
    function on(uint256 cumulative) internal pure returns (uint256) {
        return cumulative * TAKE_BPS / 10_000;
    }

    /// @notice Splits the fees.
    /// @param fees All of them.
    /// @return burnt What is burnt.
    /// @return stakers What stakers are given.
    /// @return community What the community is given.
    /// @return pool What the pool is given: the rest, so that nothing is left over.
    function split(uint256 fees)
        internal
        pure
        returns (uint256 burnt, uint256 stakers, uint256 community, uint256 pool)
    {
        burnt = fees * BURN_BPS / 10_000;
        stakers = fees * STAKERS_BPS / 10_000;
        community = fees * COMMUNITY_BPS / 10_000;
        pool = fees - burnt - stakers - community;
    }
}
