// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice The few of forge's cheat codes that the tests use (forge-std on npm is years old).
interface Vm {
    /// @notice The next call comes from `sender`.
    function prank(address sender) external;

    /// @notice The next call must revert with exactly these bytes.
    function expectRevert(bytes calldata revertData) external;

    /// @notice The next call must emit the event that the test emits next: same topics, data and emitter.
    function expectEmit(address emitter) external;

    /// @notice Gives the test's input up unless the condition holds.
    function assume(bool condition) external pure;

    /// @notice A word of an account's storage.
    function load(address target, bytes32 slot) external view returns (bytes32);

    /// @notice From now on, remember which storage slots are written.
    function record() external;

    /// @notice The slots of `target` read and written since `record`.
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
}

/// @notice What every test here inherits: the cheat codes and assertions that say what they saw.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(bytes left, bytes right);
    error NotTrue(string what);

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertEq(uint256 left, uint256 right) internal pure {
        if (left != right) revert NotEqual(abi.encode(left), abi.encode(right));
    }

    function assertEq(address left, address right) internal pure {
        if (left != right) revert NotEqual(abi.encode(left), abi.encode(right));
    }

    function assertEq(bytes32 left, bytes32 right) internal pure {
        if (left != right) revert NotEqual(abi.encode(left), abi.encode(right));
    }

    function assertEq(string memory left, string memory right) internal pure {
        if (keccak256(bytes(left)) != keccak256(bytes(right))) revert NotEqual(bytes(left), bytes(right));
    }
}
