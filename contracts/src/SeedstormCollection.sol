// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7572} from "./IERC7572.sol";
import {RawCid} from "./RawCid.sol";
import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title A creator's collection of Seedstorm films
/// @notice Each token is one film. Beside its owner it stores one word: the sha-256 digest of its metadata, a JSON
/// document that links the film, its recipe and the root of its simulation by content. `tokenURI` is that digest,
/// written as an IPFS address, so that nobody can serve a token other metadata than was minted.
///
/// What a token says never changes: there is no function that replaces its digest, and tokens cannot be burnt by
/// anyone. A corrected film is another token. What does change is whether the metadata can be *fetched*: pins vanish,
/// and content that every pin has lost can be made again from the recipe. The ERC-4906 events are therefore emitted for
/// one thing only: `refreshMetadata` asks marketplaces to fetch the same, unchanged document again.
/// @dev The collection's creator is its `owner`; giving up ownership closes the collection and leaves all else as it is.
contract SeedstormCollection is ERC721, ERC2981, Ownable2Step, IERC4906, IERC7572 {
    /// @notice The highest royalty that can be set, in basis points (10 %).
    uint96 public constant MAX_ROYALTY_BPS = 1_000;

    /// @notice How many tokens were minted. Their ids are 1 to this number; none can be burnt.
    uint256 public totalSupply;

    mapping(uint256 tokenId => bytes32) private _metadataDigest;
    string private _contractURI;

    /// @notice A film was minted. What is not part of the token's state is said here, once.
    /// @param tokenId The token's id.
    /// @param metadataDigest sha-256 of the metadata's bytes.
    /// @param recipeDigest sha-256 of the recipe's canonical bytes: the digest in the recipe's CID.
    /// @param simRoot Root over all checkpoints of the simulation that the recipe decides.
    event FilmMinted(
        uint256 indexed tokenId, bytes32 indexed metadataDigest, bytes32 indexed recipeDigest, bytes32 simRoot
    );

    /// @notice The royalty of every token changed.
    /// @param receiver Whom marketplaces are asked to pay.
    /// @param basisPoints Its share of the price, in hundredths of a per cent.
    event DefaultRoyaltyUpdated(address indexed receiver, uint96 basisPoints);

    /// @notice A token needs all three digests; one of them was zero.
    error ZeroDigest();

    /// @notice The royalty asked for is above the cap.
    error RoyaltyAboveCap(uint96 basisPoints, uint96 cap);

    /// @notice The range of token ids is empty or holds one that was not minted.
    error NoSuchTokens(uint256 fromTokenId, uint256 toTokenId);

    /// @notice Only the collection's creator, or the owner of every token named, may ask for a refresh.
    error MayNotRefresh(address caller);

    /// @param name_ The collection's name.
    /// @param symbol_ Its symbol.
    /// @param creator Who may mint, and receives the royalty at first.
    /// @param contractURI_ URI of the collection's own metadata (ERC-7572); may be empty.
    /// @param royaltyBps The first royalty, in basis points, at most `MAX_ROYALTY_BPS`.
    constructor(
        string memory name_,
        string memory symbol_,
        address creator,
        string memory contractURI_,
        uint96 royaltyBps
    ) ERC721(name_, symbol_) Ownable(creator) {
        _contractURI = contractURI_;
        _setRoyalty(creator, royaltyBps);
    }

    /// @notice Mints the next token. Only the creator may.
    /// @dev A receiver that is a contract must accept it (`onERC721Received`).
    /// @param to Who will own it.
    /// @param metadataDigest sha-256 of the metadata's bytes.
    /// @param recipeDigest sha-256 of the recipe's canonical bytes.
    /// @param simRoot Root over all checkpoints of the simulation.
    /// @return tokenId The new token's id, one above that of the last.
    function mint(address to, bytes32 metadataDigest, bytes32 recipeDigest, bytes32 simRoot)
        external
        onlyOwner
        returns (uint256 tokenId)
    {
        if (metadataDigest == 0 || recipeDigest == 0 || simRoot == 0) revert ZeroDigest();
        tokenId = ++totalSupply;
        _metadataDigest[tokenId] = metadataDigest;
        emit FilmMinted(tokenId, metadataDigest, recipeDigest, simRoot);
        // Last, because it calls the receiver.
        _safeMint(to, tokenId);
    }

    /// @notice The sha-256 digest of a token's metadata, fixed when it was minted.
    /// @param tokenId A minted token.
    function metadataDigestOf(uint256 tokenId) external view returns (bytes32) {
        _requireOwned(tokenId);
        return _metadataDigest[tokenId];
    }

    /// @notice Where a token's metadata is: `ipfs://` and the CID that its digest makes.
    /// @param tokenId A minted token.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        _requireOwned(tokenId);
        return RawCid.uri(_metadataDigest[tokenId]);
    }

    /// @notice Asks marketplaces to fetch the metadata of some tokens again, after it was out of reach. It says the same
    /// as before. The creator may ask for any tokens, a collector for a run of their own.
    /// @param fromTokenId The first token.
    /// @param toTokenId The last token.
    function refreshMetadata(uint256 fromTokenId, uint256 toTokenId) external {
        if (fromTokenId == 0 || fromTokenId > toTokenId || toTokenId > totalSupply) {
            revert NoSuchTokens(fromTokenId, toTokenId);
        }
        if (msg.sender != owner()) {
            for (uint256 id = fromTokenId; id <= toTokenId; ++id) {
                if (_ownerOf(id) != msg.sender) revert MayNotRefresh(msg.sender);
            }
        }
        if (fromTokenId == toTokenId) emit MetadataUpdate(fromTokenId);
        else emit BatchMetadataUpdate(fromTokenId, toTokenId);
    }

    /// @notice Sets the royalty of every token. Only the creator may.
    /// @param receiver Whom marketplaces are asked to pay; not the zero address.
    /// @param basisPoints Its share of the price, at most `MAX_ROYALTY_BPS`.
    function setDefaultRoyalty(address receiver, uint96 basisPoints) external onlyOwner {
        _setRoyalty(receiver, basisPoints);
    }

    /// @notice Sets the URI of the collection's own metadata. Only the creator may; it says nothing about any token.
    /// @param uri The new URI; may be empty.
    function setContractURI(string calldata uri) external onlyOwner {
        _contractURI = uri;
        emit ContractURIUpdated();
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return _contractURI;
    }

    /// @notice Says yes to ERC-165, 721, 721 Metadata, 2981, 4906 and 7572.
    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, ERC2981, IERC165) returns (bool) {
        // ERC-4906 fixes its id by decree: an interface of events alone has no selectors to make one from.
        return
            interfaceId == 0x49064906 || interfaceId == type(IERC7572).interfaceId
                || super.supportsInterface(interfaceId);
    }

    function _setRoyalty(address receiver, uint96 basisPoints) private {
        if (basisPoints > MAX_ROYALTY_BPS) revert RoyaltyAboveCap(basisPoints, MAX_ROYALTY_BPS);
        _setDefaultRoyalty(receiver, basisPoints);
        emit DefaultRoyaltyUpdated(receiver, basisPoints);
    }
}
