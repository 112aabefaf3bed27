// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The content identifier of a raw block
/// @notice Writes a sha-256 digest as the IPFS URI of the block that it is the digest of: CIDv1, codec `raw` (0x55),
/// multihash sha2-256 (0x12, 32 bytes), in lower-case base32 without padding (multibase `b`).
/// @dev https://github.com/multiformats/cid. The four bytes before the digest, 01 55 12 20, are 32 bits: six characters
/// of five bits ("afkrei") and two bits that are 0. Those two, the digest and two bits of padding are 260 bits, which is
/// the other 52 characters.
library RawCid {
    bytes32 private constant ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

    /// @notice The URI of the raw block with this sha-256 digest.
    /// @param digest The sha-256 digest of the block's bytes.
    /// @return `ipfs://bafkrei…`, 66 characters.
    function uri(bytes32 digest) internal pure returns (string memory) {
        bytes memory text = "ipfs://bafkrei0000000000000000000000000000000000000000000000000000";
        uint256 bits = uint256(digest);
        // The first character holds two bits of the prefix and the digest's top three, the last one its low three.
        text[14] = ALPHABET[bits >> 253];
        for (uint256 i = 1; i < 51; ++i) {
            text[14 + i] = ALPHABET[(bits >> (253 - 5 * i)) & 31];
        }
        text[65] = ALPHABET[(bits << 2) & 31];
        return string(text);
    }
}
