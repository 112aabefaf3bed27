// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {StormToken} from "../src/StormToken.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @notice What a receiver of a `CallbackToken` may have.
interface ITokenReceiver {
    /// @notice Tokens are coming.
    function tokensReceived() external;
}

/// A token that calls who is paid, before it is. Ours does not, and the market must not depend on that.
contract CallbackToken is StormToken {
    constructor(address holder) StormToken(holder) {}

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && to.code.length != 0) {
            try ITokenReceiver(to).tokensReceived() {} catch {}
        }
        super._update(from, to, value);
    }
}

/// Tries calls while it is being paid, and counts those that succeeded and those that a guard refused. Its code is put at a provider's address,
/// as EIP-7702 lets anybody do.
contract Reentrant is ITokenReceiver {
    address public target;
    bytes[] public calls;
    uint256 public attempts;
    uint256 public succeeded;
    uint256 public guarded;

    function arm(address target_, bytes[] calldata calls_) external {
        target = target_;
        for (uint256 i = 0; i < calls_.length; ++i) {
            calls.push(calls_[i]);
        }
    }

    function tokensReceived() external {
        if (attempts != 0) return;
        for (uint256 i = 0; i < calls.length; ++i) {
            ++attempts;
            (bool success, bytes memory answer) = target.call(calls[i]);
            if (success) ++succeeded;
            else if (bytes4(answer) == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector) ++guarded;
        }
    }
}
