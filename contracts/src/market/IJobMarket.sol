// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Job, Lease} from "./Types.sol";

/// @title What other contracts read of the market
interface IJobMarket {
    /// @notice A job; all zero if there is none.
    /// @param job Its id.
    function jobOf(uint32 job) external view returns (Job memory);

    /// @notice A lease; all zero if there is none.
    /// @param leaseId Its id.
    function leaseOf(bytes32 leaseId) external view returns (Lease memory);

    /// @notice Whether a provider was slashed for a lease in a job.
    /// @param job The job's id.
    /// @param provider The provider.
    function slashedIn(uint32 job, address provider) external view returns (bool);
}
