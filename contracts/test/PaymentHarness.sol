// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBurnableToken} from "../src/IBurnableToken.sol";
import {IProviderRegistry} from "../src/IProviderRegistry.sol";
import {JobMarket} from "../src/market/JobMarket.sol";
import {Lease} from "../src/market/Types.sol";

/// Makes the market's own payment reachable without a signature.
contract PaymentHarness is JobMarket {
    constructor(IBurnableToken token_, address sink)
        JobMarket(token_, IProviderRegistry(address(0)), address(0), sink, sink, sink)
    {}

    function begin(bytes32 leaseId, address provider, uint96 cap) external {
        _leases[leaseId].provider = provider;
        _leases[leaseId].cap = cap;
    }

    function payMany(bytes32 leaseId, uint96 step, uint256 times) external {
        Lease storage lease = _leases[leaseId];
        for (uint256 i = 0; i < times; ++i) {
            uint96 redeemed = lease.redeemed;
            _pay(leaseId, lease, redeemed, redeemed + step);
        }
    }
}
