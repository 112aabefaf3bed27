// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../IBurnableToken.sol";
import {IProviderRegistry} from "../IProviderRegistry.sol";
import {BasePrice} from "./BasePrice.sol";
import {Terms} from "./Terms.sol";
import {Bid, Job, Lease, LeaseState} from "./Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title What the market keeps
/// @notice Its storage, and the rules about time that several parts share. All money here is counted: the free escrow
/// and deposits of jobs, the unpaid caps and bonds of leases, and the fees. What somebody sends besides that counts for
/// nothing.
abstract contract MarketState is EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IBurnableToken;

    /// @notice Fees and the base price, in one slot, which is never zero.
    struct Account {
        /// Fees that were not distributed yet.
        uint96 fees;
        /// The price of a work unit in the step that began at `stepAt`.
        uint64 price;
        /// How much of the network is used in that step, in parts of `BasePrice.FULL`.
        uint56 use;
        uint40 stepAt;
    }

    /// @notice The longest that a job can run.
    uint256 public constant MAX_DURATION = 30 days;
    /// @notice How long vouchers are good after a job's end, and nothing is refunded.
    uint256 public constant SETTLE_DELAY = 7 days;
    /// @notice How long a dispute waits for its ruling.
    uint256 public constant RULING_TIME = 21 days;
    /// @notice The requestor's deposit, in hundredths of a per cent of the escrow, rounded up.
    uint256 public constant DEPOSIT_BPS = 500;
    /// @notice How many rewards of one task are locked of a provider's stake.
    uint96 public constant LOCK_FACTOR = 40;

    /// @notice The token.
    IBurnableToken public immutable token;
    /// @notice Where stakes are.
    IProviderRegistry public immutable registry;

    /// @notice How many jobs there were. Their ids are 1 to this number.
    uint32 public jobCount;

    Account internal _account;
    mapping(uint32 job => Job) internal _jobs;
    mapping(bytes32 leaseId => Lease) internal _leases;

    /// @notice There is no such job.
    error NoSuchJob(uint32 job);
    /// @notice The lease is in a state in which this cannot be done.
    error WrongState(bytes32 leaseId, LeaseState state);
    /// @notice Only the requestor of the job may.
    error NotTheRequestor(address caller);
    /// @notice It is too early.
    error TooEarly(uint256 from);

    /// @notice A job.
    /// @param job Its id.
    function jobOf(uint32 job) external view returns (Job memory) {
        return _jobs[job];
    }

    /// @notice A lease.
    /// @param leaseId Its id: the digest of its bid.
    function leaseOf(bytes32 leaseId) external view returns (Lease memory) {
        return _leases[leaseId];
    }

    /// @notice The fees that wait to be distributed, and the base price and the use of the step that was begun last.
    function account() external view returns (Account memory) {
        return _account;
    }

    /// @notice The base price of a work unit now. No job is taken whose price cap is below it. It binds no bid: providers
    /// may ask for less.
    function basePrice() public view returns (uint64) {
        (uint64 price,) = _priceNow();
        return price;
    }

    /// @notice From when on a job's leases can be settled and its escrow refunded: seven days after its deadline or its
    /// closing, whichever is later. Disputes are not in this.
    /// @param job The job's id.
    function settlesFrom(uint32 job) public view returns (uint256) {
        Job storage stored = _jobs[job];
        if (stored.requestor == address(0)) revert NoSuchJob(job);
        uint256 end = stored.deadline > stored.closedAt ? stored.deadline : stored.closedAt;
        return end + SETTLE_DELAY;
    }

    /// @notice What a bid has to be signed as, which is also the id of the lease that it becomes.
    /// @param job The job's id.
    /// @param bid The bid; its signature is not looked at.
    function leaseIdOf(uint32 job, Bid calldata bid) public view returns (bytes32) {
        Job storage stored = _jobs[job];
        if (stored.requestor == address(0)) revert NoSuchJob(job);
        return _hashTypedDataV4(Terms.hashBid(job, stored.requestor, stored.manifest, bid));
    }

    /// @notice What a voucher has to be signed as.
    /// @param leaseId The lease.
    /// @param cumulative All that the provider has earned in it, fee included.
    function voucherDigest(bytes32 leaseId, uint96 cumulative) public view returns (bytes32) {
        return _hashTypedDataV4(Terms.hashVoucher(leaseId, cumulative));
    }

    function _priceNow() internal view returns (uint64 price, uint256 steps) {
        Account storage stored = _account;
        steps = (block.timestamp - stored.stepAt) / BasePrice.STEP;
        price = BasePrice.after_(stored.price, stored.use, steps);
    }

    /// @dev Closes the steps that have ended.
    function _closeSteps() internal returns (uint64) {
        (uint64 price, uint256 steps) = _priceNow();
        if (steps != 0) {
            _account.price = price;
            _account.stepAt += SafeCast.toUint40(steps * BasePrice.STEP);
            _account.use = 0;
        }
        return price;
    }
}
