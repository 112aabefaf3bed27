// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Beginnings, Deployment, Network} from "../script/Deployment.sol";
import {EarlyBonus} from "../src/EarlyBonus.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {ResultBoard} from "../src/ResultBoard.sol";
import {StormToken} from "../src/StormToken.sol";
import {ValidationGate} from "../src/ValidationGate.sol";
import {JobMarket} from "../src/market/JobMarket.sol";
import {
    Bid,
    Hardware,
    Job,
    JobTerms,
    Lease,
    LeaseState,
    Mode,
    Requirement,
    Ruling,
    Tier
} from "../src/market/Types.sol";
import {Test} from "./Vm.sol";

/// A network, a requestor and providers, for all tests of the market.
abstract contract MarketTest is Test {
    address internal constant TREASURY = address(0x7EA);
    address internal constant GOVERNOR = address(0x60F);
    address internal constant VALIDATION = address(0x7A11D);
    address internal constant STAKERS = address(0x57A);
    address internal constant COMMUNITY = address(0xC0);
    address internal constant POOL = address(0x9001);
    address internal constant CHALLENGER = address(0xCA11);
    address internal constant STRANGER = address(0xBAD);

    uint256 internal constant REQUESTOR_KEY = 0xA11CE;
    uint256 internal constant PROVIDER_KEY = 0xB0B;

    uint256 internal constant START = 1_800_000_000;
    uint64 internal constant PRICE = 1e15;
    uint96 internal constant ESCROW = 1_000 ether;
    uint96 internal constant DEPOSIT = 50 ether;
    uint88 internal constant TASK = 1 ether;
    /// The cap of `bidOf`: 100,000 units at `PRICE`.
    uint96 internal constant CAP = 100 ether;

    Network internal n;
    StormToken internal token;
    ProviderRegistry internal registry;
    JobMarket internal market;
    ValidationGate internal gate;
    ResultBoard internal board;
    EarlyBonus internal bonus;

    address internal requestor;
    address internal provider;

    function setUp() public virtual {
        vm.warp(START);
        uint256 nonce = vm.getNonce(address(this));
        n = Deployment.deploy(
            Beginnings(TREASURY, GOVERNOR, VALIDATION, STAKERS, COMMUNITY, POOL),
            vm.computeCreateAddress(address(this), nonce + 2),
            vm.computeCreateAddress(address(this), nonce + 3)
        );
        (token, registry, market, gate, board, bonus) = (n.token, n.registry, n.market, n.gate, n.board, n.bonus);
        requestor = vm.addr(REQUESTOR_KEY);
        provider = vm.addr(PROVIDER_KEY);
        fund(requestor, 1_000_000 ether);
        join(provider, 10_000 ether);
    }

    // Who has what

    function fund(address who, uint256 amount) internal {
        vm.prank(TREASURY);
        assertTrue(token.transfer(who, amount), "funded");
        vm.startPrank(who);
        token.approve(address(market), type(uint256).max);
        token.approve(address(registry), type(uint256).max);
        vm.stopPrank();
    }

    function join(address who, uint96 stake) internal {
        fund(who, uint256(stake) + 100 ether);
        vm.startPrank(who);
        registry.setHardware(Hardware({gpuClass: 5, vramGiB: 24, region: 1}));
        registry.stake(stake);
        vm.stopPrank();
    }

    // Jobs, bids, vouchers

    function terms() internal view returns (JobTerms memory) {
        return JobTerms({
            manifest: keccak256("manifest"),
            program: bytes32(0),
            signer: requestor,
            deadline: uint40(block.timestamp + 3 days),
            priceCap: PRICE,
            escrow: ESCROW,
            priority: 0,
            need: Requirement(0, 0, 0, Tier.Unmeasured),
            mode: Mode.SpotCheck,
            quorum: 0
        });
    }

    function createJob() internal returns (uint32) {
        return createJob(terms());
    }

    function createJob(JobTerms memory t) internal returns (uint32) {
        vm.prank(requestor);
        return market.createJob(t);
    }

    function bidOf(address who, uint256 salt) internal view returns (Bid memory bid) {
        bid.provider = who;
        bid.unitPrice = PRICE;
        bid.units = 100_000;
        bid.taskReward = TASK;
        bid.eta = uint40(block.timestamp + 1 days);
        bid.expiry = uint40(block.timestamp + 1 hours);
        bid.salt = bytes32(salt);
    }

    function signBid(uint32 job, Bid memory bid, uint256 key) internal view returns (bytes32 leaseId) {
        leaseId = market.leaseIdOf(job, bid);
        (bid.v, bid.r, bid.s) = vm.sign(key, leaseId);
    }

    function awardOne(uint32 job, Bid memory bid) internal returns (uint32) {
        Bid[] memory bids = new Bid[](1);
        bids[0] = bid;
        vm.prank(requestor);
        return market.award(job, bids);
    }

    /// A lease of `provider` with `CAP`.
    function lease(uint32 job, uint256 salt) internal returns (bytes32 leaseId) {
        Bid memory bid = bidOf(provider, salt);
        leaseId = signBid(job, bid, PROVIDER_KEY);
        assertEq(awardOne(job, bid), 1);
    }

    function newLease() internal returns (uint32 job, bytes32 leaseId) {
        job = createJob();
        leaseId = lease(job, 1);
    }

    function redeem(bytes32 leaseId, uint96 cumulative) internal {
        (uint8 v, bytes32 r, bytes32 s) = voucher(leaseId, cumulative);
        market.redeem(leaseId, cumulative, v, r, s);
    }

    function voucher(bytes32 leaseId, uint96 cumulative) internal view returns (uint8 v, bytes32 r, bytes32 s) {
        return vm.sign(REQUESTOR_KEY, market.voucherDigest(leaseId, cumulative));
    }

    function warpToSettlement(uint32 job) internal {
        vm.warp(market.settlesFrom(job));
    }

    function ruling() internal pure returns (Ruling memory r) {
        r.challenger = CHALLENGER;
    }

    function rule(bytes32 leaseId, Ruling memory r) internal {
        vm.prank(VALIDATION);
        gate.rule(leaseId, r);
    }

    function attest(address who, Tier tier, uint32 rate) internal {
        vm.prank(VALIDATION);
        gate.attest(who, tier, rate, uint32(block.timestamp + 30 days));
    }

    function stateOf(bytes32 leaseId) internal view returns (LeaseState) {
        return market.leaseOf(leaseId).state;
    }

    function assertState(bytes32 leaseId, LeaseState state) internal view {
        assertEq(uint256(stateOf(leaseId)), uint256(state), "state of the lease");
    }

    function fees() internal view returns (uint96) {
        return market.account().fees;
    }
}
