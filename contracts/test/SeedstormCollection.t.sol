// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7572} from "../src/IERC7572.sol";
import {RawCid} from "../src/RawCid.sol";
import {SeedstormCollection} from "../src/SeedstormCollection.sol";
import {Test} from "./Vm.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {IERC721Enumerable} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Enumerable.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// A receiver without `onERC721Received`.
contract Refuser {}

/// A receiver that tries to mint another token while it is given one.
contract Reenterer is IERC721Receiver {
    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        SeedstormCollection(msg.sender)
            .mint(address(this), bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3)));
        return this.onERC721Received.selector;
    }
}

/// The branches are those of `SeedstormCollection.tree`.
contract SeedstormCollectionTest is Test {
    address internal constant CREATOR = address(0xC0FFEE);
    address internal constant COLLECTOR = address(0xB0B);
    address internal constant STRANGER = address(0xBAD);
    // Not `sha256(…)`: that is a call of a precompile, which would use up a `prank`.
    bytes32 internal constant METADATA = keccak256("metadata");
    bytes32 internal constant RECIPE = keccak256("recipe");
    bytes32 internal constant SIM_ROOT = keccak256("root");

    SeedstormCollection internal collection;

    function setUp() public {
        collection = new SeedstormCollection("Storms", "STORM", CREATOR, "ipfs://collection", 500);
    }

    function mintTo(address to) internal returns (uint256) {
        vm.prank(CREATOR);
        return collection.mint(to, METADATA, RECIPE, SIM_ROOT);
    }

    function unauthorized(address caller) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller);
    }

    function aboveCap(uint96 basisPoints) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(SeedstormCollection.RoyaltyAboveCap.selector, basisPoints, uint96(1_000));
    }

    // constructor

    function test_constructor_refuses_the_zero_creator() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new SeedstormCollection("Storms", "STORM", address(0), "", 0);
    }

    function test_constructor_refuses_a_royalty_above_the_cap() public {
        vm.expectRevert(aboveCap(1_001));
        new SeedstormCollection("Storms", "STORM", CREATOR, "", 1_001);
    }

    function test_constructor_sets_everything() public view {
        assertEq(collection.name(), "Storms");
        assertEq(collection.symbol(), "STORM");
        assertEq(collection.owner(), CREATOR);
        assertEq(collection.contractURI(), "ipfs://collection");
        assertEq(collection.totalSupply(), 0);
        (address receiver, uint256 amount) = collection.royaltyInfo(1, 1 ether);
        assertEq(receiver, CREATOR);
        assertEq(amount, 0.05 ether);
    }

    // mint

    function testFuzz_mint_refuses_all_but_the_creator(address caller) public {
        vm.assume(caller != CREATOR);
        vm.expectRevert(unauthorized(caller));
        vm.prank(caller);
        collection.mint(caller, METADATA, RECIPE, SIM_ROOT);
    }

    function test_mint_refuses_a_zero_digest() public {
        bytes32[3] memory digests;
        for (uint256 zero = 0; zero < 3; ++zero) {
            digests = [METADATA, RECIPE, SIM_ROOT];
            digests[zero] = 0;
            vm.expectRevert(abi.encodeWithSelector(SeedstormCollection.ZeroDigest.selector));
            vm.prank(CREATOR);
            collection.mint(COLLECTOR, digests[0], digests[1], digests[2]);
        }
    }

    function test_mint_refuses_the_zero_receiver() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        mintTo(address(0));
    }

    function test_mint_refuses_a_contract_that_refuses_tokens() public {
        address refuser = address(new Refuser());
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, refuser));
        vm.prank(CREATOR);
        collection.mint(refuser, METADATA, RECIPE, SIM_ROOT);
        assertEq(collection.totalSupply(), 0);
        assertEq(mintTo(COLLECTOR), 1);
    }

    function test_mint_refuses_a_receiver_that_calls_back() public {
        address reenterer = address(new Reenterer());
        vm.expectRevert(unauthorized(reenterer));
        vm.prank(CREATOR);
        collection.mint(reenterer, METADATA, RECIPE, SIM_ROOT);
        assertEq(collection.totalSupply(), 0);
    }

    function test_mint_emits_recipe_and_sim_root() public {
        vm.expectEmit(address(collection));
        emit SeedstormCollection.FilmMinted(1, METADATA, RECIPE, SIM_ROOT);
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(address(0), COLLECTOR, 1);
        mintTo(COLLECTOR);
        assertEq(collection.ownerOf(1), COLLECTOR);
        assertEq(collection.metadataDigestOf(1), METADATA);
    }

    function testFuzz_mint_counts_from_one(uint8 count, bytes32 salt) public {
        for (uint256 i = 1; i <= uint256(count % 8) + 1; ++i) {
            bytes32 digest = keccak256(abi.encode(salt, i));
            vm.prank(CREATOR);
            assertEq(collection.mint(COLLECTOR, digest, RECIPE, SIM_ROOT), i);
            assertEq(collection.totalSupply(), i);
            assertEq(collection.balanceOf(COLLECTOR), i);
            assertEq(collection.metadataDigestOf(i), digest);
        }
    }

    function test_mint_stores_one_word_beside_owner_balance_and_count() public {
        vm.record();
        mintTo(COLLECTOR);
        (, bytes32[] memory writes) = vm.accesses(address(collection));
        bytes32[] memory slots = new bytes32[](writes.length);
        uint256 distinct;
        bool stored;
        for (uint256 i = 0; i < writes.length; ++i) {
            bool seen;
            for (uint256 j = 0; j < distinct; ++j) {
                seen = seen || slots[j] == writes[i];
            }
            if (!seen) slots[distinct++] = writes[i];
            stored = stored || vm.load(address(collection), writes[i]) == METADATA;
        }
        assertEq(distinct, 4);
        assertTrue(stored, "the digest is one of the words");
    }

    // tokenURI and metadataDigestOf

    function testFuzz_a_token_that_does_not_exist_has_no_metadata(uint256 tokenId) public {
        mintTo(COLLECTOR);
        vm.assume(tokenId != 1);
        bytes memory missing = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, tokenId);
        vm.expectRevert(missing);
        collection.tokenURI(tokenId);
        vm.expectRevert(missing);
        collection.metadataDigestOf(tokenId);
    }

    function test_tokenURI_is_the_cid_of_the_metadata() public {
        bytes32 digest = sha256("hello world");
        vm.prank(CREATOR);
        collection.mint(COLLECTOR, digest, RECIPE, SIM_ROOT);
        assertEq(collection.tokenURI(1), "ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    }

    function testFuzz_tokenURI_survives_a_transfer(bytes32 digest, address to) public {
        vm.assume(digest != 0 && to != address(0) && to != COLLECTOR);
        vm.prank(CREATOR);
        collection.mint(COLLECTOR, digest, RECIPE, SIM_ROOT);
        vm.prank(COLLECTOR);
        collection.transferFrom(COLLECTOR, to, 1);
        assertEq(collection.ownerOf(1), to);
        assertEq(collection.tokenURI(1), RawCid.uri(digest));
    }

    // refreshMetadata

    function test_refresh_refuses_tokens_that_do_not_exist() public {
        mintTo(COLLECTOR);
        mintTo(COLLECTOR);
        uint256[2][4] memory ranges = [[uint256(0), 1], [uint256(2), 1], [uint256(2), 3], [uint256(3), 3]];
        for (uint256 i = 0; i < ranges.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(SeedstormCollection.NoSuchTokens.selector, ranges[i][0], ranges[i][1])
            );
            vm.prank(CREATOR);
            collection.refreshMetadata(ranges[i][0], ranges[i][1]);
        }
    }

    function test_refresh_refuses_strangers_and_owners_of_a_part() public {
        mintTo(COLLECTOR);
        mintTo(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SeedstormCollection.MayNotRefresh.selector, STRANGER));
        vm.prank(STRANGER);
        collection.refreshMetadata(1, 1);
        vm.expectRevert(abi.encodeWithSelector(SeedstormCollection.MayNotRefresh.selector, COLLECTOR));
        vm.prank(COLLECTOR);
        collection.refreshMetadata(1, 2);
    }

    function test_refresh_of_one_token() public {
        mintTo(COLLECTOR);
        address[2] memory callers = [CREATOR, COLLECTOR];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectEmit(address(collection));
            emit IERC4906.MetadataUpdate(1);
            vm.prank(callers[i]);
            collection.refreshMetadata(1, 1);
        }
        assertEq(collection.metadataDigestOf(1), METADATA);
    }

    function test_refresh_of_a_run() public {
        for (uint256 i = 0; i < 3; ++i) {
            mintTo(COLLECTOR);
        }
        address[2] memory callers = [CREATOR, COLLECTOR];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectEmit(address(collection));
            emit IERC4906.BatchMetadataUpdate(2, 3);
            vm.prank(callers[i]);
            collection.refreshMetadata(2, 3);
        }
    }

    // setDefaultRoyalty

    function test_royalty_is_set_by_the_creator_alone() public {
        vm.expectRevert(unauthorized(STRANGER));
        vm.prank(STRANGER);
        collection.setDefaultRoyalty(STRANGER, 1);
    }

    function testFuzz_royalty_above_the_cap_is_refused(uint96 basisPoints) public {
        vm.assume(basisPoints > 1_000);
        vm.expectRevert(aboveCap(basisPoints));
        vm.prank(CREATOR);
        collection.setDefaultRoyalty(CREATOR, basisPoints);
    }

    function test_royalty_to_the_zero_address_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ERC2981.ERC2981InvalidDefaultRoyaltyReceiver.selector, address(0)));
        vm.prank(CREATOR);
        collection.setDefaultRoyalty(address(0), 100);
    }

    function testFuzz_royalty_is_a_share_of_the_price(uint96 basisPoints, uint128 price, address receiver) public {
        vm.assume(receiver != address(0));
        basisPoints = basisPoints % 1_001;
        vm.expectEmit(address(collection));
        emit SeedstormCollection.DefaultRoyaltyUpdated(receiver, basisPoints);
        vm.prank(CREATOR);
        collection.setDefaultRoyalty(receiver, basisPoints);
        (address payee, uint256 amount) = collection.royaltyInfo(7, price);
        assertEq(payee, receiver);
        assertEq(amount, uint256(price) * basisPoints / 10_000);
    }

    // setContractURI

    function test_contractURI_is_set_by_the_creator_alone() public {
        vm.expectRevert(unauthorized(STRANGER));
        vm.prank(STRANGER);
        collection.setContractURI("ipfs://other");
    }

    function test_contractURI_announces_its_change() public {
        vm.expectEmit(address(collection));
        emit IERC7572.ContractURIUpdated();
        vm.prank(CREATOR);
        collection.setContractURI("ipfs://other");
        assertEq(collection.contractURI(), "ipfs://other");
    }

    // ownership

    function test_a_new_creator_has_to_accept() public {
        vm.prank(CREATOR);
        collection.transferOwnership(STRANGER);
        assertEq(mintTo(COLLECTOR), 1);
        vm.prank(STRANGER);
        collection.acceptOwnership();
        vm.expectRevert(unauthorized(CREATOR));
        mintTo(COLLECTOR);
        vm.prank(STRANGER);
        assertEq(collection.mint(COLLECTOR, METADATA, RECIPE, SIM_ROOT), 2);
    }

    function test_a_closed_collection_keeps_its_tokens() public {
        mintTo(COLLECTOR);
        vm.prank(CREATOR);
        collection.renounceOwnership();
        vm.expectRevert(unauthorized(CREATOR));
        mintTo(COLLECTOR);
        assertEq(collection.tokenURI(1), RawCid.uri(METADATA));
        vm.expectEmit(address(collection));
        emit IERC4906.MetadataUpdate(1);
        vm.prank(COLLECTOR);
        collection.refreshMetadata(1, 1);
    }

    // supportsInterface

    function test_supports_its_interfaces() public view {
        bytes4[6] memory ids = [
            type(IERC165).interfaceId,
            type(IERC721).interfaceId,
            type(IERC721Metadata).interfaceId,
            type(IERC2981).interfaceId,
            bytes4(0x49064906),
            bytes4(0xe8a3d485)
        ];
        for (uint256 i = 0; i < ids.length; ++i) {
            assertTrue(collection.supportsInterface(ids[i]), "an interface is not supported");
        }
        assertTrue(!collection.supportsInterface(0xffffffff), "0xffffffff");
        assertTrue(!collection.supportsInterface(type(IERC721Enumerable).interfaceId), "enumerable");
    }

    // gas: plain calls, whose costs stand in `.gas-snapshot`

    function test_gas_deploy() public {
        new SeedstormCollection("Storms", "STORM", CREATOR, "ipfs://collection", 500);
    }

    function test_gas_first_mint() public {
        mintTo(COLLECTOR);
    }

    function test_gas_tokenURI_without_a_transaction() public {
        mintTo(COLLECTOR);
        collection.tokenURI(1);
    }
}
