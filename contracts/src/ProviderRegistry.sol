// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "./IBurnableToken.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {ITiers} from "./IVerdicts.sol";
import {SlashSplit} from "./SlashSplit.sol";
import {Hardware, Requirement, Tier} from "./market/Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Providers, their machines and their stakes
/// @notice A provider joins with a stake. The market locks parts of it for leases; what is not locked can be taken out
/// after 21 days, during which it can still be slashed. Hardware and price are the provider's own words; the tier is
/// measured, and said by validation.
///
/// Stake leaves in two ways only: to its provider, after unbonding, or in a slash that the market reports. A slash reaches
/// all of it: a lock says what a lease needs of a provider before it is given, it does not keep stake for it. So locks can
/// come to more than the stake; the provider is given no lease then, and takes nothing out.
///
/// Nobody owns this contract. It has no guard against reentrancy and needs none: what it pays, it pays at the very end.
contract ProviderRegistry is IProviderRegistry, ITiers {
    using SafeERC20 for IBurnableToken;

    /// @notice A provider, as it is stored.
    struct Provider {
        /// Without what is unbonding.
        uint96 stake;
        /// What leases have locked, together; more than `stake` after a slash that took of it.
        uint96 locked;
        // `Hardware`, spelt out: a struct within a struct would begin a slot of its own.
        uint8 gpuClass;
        uint8 vramGiB;
        uint8 region;
        Tier tier;
        /// When the tier ends.
        uint32 tierUntil;
        // New slot.
        uint96 unbonding;
        /// When it can be withdrawn.
        uint40 unbondedAt;
        uint64 unitPrice;
        uint32 rate;
    }

    /// @notice The least stake with which a provider is given leases.
    uint96 public constant MIN_STAKE = 1_000 ether;
    /// @notice How long stake waits before it leaves.
    uint256 public constant UNBONDING = 21 days;

    /// @notice The token.
    IBurnableToken public immutable token;
    /// @notice Who locks, unlocks and slashes.
    address public immutable market;
    /// @notice Who attests tiers.
    address public immutable gate;

    /// @inheritdoc IProviderRegistry
    uint256 public totalRate;

    mapping(address provider => Provider) private _providers;

    /// @notice Stake was added.
    event Staked(address indexed provider, uint96 amount);
    /// @notice A provider describes its machine; its tier is unmeasured from here on.
    event HardwareSet(address indexed provider, Hardware hardware);
    /// @notice A provider lists a price of a work unit.
    event PriceSet(address indexed provider, uint64 unitPrice);
    /// @notice Stake left the provider's reach for leases, and can be withdrawn later.
    event Unbonding(address indexed provider, uint96 amount, uint40 unbondedAt);
    /// @notice Stake was withdrawn.
    event Withdrawn(address indexed provider, uint96 amount);
    /// @notice A machine was measured.
    event Attested(address indexed provider, Tier tier, uint32 rate, uint32 until);
    /// @notice Stake was taken. If less than `MIN_STAKE` is left, the tier is unmeasured from here on.
    event Slashed(address indexed provider, uint96 taken, uint96 toRequestor, uint96 toChallenger, uint96 burnt);

    /// @notice Only the market may.
    error NotTheMarket(address caller);
    /// @notice Only the gate of validation may.
    error NotTheGate(address caller);
    /// @notice Nothing to stake, to unbond, to withdraw or to expire.
    error Nothing();
    /// @notice The stake would be above zero and below `MIN_STAKE`.
    error StakeTooSmall(uint96 stake, uint96 least);
    /// @notice More than is free.
    error NotFree(uint96 amount, uint96 free);
    /// @notice It is too early.
    error StillUnbonding(uint40 unbondedAt);
    /// @notice Only who has staked can be attested.
    error NotAProvider(address provider);
    /// @notice The challenger's share is above the cap.
    error ShareAboveCap(uint16 challengerBps);

    /// @param token_ The token.
    /// @param market_ Who will lock, unlock and slash.
    /// @param gate_ Who will attest.
    constructor(IBurnableToken token_, address market_, address gate_) {
        token = token_;
        market = market_;
        gate = gate_;
    }

    modifier onlyMarket() {
        if (msg.sender != market) revert NotTheMarket(msg.sender);
        _;
    }

    // What providers do

    /// @notice Adds stake. The first time, this is how one joins.
    /// @param amount How much; the stake has to be at least `MIN_STAKE` with it.
    function stake(uint96 amount) external {
        if (amount == 0) revert Nothing();
        Provider storage provider = _providers[msg.sender];
        uint96 total = provider.stake + amount;
        if (total < MIN_STAKE) revert StakeTooSmall(total, MIN_STAKE);
        provider.stake = total;
        emit Staked(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Describes the machine. What was measured of another one does not count any more.
    /// @param hardware What it is.
    function setHardware(Hardware calldata hardware) external {
        Provider storage provider = _providers[msg.sender];
        _measure(provider, Tier.Unmeasured, 0, 0);
        provider.gpuClass = hardware.gpuClass;
        provider.vramGiB = hardware.vramGiB;
        provider.region = hardware.region;
        emit HardwareSet(msg.sender, hardware);
    }

    /// @notice Lists a price. Bids say their own; this one is for finding a provider.
    /// @param unitPrice The price of a work unit.
    function setPrice(uint64 unitPrice) external {
        _providers[msg.sender].unitPrice = unitPrice;
        emit PriceSet(msg.sender, unitPrice);
    }

    /// @notice Takes free stake out of the reach of new leases. It can be withdrawn after `UNBONDING`, and slashed until
    /// it is. What was unbonding before waits again with it.
    /// @param amount How much; what stays is at least `MIN_STAKE`, or only what leases have locked.
    function unbond(uint96 amount) external {
        if (amount == 0) revert Nothing();
        Provider storage provider = _providers[msg.sender];
        uint96 free = provider.stake > provider.locked ? provider.stake - provider.locked : 0;
        if (amount > free) revert NotFree(amount, free);
        uint96 left = provider.stake - amount;
        if (left < MIN_STAKE && left > provider.locked) revert StakeTooSmall(left, MIN_STAKE);
        provider.stake = left;
        provider.unbonding += amount;
        uint40 unbondedAt = SafeCast.toUint40(block.timestamp + UNBONDING);
        provider.unbondedAt = unbondedAt;
        if (left < MIN_STAKE) _measure(provider, Tier.Unmeasured, 0, 0);
        emit Unbonding(msg.sender, amount, unbondedAt);
    }

    /// @notice Withdraws what has unbonded.
    function withdraw() external {
        Provider storage provider = _providers[msg.sender];
        uint96 amount = provider.unbonding;
        if (amount == 0) revert Nothing();
        if (block.timestamp < provider.unbondedAt) revert StillUnbonding(provider.unbondedAt);
        provider.unbonding = 0;
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Takes a machine whose attestation has ended out of the total rate. Anybody may.
    /// @param who Whose machine.
    function expire(address who) external {
        Provider storage provider = _providers[who];
        if (provider.rate == 0 || block.timestamp < provider.tierUntil) revert Nothing();
        _measure(provider, Tier.Unmeasured, 0, 0);
        emit Attested(who, Tier.Unmeasured, 0, 0);
    }

    // What validation does

    /// @inheritdoc ITiers
    function attest(address who, Tier tier, uint32 rate, uint32 until) external {
        if (msg.sender != gate) revert NotTheGate(msg.sender);
        Provider storage provider = _providers[who];
        if (provider.stake < MIN_STAKE) revert NotAProvider(who);
        _measure(provider, tier, rate, until);
        emit Attested(who, tier, rate, until);
    }

    // What the market does

    /// @inheritdoc IProviderRegistry
    function lock(address who, uint96 amount, Requirement calldata need) external onlyMarket returns (bool) {
        Provider storage provider = _providers[who];
        (uint96 total, uint96 locked) = (provider.stake, provider.locked);
        if (total < MIN_STAKE || uint256(locked) + amount > total) return false;
        if (provider.gpuClass < need.gpuClass || provider.vramGiB < need.vramGiB) return false;
        if (need.region != 0 && provider.region != need.region) return false;
        if (need.tier != Tier.Unmeasured && (provider.tier < need.tier || provider.tierUntil <= block.timestamp)) {
            return false;
        }
        provider.locked = locked + amount;
        return true;
    }

    /// @inheritdoc IProviderRegistry
    function unlock(address who, uint96 amount) external onlyMarket {
        _providers[who].locked -= amount;
    }

    /// @inheritdoc IProviderRegistry
    function slash(
        address who,
        uint96 locked,
        uint96 amount,
        address requestor,
        uint96 harm,
        address challenger,
        uint16 challengerBps
    ) external onlyMarket returns (uint96 taken) {
        if (challengerBps > SlashSplit.MAX_CHALLENGER_BPS) revert ShareAboveCap(challengerBps);
        taken = _take(who, locked, amount);
        (uint256 toRequestor, uint256 toChallenger, uint256 burnt) =
            SlashSplit.split(taken, harm, challenger == address(0) ? 0 : challengerBps);
        emit Slashed(
            who, taken, SafeCast.toUint96(toRequestor), SafeCast.toUint96(toChallenger), SafeCast.toUint96(burnt)
        );
        if (toRequestor != 0) token.safeTransfer(requestor, toRequestor);
        if (toChallenger != 0) token.safeTransfer(challenger, toChallenger);
        if (burnt != 0) token.burn(burnt);
    }

    // What everybody can see

    /// @notice A provider, as it is stored. Its tier may have ended: `tierOf` knows.
    /// @param who The provider.
    function providerOf(address who) external view returns (Provider memory) {
        return _providers[who];
    }

    /// @notice The tier that a provider has now.
    /// @param who The provider.
    function tierOf(address who) external view returns (Tier) {
        Provider storage provider = _providers[who];
        return provider.tierUntil > block.timestamp ? provider.tier : Tier.Unmeasured;
    }

    function _measure(Provider storage provider, Tier tier, uint32 rate, uint32 until) private {
        if (tier == Tier.Unmeasured) rate = 0;
        totalRate = totalRate - provider.rate + rate;
        provider.rate = rate;
        provider.tier = tier;
        provider.tierUntil = until;
    }

    /// @dev From what is unbonding, which covers no lease, then from the stake; what is left of that covers other leases.
    function _take(address who, uint96 locked, uint96 amount) private returns (uint96) {
        Provider storage provider = _providers[who];
        (uint96 total, uint96 unbonding) = (provider.stake, provider.unbonding);
        uint96 ofUnbonding = amount < unbonding ? amount : unbonding;
        uint96 ofStake = amount - ofUnbonding < total ? amount - ofUnbonding : total;
        provider.locked -= locked;
        provider.stake = total - ofStake;
        provider.unbonding = unbonding - ofUnbonding;
        if (total - ofStake < MIN_STAKE) _measure(provider, Tier.Unmeasured, 0, 0);
        return ofUnbonding + ofStake;
    }
}
