// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../IBurnableToken.sol";
import {MarketState} from "./MarketState.sol";
import {Job, JobTerms, Mode} from "./Types.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Jobs: money in, and what is left of it out again
abstract contract JobEscrow is MarketState {
    using SafeERC20 for IBurnableToken;

    /// @notice A job was created and is paid for.
    event JobCreated(
        uint32 indexed job, address indexed requestor, bytes32 indexed manifest, JobTerms terms, uint96 deposit
    );
    /// @notice The requestor wants no more leases.
    event JobClosed(uint32 indexed job, uint40 closedAt);
    /// @notice Money went back to the requestor.
    event Refunded(uint32 indexed job, address indexed requestor, uint96 amount);

    /// @notice The deadline has passed, or is more than `MAX_DURATION` away.
    error WrongDeadline(uint40 deadline);
    /// @notice A job needs an escrow, a manifest and a key that signs.
    error IncompleteTerms();
    /// @notice A quorum is 2 or more, and exists in its mode alone.
    error WrongQuorum(uint8 quorum);
    /// @notice The price cap is below the base price.
    error BelowBasePrice(uint64 priceCap, uint64 basePrice);
    /// @notice The job is closed.
    error AlreadyClosed(uint32 job);
    /// @notice Nothing is there to refund.
    error NothingToRefund(uint32 job);

    /// @notice Creates a job and locks its escrow, the requestor's deposit and the priority fee.
    /// @param terms What is asked for.
    /// @return job Its id, one above that of the last.
    function createJob(JobTerms calldata terms) external nonReentrant returns (uint32 job) {
        if (terms.deadline <= block.timestamp || terms.deadline > block.timestamp + MAX_DURATION) {
            revert WrongDeadline(terms.deadline);
        }
        if (terms.escrow == 0 || terms.manifest == 0 || terms.signer == address(0)) revert IncompleteTerms();
        if (terms.mode == Mode.Quorum ? terms.quorum < 2 : terms.quorum != 0) revert WrongQuorum(terms.quorum);
        uint64 price = basePrice();
        if (terms.priceCap < price) revert BelowBasePrice(terms.priceCap, price);

        uint96 deposit = SafeCast.toUint96((uint256(terms.escrow) * DEPOSIT_BPS + 9_999) / 10_000);
        job = ++jobCount;
        _jobs[job] = Job({
            requestor: msg.sender,
            deadline: terms.deadline,
            closedAt: 0,
            mode: terms.mode,
            quorum: terms.quorum,
            signer: terms.signer,
            priceCap: terms.priceCap,
            openLeases: 0,
            free: terms.escrow,
            deposit: deposit,
            gpuClass: terms.need.gpuClass,
            vramGiB: terms.need.vramGiB,
            region: terms.need.region,
            tier: terms.need.tier,
            priority: terms.priority,
            manifest: terms.manifest
        });
        emit JobCreated(job, msg.sender, terms.manifest, terms, deposit);
        token.safeTransferFrom(
            msg.sender, address(this), uint256(terms.escrow) + uint256(deposit) + uint256(terms.priority)
        );
    }

    /// @notice Closes a job: no more leases. After the deadline this gives vouchers more time, once; when leases can be
    /// settled already it changes nothing for them.
    /// @param job The job's id.
    function closeJob(uint32 job) external {
        Job storage stored = _jobs[job];
        if (msg.sender != stored.requestor) revert NotTheRequestor(msg.sender);
        if (stored.closedAt != 0) revert AlreadyClosed(job);
        uint256 end = block.timestamp;
        if (end >= uint256(stored.deadline) + SETTLE_DELAY) end = stored.deadline;
        stored.closedAt = SafeCast.toUint40(end);
        emit JobClosed(job, SafeCast.toUint40(end));
    }

    /// @notice Pays back what is in no lease, and the deposit once no lease is open. Anybody may; the requestor is paid.
    /// @param job The job's id.
    function refund(uint32 job) external nonReentrant {
        uint256 from = settlesFrom(job);
        if (block.timestamp < from) revert TooEarly(from);
        Job storage stored = _jobs[job];
        uint96 amount = stored.free + stored.priority;
        stored.free = 0;
        stored.priority = 0;
        if (stored.openLeases == 0) {
            amount += stored.deposit;
            stored.deposit = 0;
        }
        if (amount == 0) revert NothingToRefund(job);
        address requestor = stored.requestor;
        emit Refunded(job, requestor, amount);
        token.safeTransfer(requestor, amount);
    }
}
