// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-7572: contract-level metadata
/// @dev https://eips.ethereum.org/EIPS/eip-7572
interface IERC7572 {
    /// @notice The contract-level metadata changed: fetch `contractURI` again.
    event ContractURIUpdated();

    /// @notice A URI of the JSON document that describes the whole collection.
    function contractURI() external view returns (string memory);
}
