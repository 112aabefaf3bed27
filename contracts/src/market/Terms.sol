// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bid} from "./Types.sol";

/// @title What providers and requestors sign
/// @notice EIP-712 structures. The domain, which the market adds, binds the chain and the market.
/// @dev https://eips.ethereum.org/EIPS/eip-712
library Terms {
    /// @notice The type of a bid.
    bytes32 internal constant BID = keccak256(
        "Bid(uint32 job,address requestor,bytes32 manifest,address provider,uint64 unitPrice,uint40 units,uint88 taskReward,uint40 eta,uint40 expiry,bytes32 salt)"
    );
    /// @notice The type of a voucher.
    bytes32 internal constant VOUCHER = keccak256("Voucher(bytes32 lease,uint96 cumulative)");

    /// @notice The hash of a bid on a job.
    /// @param job The job's id.
    /// @param requestor Whose job it is.
    /// @param manifest The digest of its manifest, so that a bid is good for this requestor and this work alone, also when
    /// a chain is reorganised and ids change their jobs.
    /// @param bid The bid.
    function hashBid(uint32 job, address requestor, bytes32 manifest, Bid calldata bid)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                BID,
                job,
                requestor,
                manifest,
                bid.provider,
                bid.unitPrice,
                bid.units,
                bid.taskReward,
                bid.eta,
                bid.expiry,
                bid.salt
            )
        );
    }

    /// @notice The hash of a voucher.
    /// @param lease The lease's id, which the chain, the market, the job and the provider are bound by.
    /// @param cumulative All that the provider has earned in it, fee included.
    function hashVoucher(bytes32 lease, uint96 cumulative) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER, lease, cumulative));
    }
}
