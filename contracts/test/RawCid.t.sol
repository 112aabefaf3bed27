// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RawCid} from "../src/RawCid.sol";
import {Test} from "./Vm.sol";

contract RawCidTest is Test {
    /// The same text by the plain definition: the 36 bytes of the CID, five bits at a time, padded with zero bits.
    function plainUri(bytes32 digest) internal pure returns (string memory) {
        bytes memory alphabet = "abcdefghijklmnopqrstuvwxyz234567";
        bytes memory cid = abi.encodePacked(hex"01551220", digest);
        bytes memory text;
        uint256 pending;
        uint256 bits;
        for (uint256 i = 0; i < cid.length; ++i) {
            pending = (pending << 8) | uint8(cid[i]);
            bits += 8;
            while (bits >= 5) {
                bits -= 5;
                text = abi.encodePacked(text, alphabet[(pending >> bits) & 31]);
            }
        }
        if (bits > 0) text = abi.encodePacked(text, alphabet[(pending << (5 - bits)) & 31]);
        return string.concat("ipfs://b", string(text));
    }

    function test_uri_of_known_bytes() public pure {
        // The empty file and "hello world" without a line end; computed apart, with Python's hashlib and base64.
        assertEq(RawCid.uri(sha256("")), "ipfs://bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
        assertEq(
            RawCid.uri(sha256("hello world")), "ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
        );
    }

    function test_uri_of_each_single_bit() public pure {
        assertEq(RawCid.uri(0), plainUri(0));
        assertEq(RawCid.uri(bytes32(type(uint256).max)), plainUri(bytes32(type(uint256).max)));
        for (uint256 i = 0; i < 256; ++i) {
            assertEq(RawCid.uri(bytes32(uint256(1) << i)), plainUri(bytes32(uint256(1) << i)));
        }
    }

    function testFuzz_uri_equals_the_reference(bytes32 digest) public pure {
        assertEq(RawCid.uri(digest), plainUri(digest));
    }
}
