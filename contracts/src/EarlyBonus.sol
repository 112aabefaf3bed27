// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "./IBurnableToken.sol";
import {Fees} from "./market/Fees.sol";
import {IJobMarket} from "./market/IJobMarket.sol";
import {Lease, LeaseState} from "./market/Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title A bonus for early providers
/// @notice A settled lease without a slash earns its provider a share of the fees that were paid in it: half at the
/// launch, falling in a straight line to nothing after two years. It is paid out of what this contract was given, and is
/// capped for each provider.
///
/// Half of the fees is the most, and stakers are given less than a third of them: whoever hires themself pays more than
/// comes back.
contract EarlyBonus {
    using SafeERC20 for IBurnableToken;

    /// @notice The share of the fees at the launch, in hundredths of a per cent.
    uint256 public constant FIRST_BPS = 5_000;
    /// @notice How long it takes to fall to nothing.
    uint256 public constant DURATION = 730 days;
    /// @notice The most that one provider is given.
    uint256 public constant PROVIDER_CAP = 100_000 ether;
    /// @notice A lease earns its bonus when it cannot be slashed any more.
    uint256 public constant WAIT = 21 days;

    /// @notice The token.
    IBurnableToken public immutable token;
    /// @notice Where leases are.
    IJobMarket public immutable market;
    /// @notice When it began.
    uint256 public immutable launch;

    /// @notice Whether a lease had its bonus.
    mapping(bytes32 leaseId => bool) public claimed;
    /// @notice What a provider was given.
    mapping(address provider => uint256) public given;

    /// @notice A bonus was paid.
    event BonusPaid(bytes32 indexed leaseId, address indexed provider, uint256 amount);
    /// @notice What was left over was burnt.
    event Retired(uint256 burnt);

    /// @notice The lease was not settled, or was slashed.
    error NotEligible(bytes32 leaseId);
    /// @notice It is too early.
    error TooEarly(uint256 from);
    /// @notice The lease had its bonus, or there is none.
    error Nothing(bytes32 leaseId);

    /// @param token_ The token.
    /// @param market_ Where leases are.
    constructor(IBurnableToken token_, IJobMarket market_) {
        token = token_;
        market = market_;
        launch = block.timestamp;
    }

    /// @notice The share of the fees that a lease settled at some time earns, in hundredths of a per cent.
    /// @param settledAt When.
    function shareAt(uint256 settledAt) public view returns (uint256) {
        if (settledAt >= launch + DURATION) return 0;
        return FIRST_BPS * (launch + DURATION - settledAt) / DURATION;
    }

    /// @notice Pays a lease's bonus to its provider, once. Anybody may. Where less is left here than that, the transfer
    /// fails and the claim stays.
    /// @param leaseId The lease.
    /// @return amount What was paid.
    function claim(bytes32 leaseId) external returns (uint256 amount) {
        Lease memory lease = market.leaseOf(leaseId);
        if (lease.state != LeaseState.Settled) revert NotEligible(leaseId);
        uint256 from = lease.since + WAIT;
        if (block.timestamp <= from) revert TooEarly(from);
        if (claimed[leaseId]) revert Nothing(leaseId);
        amount = Fees.on(lease.redeemed) * shareAt(lease.since) / 10_000;
        uint256 room = PROVIDER_CAP - given[lease.provider];
        if (amount > room) amount = room;
        if (amount == 0) revert Nothing(leaseId);
        claimed[leaseId] = true;
        given[lease.provider] += amount;
        emit BonusPaid(leaseId, lease.provider, amount);
        token.safeTransfer(lease.provider, amount);
    }

    /// @notice Burns what is left half a year after the last lease could earn anything. Anybody may.
    function retire() external {
        uint256 from = launch + DURATION + 180 days;
        if (block.timestamp < from) revert TooEarly(from);
        uint256 left = token.balanceOf(address(this));
        emit Retired(left);
        token.burn(left);
    }
}
