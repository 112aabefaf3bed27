// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../IBurnableToken.sol";
import {IRulings} from "../IVerdicts.sol";
import {Payments} from "./Payments.sol";
import {Job, Lease, LeaseState, Ruling} from "./Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Disputes, and what rulings do
/// @notice A ruling can pay the provider out of its own lease, give it of the requestor's deposit, and take of its
/// stake. It can move no other money. A lease has one dispute, one ruling about its money and one slash, which ends it.
abstract contract Rulings is Payments, IRulings {
    using SafeERC20 for IBurnableToken;

    /// @notice How long after its settlement a lease can still be slashed: as long as stake unbonds.
    uint256 public constant SLASH_WINDOW = 21 days;

    /// @notice Who hands rulings in.
    address public immutable gate;

    /// @notice Whether a provider was slashed for a lease in a job.
    mapping(uint32 job => mapping(address provider => bool)) public slashedIn;

    /// @notice A dispute waits for its ruling.
    event Disputed(bytes32 indexed leaseId, address indexed by, uint96 bond);
    /// @notice A lease was ruled on.
    event Ruled(bytes32 indexed leaseId, uint96 paid, uint96 forfeited, uint96 slashed);

    /// @notice Only the lease's provider and the job's requestor may.
    error NotAParty(address caller);
    /// @notice Only the gate of validation may.
    error NotTheGate(address caller);
    /// @notice A lease that is settled or was ruled on can be slashed, and nothing else, and a settled one not for ever.
    error OnlyASlash(bytes32 leaseId);

    /// @notice Opens a dispute, with a bond of one task's reward: no side ever risks more than that. Only the provider
    /// and the requestor may, once, until the lease is ruled on or settled. Without a ruling it lapses after `RULING_TIME`.
    /// @param leaseId The lease.
    function dispute(bytes32 leaseId) external nonReentrant {
        Lease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Active) revert WrongState(leaseId, lease.state);
        if (msg.sender == lease.provider) lease.state = LeaseState.DisputedByProvider;
        else if (msg.sender == _jobs[lease.job].requestor) lease.state = LeaseState.DisputedByRequestor;
        else revert NotAParty(msg.sender);
        lease.since = SafeCast.toUint32(block.timestamp);
        uint96 bond = lease.taskReward;
        emit Disputed(leaseId, msg.sender, bond);
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @inheritdoc IRulings
    function rule(bytes32 leaseId, Ruling calldata ruling) external nonReentrant {
        if (msg.sender != gate) revert NotTheGate(msg.sender);
        Lease storage lease = _leases[leaseId];
        LeaseState state = lease.state;
        if (state == LeaseState.None || state == LeaseState.Closed) revert WrongState(leaseId, state);
        bool settled = state == LeaseState.Settled;
        bool late = settled && block.timestamp > lease.since + SLASH_WINDOW;
        bool slashOnly = settled || state == LeaseState.Ruled;
        if (late || (slashOnly && ruling.slash == 0)) revert OnlyASlash(leaseId);

        (uint96 paid, uint96 forfeited) = slashOnly ? (uint96(0), uint96(0)) : _decide(leaseId, lease, state, ruling);
        uint96 slashed = ruling.slash == 0 ? 0 : _slash(leaseId, lease, settled, ruling);
        emit Ruled(leaseId, paid, forfeited, slashed);
    }

    /// @dev What a lease's first ruling does with the money in the market.
    function _decide(bytes32 leaseId, Lease storage lease, LeaseState state, Ruling calldata ruling)
        private
        returns (uint96 paid, uint96 forfeited)
    {
        Job storage job = _jobs[lease.job];
        address provider = lease.provider;
        lease.state = LeaseState.Ruled;
        lease.since = SafeCast.toUint32(block.timestamp);

        uint96 redeemed = lease.redeemed;
        uint96 earned = ruling.earned < lease.cap ? ruling.earned : lease.cap;
        forfeited = ruling.forfeit < job.deposit ? ruling.forfeit : job.deposit;
        job.deposit -= forfeited;
        if (earned > redeemed) {
            paid = earned - redeemed;
            _pay(leaseId, lease, redeemed, earned);
        }
        if (forfeited != 0) token.safeTransfer(provider, forfeited);
        if (state != LeaseState.Active) {
            token.safeTransfer(ruling.providerIsRight ? provider : job.requestor, lease.taskReward);
        }
    }

    /// @dev Ends the lease, so that no voucher is held back over the slash: the requestor is made whole up to what was
    /// paid in it.
    function _slash(bytes32 leaseId, Lease storage lease, bool settled, Ruling calldata ruling)
        private
        returns (uint96)
    {
        if (settled) lease.state = LeaseState.Closed;
        else _end(leaseId, lease, LeaseState.Closed);
        slashedIn[lease.job][lease.provider] = true;
        return registry.slash(
            lease.provider,
            settled ? 0 : _lockOf(lease),
            ruling.slash,
            _jobs[lease.job].requestor,
            lease.redeemed,
            ruling.challenger,
            ruling.challengerBps
        );
    }
}
