// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ruling, Tier} from "./market/Types.sol";

/// @title Where tiers are attested
interface ITiers {
    /// @notice Says how a provider's machine measured up.
    /// @param provider Whose machine.
    /// @param tier How it measured up; `Unmeasured` takes an attestation back.
    /// @param rate Its speed, in thousandths of the reference machine.
    /// @param until When the attestation ends.
    function attest(address provider, Tier tier, uint32 rate, uint32 until) external;
}

/// @title Where leases are ruled on
interface IRulings {
    /// @notice Rules on a lease: once on its money, and until a slash, which is the last.
    /// @param leaseId The lease.
    /// @param ruling What was decided.
    function rule(bytes32 leaseId, Ruling calldata ruling) external;
}

/// @title Everything that validation can decide
/// @notice The whole of its power over money: a tier, and of each lease its money once and one slash.
interface IVerdicts is ITiers, IRulings {}
