// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../IBurnableToken.sol";
import {Fees} from "./Fees.sol";
import {MarketState} from "./MarketState.sol";
import {Job, Lease, LeaseState} from "./Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Payment streams: vouchers pay, settlement ends them
abstract contract Payments is MarketState {
    using SafeERC20 for IBurnableToken;

    /// @notice A provider was paid.
    event Redeemed(bytes32 indexed leaseId, uint96 cumulative, uint96 toProvider);
    /// @notice No voucher pays any more; what the lease did not use is the job's again.
    event Settled(bytes32 indexed leaseId, uint96 redeemed, uint96 unused);

    /// @notice The voucher is for no more than was paid already.
    error NothingNew(uint96 cumulative, uint96 redeemed);
    /// @notice The voucher is for more than the lease's cap.
    error AboveCap(uint96 cumulative, uint96 cap);
    /// @notice Not the signature of the job's signer.
    error WrongSigner(address recovered);

    /// @notice Pays what a voucher says beyond what was paid before. Anybody may; the provider is paid. Possible until
    /// the lease is settled or slashed, also while it is disputed.
    /// @param leaseId The lease.
    /// @param cumulative All that the provider has earned in it, fee included.
    /// @param v The recovery id of the signature, 27 or 28.
    /// @param r Its r.
    /// @param s Its s, the lower of the two possible.
    function redeem(bytes32 leaseId, uint96 cumulative, uint8 v, bytes32 r, bytes32 s) external nonReentrant {
        Lease storage lease = _leases[leaseId];
        _requireOpen(leaseId, lease.state);
        if (cumulative > lease.cap) revert AboveCap(cumulative, lease.cap);
        address signer = ECDSA.recover(voucherDigest(leaseId, cumulative), v, r, s);
        if (signer != _jobs[lease.job].signer) revert WrongSigner(signer);
        uint96 redeemed = lease.redeemed;
        if (cumulative <= redeemed) revert NothingNew(cumulative, redeemed);
        _pay(leaseId, lease, redeemed, cumulative);
    }

    /// @notice Ends a lease: vouchers lapse, the stake is free, the unused part of the cap is the job's again. Anybody
    /// may, from `settlesFrom` on, if no dispute waits for its ruling.
    /// @param leaseId The lease.
    function settle(bytes32 leaseId) external nonReentrant {
        Lease storage lease = _leases[leaseId];
        LeaseState state = lease.state;
        _requireOpen(leaseId, state);
        uint256 from = settlesFrom(lease.job);
        bool disputed = state == LeaseState.DisputedByProvider || state == LeaseState.DisputedByRequestor;
        if (disputed && lease.since + RULING_TIME > from) from = lease.since + RULING_TIME;
        if (block.timestamp < from) revert TooEarly(from);

        _end(leaseId, lease, LeaseState.Settled);
        registry.unlock(lease.provider, _lockOf(lease));
        // Nobody ruled: who opened the dispute has the bond back.
        if (disputed) {
            token.safeTransfer(
                state == LeaseState.DisputedByProvider ? lease.provider : _jobs[lease.job].requestor, lease.taskReward
            );
        }
    }

    /// @dev No voucher pays any more. `state` is `Settled` or `Closed`.
    function _end(bytes32 leaseId, Lease storage lease, LeaseState state) internal {
        Job storage job = _jobs[lease.job];
        uint96 unused = lease.cap - lease.redeemed;
        job.free += unused;
        --job.openLeases;
        lease.state = state;
        lease.since = SafeCast.toUint32(block.timestamp);
        emit Settled(leaseId, lease.redeemed, unused);
    }

    /// @dev Pays the difference of two cumulative sums. The fee is the difference of their fees.
    function _pay(bytes32 leaseId, Lease storage lease, uint96 redeemed, uint96 cumulative) internal {
        uint96 fee = SafeCast.toUint96(Fees.on(cumulative) - Fees.on(redeemed));
        uint96 toProvider = cumulative - redeemed - fee;
        lease.redeemed = cumulative;
        _account.fees += fee;
        emit Redeemed(leaseId, cumulative, toProvider);
        token.safeTransfer(lease.provider, toProvider);
    }

    function _lockOf(Lease storage lease) internal view returns (uint96) {
        return uint96(lease.taskReward) * LOCK_FACTOR;
    }

    function _requireOpen(bytes32 leaseId, LeaseState state) internal pure {
        if (state == LeaseState.None || state == LeaseState.Settled || state == LeaseState.Closed) {
            revert WrongState(leaseId, state);
        }
    }
}
