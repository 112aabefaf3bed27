// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../IBurnableToken.sol";
import {IProviderRegistry} from "../IProviderRegistry.sol";
import {Awards} from "./Awards.sol";
import {BasePrice} from "./BasePrice.sol";
import {Fees} from "./Fees.sol";
import {JobEscrow} from "./JobEscrow.sol";
import {Rulings} from "./Rulings.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title The job market
/// @notice Requestors put escrow in, providers are paid out of it by vouchers, what is left goes back. Nobody owns it,
/// nothing in it can be changed or paused, and every function that moves money sends it to whom it belongs to, whoever
/// calls it.
contract JobMarket is JobEscrow, Awards, Rulings {
    using SafeERC20 for IBurnableToken;

    /// @notice Whom the stakers' share goes to.
    address public immutable stakers;
    /// @notice Whom the community's share goes to.
    address public immutable community;
    /// @notice Whom the pool's share goes to.
    address public immutable pool;

    /// @notice The fees were moved.
    event Distributed(uint256 burnt, uint256 stakers, uint256 community, uint256 pool);

    /// @notice An address is zero.
    error ZeroAddress();

    /// @param token_ The token.
    /// @param registry_ Where stakes are.
    /// @param gate_ Who hands rulings in.
    /// @param stakers_ Whom the stakers' share goes to.
    /// @param community_ Whom the community's share goes to.
    /// @param pool_ Whom the pool's share goes to.
    constructor(
        IBurnableToken token_,
        IProviderRegistry registry_,
        address gate_,
        address stakers_,
        address community_,
        address pool_
    ) EIP712("Seedstorm JobMarket", "1") {
        if (stakers_ == address(0) || community_ == address(0) || pool_ == address(0)) {
            revert ZeroAddress();
        }
        token = token_;
        registry = registry_;
        gate = gate_;
        stakers = stakers_;
        community = community_;
        pool = pool_;
        _account.price = BasePrice.LEAST;
        _account.stepAt = uint40(block.timestamp);
    }

    /// @notice Moves all fees: some are burnt, the rest goes to stakers, community and pool. Anybody may.
    function distribute() external nonReentrant {
        uint256 fees = _account.fees;
        _account.fees = 0;
        (uint256 burnt, uint256 toStakers, uint256 toCommunity, uint256 toPool) = Fees.split(fees);
        emit Distributed(burnt, toStakers, toCommunity, toPool);
        token.burn(burnt);
        token.safeTransfer(stakers, toStakers);
        token.safeTransfer(community, toCommunity);
        token.safeTransfer(pool, toPool);
    }
}
