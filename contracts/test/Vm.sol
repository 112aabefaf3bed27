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

    /// @notice In this test, `callee` must be called with this so often.
    function expectCall(address callee, bytes calldata data, uint64 count) external;

    /// @notice Gives the test's input up unless the condition holds.
    function assume(bool condition) external pure;

    /// @notice A word of an account's storage.
    function load(address target, bytes32 slot) external view returns (bytes32);

    /// @notice From now on, remember which storage slots are written.
    function record() external;

    /// @notice All calls until `stopPrank` come from `sender`.
    function startPrank(address sender) external;

    /// @notice Ends `startPrank`.
    function stopPrank() external;

    /// @notice Sets the time.
    function warp(uint256 timestamp) external;

    /// @notice Sets the chain's id.
    function chainId(uint256 id) external;

    /// @notice The address of a private key.
    function addr(uint256 privateKey) external pure returns (address);

    /// @notice Signs a digest.
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);

    /// @notice Gives an account code.
    function etch(address target, bytes calldata code) external;

    /// @notice The next call must revert, in whatever words.
    function expectRevert() external;

    /// @notice The next transaction number of an account.
    function getNonce(address account) external view returns (uint64);

    /// @notice Where an account's contract will be that it makes with this transaction number.
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);

    /// @notice Deploys a contract by its artifact.
    function deployCode(string calldata artifact, bytes calldata arguments) external returns (address deployed);

    /// @notice Remembers the whole state.
    function snapshotState() external returns (uint256 id);

    /// @notice Goes back to a state.
    function revertToState(uint256 id) external returns (bool);

    /// @notice What the last call cost.
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    /// @notice What the last call cost; where calls are isolated, as a transaction of its own.
    function lastCallGas() external view returns (Gas memory gas);

    /// @notice Writes a figure into `snapshots/`, or compares it with what is there.
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;

    /// @notice The slots of `target` read and written since `record`.
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
}

/// @notice What every test here inherits: the cheat codes and assertions that say what they saw.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(bytes left, bytes right);
    error NotTrue(string what);
    error Differ(string what, uint256 left, uint256 right);

    /// A number from `least` to `most`, each about as likely.
    function bound(uint256 x, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + x % (most - least + 1);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertLe(uint256 left, uint256 right, string memory what) internal pure {
        if (left > right) revert NotTrue(what);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Differ(what, left, right);
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
