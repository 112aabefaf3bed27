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
/// stake. It can move no other money, and there is one a lease.
abstract contract Rulings is Payments, IRulings {
    using SafeERC20 for IBurnableToken;

    /// @notice How long after its settlement a lease can still be ruled on, to slash: as long as stake unbonds.
    uint256 public constant SLASH_WINDOW = 21 days;

    /// @notice Who hands rulings in.
    address public immutable gate;

    /// @notice A dispute waits for its ruling.
    event Disputed(bytes32 indexed leaseId, address indexed by, uint96 bond);
    /// @notice A lease was ruled on.
    event Ruled(bytes32 indexed leaseId, uint96 paid, uint96 forfeited, uint96 slashed);

    /// @notice Only the lease's provider and the job's requestor may.
    error NotAParty(address caller);
    /// @notice Only the gate of validation may.
    error NotTheGate(address caller);
    /// @notice A settled lease can be slashed, and nothing else, and not for ever.
    error OnlyASlash(bytes32 leaseId);

    /// @notice Opens a dispute, with a bond of one task's reward: no side ever risks more than that. Only the provider
    /// and the requestor may, until the lease is settled. Without a ruling it lapses after `RULING_TIME`.
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
        if (state == LeaseState.Settled) {
            _ruleLate(leaseId, lease, ruling);
        } else if (state == LeaseState.None || state == LeaseState.Ruled || state == LeaseState.Closed) {
            revert WrongState(leaseId, state);
        } else {
            _rule(leaseId, lease, state, ruling);
        }
    }

    function _rule(bytes32 leaseId, Lease storage lease, LeaseState state, Ruling calldata ruling) private {
        Job storage job = _jobs[lease.job];
        address provider = lease.provider;
        lease.state = LeaseState.Ruled;
        lease.since = SafeCast.toUint32(block.timestamp);

        uint96 redeemed = lease.redeemed;
        uint96 earned = ruling.earned < lease.cap ? ruling.earned : lease.cap;
        uint96 forfeited = ruling.forfeit < job.deposit ? ruling.forfeit : job.deposit;
        job.deposit -= forfeited;
        if (earned > redeemed) _pay(leaseId, lease, redeemed, earned);
        if (forfeited != 0) token.safeTransfer(provider, forfeited);
        if (state != LeaseState.Active) {
            bool toProvider = (state == LeaseState.DisputedByProvider) == ruling.openerIsRight;
            token.safeTransfer(toProvider ? provider : job.requestor, lease.taskReward);
        }
        uint96 slashed = _slash(lease, _lockOf(lease), ruling);
        emit Ruled(leaseId, earned > redeemed ? earned - redeemed : 0, forfeited, slashed);
    }

    function _ruleLate(bytes32 leaseId, Lease storage lease, Ruling calldata ruling) private {
        bool late = block.timestamp > lease.since + SLASH_WINDOW;
        if (late || ruling.earned != 0 || ruling.forfeit != 0) revert OnlyASlash(leaseId);
        lease.state = LeaseState.Closed;
        emit Ruled(leaseId, 0, 0, _slash(lease, 0, ruling));
    }

    /// @dev The lock is free afterwards. The requestor is made whole up to what was paid in the lease.
    function _slash(Lease storage lease, uint96 locked, Ruling calldata ruling) private returns (uint96) {
        return registry.slash(
            lease.provider,
            locked,
            ruling.slash,
            _jobs[lease.job].requestor,
            lease.redeemed,
            ruling.challenger,
            ruling.challengerBps
        );
    }
}
