// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Beginnings, Deployment, Network} from "./Deployment.sol";

/// @notice The cheat codes that the script uses.
interface ScriptVm {
    /// @notice A variable of the environment.
    function envAddress(string calldata name) external view returns (address);

    /// @notice A variable of the environment, or something else if it is not set.
    function envOr(string calldata name, address other) external view returns (address);

    /// @notice From here on, calls become transactions of this account.
    function startBroadcast(address sender) external;

    /// @notice Until here.
    function stopBroadcast() external;

    /// @notice The next transaction number of an account.
    function getNonce(address account) external view returns (uint64);

    /// @notice Where an account's contract will be.
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);

    /// @notice An address as text.
    function toString(address value) external pure returns (string memory);

    /// @notice A number as text.
    function toString(uint256 value) external pure returns (string memory);

    /// @notice Makes a folder.
    function createDir(string calldata path, bool recursive) external;

    /// @notice Writes a file.
    function writeFile(string calldata path, string calldata text) external;
}

/// @title Deploys a network and writes where it is
/// @notice `forge script script/Deploy.s.sol --rpc-url … --broadcast --sender …`. Whom it belongs to is read from the
/// environment: TREASURY, GOVERNOR, STAKERS, COMMUNITY, POOL, and VALIDATION if somebody has that role from the start.
/// The addresses go to `deployments/<chain id>.json`, which the Rust side reads.
contract Deploy {
    ScriptVm private constant vm = ScriptVm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice Does it.
    function run() external {
        address deployer = msg.sender;
        uint256 block_ = block.number;
        Beginnings memory beginnings = Beginnings({
            treasury: vm.envAddress("TREASURY"),
            governor: vm.envAddress("GOVERNOR"),
            validation: vm.envOr("VALIDATION", address(0)),
            stakers: vm.envAddress("STAKERS"),
            community: vm.envAddress("COMMUNITY"),
            pool: vm.envAddress("POOL")
        });
        uint256 nonce = vm.getNonce(deployer);
        address registry = vm.computeCreateAddress(deployer, nonce + 2);
        address market = vm.computeCreateAddress(deployer, nonce + 3);
        vm.startBroadcast(deployer);
        Network memory network = Deployment.deploy(beginnings, registry, market);
        vm.stopBroadcast();
        vm.createDir("deployments", true);
        string memory path = string.concat("deployments/", vm.toString(block.chainid), ".json");
        vm.writeFile(path, describe(network, block_));
    }

    /// @notice The text of the addresses' file.
    /// @param network The network.
    /// @param block_ A block before its first transaction.
    function describe(Network memory network, uint256 block_) internal view returns (string memory text) {
        text = string.concat('{\n  "chain_id": ', vm.toString(block.chainid), ',\n  "block": ', vm.toString(block_));
        text = string.concat(text, entry("token", address(network.token)));
        text = string.concat(text, entry("gate", address(network.gate)));
        text = string.concat(text, entry("registry", address(network.registry)));
        text = string.concat(text, entry("market", address(network.market)));
        text = string.concat(text, entry("board", address(network.board)));
        text = string.concat(text, entry("bonus", address(network.bonus)), "\n}\n");
    }

    function entry(string memory name, address value) private pure returns (string memory) {
        return string.concat(',\n  "', name, '": "', vm.toString(value), '"');
    }
}
