// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EarlyBonus} from "../src/EarlyBonus.sol";
import {IBurnableToken} from "../src/IBurnableToken.sol";
import {IProviderRegistry} from "../src/IProviderRegistry.sol";
import {IRulings, ITiers} from "../src/IVerdicts.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {ResultBoard} from "../src/ResultBoard.sol";
import {StormToken} from "../src/StormToken.sol";
import {ValidationGate} from "../src/ValidationGate.sol";
import {IJobMarket} from "../src/market/IJobMarket.sol";
import {JobMarket} from "../src/market/JobMarket.sol";

/// @notice What a network begins with.
struct Beginnings {
    /// Who is given the supply, less the bonuses.
    address treasury;
    /// Who appoints validation.
    address governor;
    /// Who has the role of validation at first.
    address validation;
    /// Whom the shares of the fees go to.
    address stakers;
    address community;
    address pool;
}

/// @notice A network.
struct Network {
    StormToken token;
    ValidationGate gate;
    ProviderRegistry registry;
    JobMarket market;
    ResultBoard board;
    EarlyBonus bonus;
}

/// @title How a network comes to be
/// @notice Six contracts that know each other by immutable addresses. Three of them know each other in a circle, so that
/// the deployer computes where the later ones will be from its transaction number.
library Deployment {
    /// @notice A contract is not where it was computed to be.
    error Misplaced();

    /// @notice Deploys everything.
    /// @param b What it begins with.
    /// @param registry Where the third contract from here will be.
    /// @param market Where the fourth will be.
    /// @return n The network. The whole supply is the treasury's: the bonus is filled by a transfer.
    function deploy(Beginnings memory b, address registry, address market) internal returns (Network memory n) {
        n.token = new StormToken(b.treasury);
        n.gate = new ValidationGate(b.governor, b.validation, ITiers(registry), IRulings(market));
        IBurnableToken token = IBurnableToken(address(n.token));
        n.registry = new ProviderRegistry(token, market, address(n.gate));
        n.market = new JobMarket(token, IProviderRegistry(registry), address(n.gate), b.stakers, b.community, b.pool);
        n.board = new ResultBoard(IJobMarket(market));
        n.bonus = new EarlyBonus(token, IJobMarket(market));
        if (address(n.registry) != registry || address(n.market) != market) revert Misplaced();
    }
}
