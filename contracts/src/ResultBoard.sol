// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IJobMarket} from "./market/IJobMarket.sol";
import {Job, Lease, Mode} from "./market/Types.sol";

/// @title Commitments to results, revealed later
/// @notice For races and quorums. Until the job's deadline a provider commits to its result; from then on it reveals.
/// A commitment holds the provider's lease, so that a copied one cannot be revealed by who copied it; and it holds a
/// secret, so that nothing can be read out of it before. Holds no money and decides about none: requestor and validation
/// read it. Of all leases that a provider has in a job, one has a result; none has, once the provider was slashed in it.
contract ResultBoard {
    /// @notice What was committed in a lease.
    struct Result {
        /// `commitmentOf` the lease, the root and a secret.
        bytes32 commitment;
        /// The revealed root; zero before.
        bytes32 root;
        /// Its place among the job's commitments, from 1.
        uint32 place;
    }

    /// @notice How long after the deadline a result can be revealed.
    uint256 public constant REVEAL_TIME = 3 days;

    /// @notice Where leases are.
    IJobMarket public immutable market;

    mapping(bytes32 leaseId => Result) private _results;
    mapping(uint32 job => uint32) private _commitments;
    mapping(uint32 job => mapping(bytes32 root => uint32)) private _votes;
    mapping(uint32 job => mapping(address provider => bool)) private _committed;

    /// @notice The root that a quorum of providers agreed on, zero if none did.
    mapping(uint32 job => bytes32 root) public agreedRoot;

    /// @notice A provider committed to a result.
    event Committed(uint32 indexed job, bytes32 indexed leaseId, bytes32 commitment, uint32 place);
    /// @notice A provider revealed its result.
    event Revealed(uint32 indexed job, bytes32 indexed leaseId, bytes32 indexed root, uint32 place);
    /// @notice Enough providers revealed the same result.
    event Agreed(uint32 indexed job, bytes32 indexed root);

    /// @notice Only the lease's provider may.
    error NotTheProvider(address caller);
    /// @notice The job's mode knows no commitments.
    error WrongMode(Mode mode);
    /// @notice Not the time for this.
    error NotNow();
    /// @notice The provider committed in this job already, or revealed.
    error Already(bytes32 leaseId);
    /// @notice The provider was slashed in this job.
    error SlashedHere(address provider);
    /// @notice Not what was committed to.
    error NotCommitted(bytes32 leaseId);

    /// @param market_ Where leases are.
    constructor(IJobMarket market_) {
        market = market_;
    }

    /// @notice The commitment to a result. Chain, market, job and provider are bound by the lease's id.
    /// @param leaseId The provider's lease.
    /// @param root The Merkle root over the result.
    /// @param secret Keeps the root from being guessed.
    function commitmentOf(bytes32 leaseId, bytes32 root, bytes32 secret) public pure returns (bytes32) {
        return keccak256(abi.encode(leaseId, root, secret));
    }

    /// @notice What a lease committed to and revealed.
    /// @param leaseId The lease.
    function resultOf(bytes32 leaseId) external view returns (Result memory) {
        return _results[leaseId];
    }

    /// @notice Commits to a result, until the job's deadline. Only the lease's provider may, once in a job, so that nobody
    /// has another result ready for when the others' are known.
    /// @param leaseId The lease.
    /// @param commitment `commitmentOf` it.
    function commit(bytes32 leaseId, bytes32 commitment) external {
        (uint32 id, Job memory job) = _jobOf(leaseId);
        if (job.mode == Mode.SpotCheck) revert WrongMode(job.mode);
        if (block.timestamp > job.deadline) revert NotNow();
        if (_committed[id][msg.sender]) revert Already(leaseId);
        _committed[id][msg.sender] = true;
        Result storage result = _results[leaseId];
        uint32 place = ++_commitments[id];
        result.commitment = commitment;
        result.place = place;
        emit Committed(id, leaseId, commitment, place);
    }

    /// @notice Reveals a result, once, in the days after the deadline. Only the lease's provider may. In a quorum, it counts.
    /// @param leaseId The lease.
    /// @param root The Merkle root over the result.
    /// @param secret What the commitment was made with.
    function reveal(bytes32 leaseId, bytes32 root, bytes32 secret) external {
        (uint32 id, Job memory job) = _jobOf(leaseId);
        if (block.timestamp <= job.deadline || block.timestamp > job.deadline + REVEAL_TIME) revert NotNow();
        Result storage result = _results[leaseId];
        if (result.root != 0) revert Already(leaseId);
        if (root == 0 || result.place == 0 || result.commitment != commitmentOf(leaseId, root, secret)) {
            revert NotCommitted(leaseId);
        }
        result.root = root;
        emit Revealed(id, leaseId, root, result.place);
        if (job.mode != Mode.Quorum) return;
        if (++_votes[id][root] == job.quorum && agreedRoot[id] == 0) {
            agreedRoot[id] = root;
            emit Agreed(id, root);
        }
    }

    function _jobOf(bytes32 leaseId) private view returns (uint32 id, Job memory job) {
        Lease memory lease = market.leaseOf(leaseId);
        if (msg.sender != lease.provider) revert NotTheProvider(msg.sender);
        if (market.slashedIn(lease.job, msg.sender)) revert SlashedHere(msg.sender);
        return (lease.job, market.jobOf(lease.job));
    }
}
