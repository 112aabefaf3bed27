// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRulings, ITiers, IVerdicts} from "./IVerdicts.sol";
import {Ruling, Tier} from "./market/Types.sol";

/// @title The one door through which validation's decisions reach money
/// @notice Holds the role of validation and passes its verdicts on: tiers to the registry, rulings to the market. The
/// governor appoints who has the role next, and that takes effect after a delay that is longer than it takes to leave the
/// network with all stake, and soon after it or not at all: no appointment is kept ready for those who join later.
contract ValidationGate is IVerdicts {
    /// @notice How long an appointment waits: 30 days of a job, 7 in which its requestor may still close it, 7 until it
    /// is settled, 21 of a dispute, 21 of unbonding, and 4 to notice it.
    uint256 public constant APPOINTMENT_DELAY = 90 days;
    /// @notice How long it can be carried out then.
    uint256 public constant APPOINTMENT_WINDOW = 14 days;

    /// @notice Who appoints. Can do nothing else.
    address public immutable governor;
    /// @notice Where tiers go.
    ITiers public immutable registry;
    /// @notice Where rulings go.
    IRulings public immutable market;

    /// @notice Who has the role of validation.
    address public validation;
    /// @notice Who will have it.
    address public appointed;
    /// @notice From when on; 0 if nobody is appointed.
    uint256 public appointedFrom;

    /// @notice Somebody will have the role.
    /// @param validation Who.
    /// @param from From when on.
    event Appointed(address indexed validation, uint256 from);

    /// @notice Somebody has the role.
    /// @param validation Who.
    event Installed(address indexed validation);

    /// @notice Only the governor appoints.
    error NotTheGovernor(address caller);

    /// @notice Only the holder of the role decides.
    error NotValidation(address caller);

    /// @notice Nobody is appointed, or it is too early or too late.
    error NotNow(uint256 from, uint256 until);

    /// @param governor_ Who appoints.
    /// @param validation_ Who has the role at first; zero if nobody.
    /// @param registry_ Where tiers go.
    /// @param market_ Where rulings go.
    constructor(address governor_, address validation_, ITiers registry_, IRulings market_) {
        validation = validation_;
        governor = governor_;
        registry = registry_;
        market = market_;
    }

    modifier onlyValidation() {
        if (msg.sender != validation) revert NotValidation(msg.sender);
        _;
    }

    /// @notice Appoints who will have the role, in place of an appointment that waits. Only the governor may.
    /// @param next Who.
    function appoint(address next) external {
        if (msg.sender != governor) revert NotTheGovernor(msg.sender);
        uint256 from = block.timestamp + APPOINTMENT_DELAY;
        appointed = next;
        appointedFrom = from;
        emit Appointed(next, from);
    }

    /// @notice Gives the role to who was appointed, within `APPOINTMENT_WINDOW` after the delay. Anybody may.
    function install() external {
        (uint256 from, uint256 until) = (appointedFrom, appointedFrom + APPOINTMENT_WINDOW);
        if (from == 0 || block.timestamp < from || block.timestamp > until) revert NotNow(from, until);
        validation = appointed;
        appointedFrom = 0;
        emit Installed(validation);
    }

    /// @inheritdoc ITiers
    function attest(address provider, Tier tier, uint32 rate, uint32 until) external onlyValidation {
        registry.attest(provider, tier, rate, until);
    }

    /// @inheritdoc IRulings
    function rule(bytes32 leaseId, Ruling calldata ruling) external onlyValidation {
        market.rule(leaseId, ruling);
    }
}
