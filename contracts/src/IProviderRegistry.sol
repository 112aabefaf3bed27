// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Requirement} from "./market/Types.sol";

/// @title What the market asks of the registry
interface IProviderRegistry {
    /// @notice Locks stake of a provider that meets a requirement. Only the market may.
    /// @param provider Whose stake.
    /// @param amount How much.
    /// @param need What it has to meet.
    /// @return Whether it was locked; if not, nothing changed.
    function lock(address provider, uint96 amount, Requirement calldata need) external returns (bool);

    /// @notice Gives locked stake free again. Only the market may.
    /// @param provider Whose stake.
    /// @param amount How much.
    function unlock(address provider, uint96 amount) external;

    /// @notice Takes stake for a fault: what is unbonding, then the rest, whatever leases have locked of it. What this
    /// lease had locked is free afterwards; what others have locked stays so. Only the market may.
    /// @param provider Whose stake.
    /// @param locked What the lease has locked.
    /// @param amount How much to take, at most.
    /// @param requestor Who is made whole first.
    /// @param harm What they lost.
    /// @param challenger Who found the fault, or zero.
    /// @param challengerBps Their share, at most 3,000 hundredths of a per cent.
    /// @return taken How much was taken.
    function slash(
        address provider,
        uint96 locked,
        uint96 amount,
        address requestor,
        uint96 harm,
        address challenger,
        uint16 challengerBps
    ) external returns (uint96 taken);

    /// @notice The speed of all measured machines together, in thousandths of the reference machine.
    function totalRate() external view returns (uint256);
}
