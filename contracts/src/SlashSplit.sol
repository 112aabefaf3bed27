// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Who is given what was slashed
library SlashSplit {
    /// @notice The largest share of a challenger, in hundredths of a per cent.
    uint256 internal constant MAX_CHALLENGER_BPS = 3_000;

    /// @notice Splits a slash: the requestor is made whole first, then the challenger is paid, the rest is burnt.
    /// @param taken What was slashed.
    /// @param harm What the requestor lost at most.
    /// @param challengerBps The challenger's share of what was slashed, at most `MAX_CHALLENGER_BPS`.
    /// @return toRequestor What the requestor is given.
    /// @return toChallenger What the challenger is given.
    /// @return burnt The rest.
    function split(uint256 taken, uint256 harm, uint256 challengerBps)
        internal
        pure
        returns (uint256 toRequestor, uint256 toChallenger, uint256 burnt)
    {
        toRequestor = taken < harm ? taken : harm;
        uint256 rest = taken - toRequestor;
        toChallenger = taken * challengerBps / 10_000;
        if (toChallenger > rest) toChallenger = rest;
        burnt = rest - toChallenger;
    }
}
