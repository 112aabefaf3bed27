// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BasePrice} from "./BasePrice.sol";
import {MarketState} from "./MarketState.sol";
import {Terms} from "./Terms.sol";
import {Bid, Job, Lease, LeaseState, Requirement} from "./Types.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title The reverse auction: signed bids become leases
abstract contract Awards is MarketState {
    /// @notice Why a bid was passed over.
    enum Skipped {
        /// It became a lease before, or was taken back.
        Used,
        /// Its time is over.
        Expired,
        /// It asks for more than the job pays for a work unit.
        AbovePriceCap,
        /// Its cap is smaller than the reward of one task, or that is zero.
        Malformed,
        /// More than is left of the escrow.
        AboveEscrow,
        /// Not the provider's signature.
        WrongSignature,
        /// The provider has too little free stake, or not the machine that the job needs.
        ProviderUnfit
    }

    /// @notice A bid became a lease.
    event Awarded(uint32 indexed job, address indexed provider, bytes32 indexed leaseId, uint96 cap);
    /// @notice A bid was passed over; the others in the batch were not.
    event BidSkipped(uint32 indexed job, bytes32 indexed leaseId, Skipped why);

    /// @notice A provider took its bid back.
    event BidCancelled(uint32 indexed job, bytes32 indexed leaseId);

    /// @notice Only who bids can take the bid back.
    error NotTheBidder(address caller);
    /// @notice The job takes no more leases.
    error NotOpen(uint32 job);

    /// @notice Makes leases of bids. Only the requestor may. A bid that cannot become one is passed over, so that no
    /// bidder can stop the others.
    /// @param job The job's id.
    /// @param bids The bids with their signatures.
    /// @return awarded How many became leases.
    function award(uint32 job, Bid[] calldata bids) external nonReentrant returns (uint32 awarded) {
        Job storage stored = _jobs[job];
        if (msg.sender != stored.requestor) revert NotTheRequestor(msg.sender);
        if (stored.closedAt != 0 || block.timestamp > stored.deadline) revert NotOpen(job);

        Requirement memory need = Requirement(stored.gpuClass, stored.vramGiB, stored.region, stored.tier);
        Auction memory auction = Auction(job, stored.manifest, stored.priceCap, stored.free, need, _closeSteps(), 0);
        for (uint256 i = 0; i < bids.length; ++i) {
            if (_award(auction, bids[i])) ++awarded;
        }
        if (awarded == 0) return 0;

        stored.free = auction.free;
        stored.openLeases += awarded;
        uint96 priority = stored.priority;
        if (priority != 0) {
            stored.priority = 0;
            _account.fees += priority;
        }
        _account.use = BasePrice.add(_account.use, auction.units, registry.totalRate());
    }

    /// @notice Takes a bid back: it becomes no lease any more. Only its provider may, as long as it is none. Unbonding what
    /// is free takes all bids back only where the locks that stay are below the registry's `MIN_STAKE`; else a bid is good
    /// again as soon as a lease's end sets stake free.
    /// @param job The job's id.
    /// @param bid The bid; its signature is not looked at.
    function cancelBid(uint32 job, Bid calldata bid) public {
        if (msg.sender != bid.provider) revert NotTheBidder(msg.sender);
        bytes32 leaseId = leaseIdOf(job, bid);
        Lease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.None) revert WrongState(leaseId, lease.state);
        // Of no job, so that nobody takes it for a lease that was.
        (lease.provider, lease.state) = (msg.sender, LeaseState.Closed);
        emit BidCancelled(job, leaseId);
    }

    /// @notice Takes bids back, on any jobs. Those that are leases, or were taken back before, are passed over.
    /// @param jobs The job of each.
    /// @param bids The bids; their signatures are not looked at.
    function cancelBids(uint32[] calldata jobs, Bid[] calldata bids) external {
        for (uint256 i = 0; i < bids.length; ++i) {
            if (_leases[leaseIdOf(jobs[i], bids[i])].state == LeaseState.None) cancelBid(jobs[i], bids[i]);
        }
    }

    /// @dev What a batch needs of its job, and what it uses up.
    struct Auction {
        uint32 job;
        bytes32 manifest;
        uint64 priceCap;
        uint96 free;
        Requirement need;
        uint64 basePrice;
        uint256 units;
    }

    function _award(Auction memory auction, Bid calldata bid) private returns (bool) {
        bytes32 leaseId = _hashTypedDataV4(Terms.hashBid(auction.job, msg.sender, auction.manifest, bid));
        uint256 cap = uint256(bid.unitPrice) * bid.units;
        if (_leases[leaseId].provider != address(0)) return _skip(auction, leaseId, Skipped.Used);
        if (block.timestamp > bid.expiry) return _skip(auction, leaseId, Skipped.Expired);
        if (bid.unitPrice > auction.priceCap) return _skip(auction, leaseId, Skipped.AbovePriceCap);
        if (bid.taskReward == 0 || bid.taskReward > cap) return _skip(auction, leaseId, Skipped.Malformed);
        if (cap > auction.free) return _skip(auction, leaseId, Skipped.AboveEscrow);
        if (!_signedBy(bid.provider, leaseId, bid.v, bid.r, bid.s)) {
            return _skip(auction, leaseId, Skipped.WrongSignature);
        }
        // 40 rewards of 88 bits have 94 bits.
        if (!registry.lock(bid.provider, uint96(bid.taskReward) * LOCK_FACTOR, auction.need)) {
            return _skip(auction, leaseId, Skipped.ProviderUnfit);
        }

        // The cap is no more than the escrow, which has 96 bits.
        auction.free -= SafeCast.toUint96(cap);
        // As much work as the base price buys for the cap: offers of much for nothing do not move the price.
        uint256 bought = cap / auction.basePrice;
        auction.units += bought < bid.units ? bought : bid.units;
        _leases[leaseId] = Lease({
            provider: bid.provider,
            redeemed: 0,
            cap: SafeCast.toUint96(cap),
            taskReward: bid.taskReward,
            job: auction.job,
            since: SafeCast.toUint32(block.timestamp),
            state: LeaseState.Active
        });
        emit Awarded(auction.job, bid.provider, leaseId, SafeCast.toUint96(cap));
        return true;
    }

    function _skip(Auction memory auction, bytes32 leaseId, Skipped why) private returns (bool) {
        emit BidSkipped(auction.job, leaseId, why);
        return false;
    }

    /// @dev Of the two signatures that are equally good to `ecrecover`, OpenZeppelin takes the one with the low s only.
    function _signedBy(address signer, bytes32 digest, uint8 v, bytes32 r, bytes32 s) internal pure returns (bool) {
        (address recovered, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, v, r, s);
        return problem == ECDSA.RecoverError.NoError && recovered == signer;
    }
}
