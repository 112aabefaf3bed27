// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Network} from "../script/Deployment.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {Fees} from "../src/market/Fees.sol";
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

/// What people do with a network, in any order, each with numbers that are possible: no call from here may fail. It
/// keeps its own accounts beside, in the simplest way.
contract MarketHandler is Test {
    Network internal n;
    address internal immutable treasury;
    address internal immutable validation;

    uint256[3] internal requestorKeys = [uint256(0xA1), 0xA2, 0xA3];
    uint256[4] internal providerKeys = [uint256(0xB1), 0xB2, 0xB3, 0xB4];

    uint32[] public jobs;
    bytes32[] public leases;
    mapping(uint32 => uint256) public jobKey;
    mapping(uint32 => uint96) public escrowOf;
    /// The largest voucher, or ruling, of a lease.
    mapping(bytes32 => uint96) public promised;
    /// What its provider was given for it.
    mapping(bytes32 => uint256) public received;
    /// What was ever given to the market and the registry for nothing.
    uint256 public donatedToMarket;
    uint256 public donatedToRegistry;
    uint256 public salt;
    /// Slashes that took more than they may.
    uint256 public overSlashed;
    /// Vouchers that paid and must not have.
    uint256 public wronglyPaid;
    mapping(bytes4 => uint256) public done;

    constructor(Network memory network, address treasury_, address validation_) {
        n = network;
        treasury = treasury_;
        validation = validation_;
        // Everybody has a machine, a stake and money.
        for (uint256 i = 0; i < 7; ++i) {
            address who = i < 3 ? vm.addr(requestorKeys[i]) : vm.addr(providerKeys[i - 3]);
            vm.prank(treasury);
            n.token.transfer(who, 10_000_000 ether);
            vm.startPrank(who);
            n.token.approve(address(n.market), type(uint256).max);
            n.token.approve(address(n.registry), type(uint256).max);
            if (i >= 3) {
                n.registry.stake(100_000 ether);
                n.registry.setHardware(Hardware(9, 48, 1));
            }
            vm.stopPrank();
        }
    }

    function actors() external view returns (address[] memory who) {
        who = new address[](7);
        for (uint256 i = 0; i < 3; ++i) {
            who[i] = vm.addr(requestorKeys[i]);
        }
        for (uint256 i = 0; i < 4; ++i) {
            who[3 + i] = vm.addr(providerKeys[i]);
        }
    }

    function providerAt(uint256 i) public view returns (address) {
        return vm.addr(providerKeys[i % 4]);
    }

    function jobsCount() external view returns (uint256) {
        return jobs.length;
    }

    function leasesCount() external view returns (uint256) {
        return leases.length;
    }

    // Time

    function wait(uint32 time) external {
        vm.warp(block.timestamp + bound(time, 1, 4 days));
        ++done[this.wait.selector];
    }

    function waitLong(uint256 seldom) external {
        if (seldom % 4 != 0) return;
        vm.warp(block.timestamp + 21 days);
        ++done[this.waitLong.selector];
    }

    // Providers

    function stake(uint256 who, uint96 amount) external {
        address provider = providerAt(who);
        amount = uint96(bound(amount, 1_000 ether, 50_000 ether));
        if (n.token.balanceOf(provider) < amount) return;
        vm.prank(provider);
        n.registry.stake(amount);
        ++done[this.stake.selector];
    }

    function unbond(uint256 who, uint96 amount) external {
        address provider = providerAt(who);
        ProviderRegistry.Provider memory p = n.registry.providerOf(provider);
        if (p.stake <= p.locked) return;
        uint96 free = p.stake - p.locked;
        amount = uint96(bound(amount, 1, free));
        uint96 left = p.stake - amount;
        if (left < 1_000 ether && left > p.locked) amount = free;
        vm.prank(provider);
        n.registry.unbond(amount);
        ++done[this.unbond.selector];
    }

    function withdraw(uint256 who) external {
        address provider = providerAt(who);
        ProviderRegistry.Provider memory p = n.registry.providerOf(provider);
        if (p.unbonding == 0 || block.timestamp < p.unbondedAt) return;
        vm.prank(provider);
        n.registry.withdraw();
        ++done[this.withdraw.selector];
    }

    function attest(uint256 who, uint256 tier, uint32 rate) external {
        address provider = providerAt(who);
        if (n.registry.providerOf(provider).stake < 1_000 ether) return;
        vm.prank(validation);
        n.gate.attest(provider, Tier(bound(tier, 0, 3)), rate % 10_000, uint32(block.timestamp + 10 days));
        ++done[this.attest.selector];
    }

    // Requestors

    function createJob(uint256 who, uint96 escrow, uint32 duration, uint96 priority) external {
        uint256 key = requestorKeys[who % 3];
        escrow = uint96(bound(escrow, 1, 5_000 ether));
        priority = priority % 4 == 0 ? uint96(bound(priority, 1, 10 ether)) : 0;
        if (n.token.balanceOf(vm.addr(key)) < 2 * uint256(escrow) + priority + 1) return;
        JobTerms memory t = JobTerms({
            manifest: keccak256(abi.encode(salt++)),
            program: 0,
            signer: vm.addr(key),
            deadline: uint40(block.timestamp + bound(duration, 1, 30 days)),
            priceCap: 10e18,
            escrow: escrow,
            priority: priority,
            need: Requirement(1, 1, 0, Tier.Unmeasured),
            mode: Mode.SpotCheck,
            quorum: 0
        });
        vm.prank(vm.addr(key));
        uint32 job = n.market.createJob(t);
        jobs.push(job);
        jobKey[job] = key;
        escrowOf[job] = escrow;
        ++done[this.createJob.selector];
    }

    /// Three bids, of which some are too dear, too large or of nobody.
    function award(uint256 which, uint256 who, uint64[3] calldata prices, uint40[3] calldata units, uint88 task)
        external
    {
        if (jobs.length == 0) return;
        uint32 job = jobs[which % jobs.length];
        Job memory j = n.market.jobOf(job);
        if (j.closedAt != 0 || block.timestamp > j.deadline) return;
        Bid[] memory bids = new Bid[](3);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 key = providerKeys[(who % 4 + i) % 4];
            bids[i].provider = vm.addr(key);
            bids[i].unitPrice = uint64(bound(prices[i], 1, 11e18));
            uint256 most = uint256(j.free) * 2 / bids[i].unitPrice + 1;
            bids[i].units = uint40(bound(units[i], 1, most > type(uint40).max ? type(uint40).max : most));
            uint256 cap = uint256(bids[i].unitPrice) * bids[i].units;
            bids[i].taskReward = uint88(bound(task, 1, cap < 100 ether ? cap : 100 ether));
            bids[i].expiry = uint40(block.timestamp);
            bids[i].salt = bytes32(salt++);
            bytes32 id = n.market.leaseIdOf(job, bids[i]);
            (bids[i].v, bids[i].r, bids[i].s) = vm.sign(i == 2 && task % 2 == 0 ? 0xDEAD : key, id);
        }
        vm.prank(j.requestor);
        n.market.award(job, bids);
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 id = n.market.leaseIdOf(job, bids[i]);
            if (n.market.leaseOf(id).provider != address(0)) {
                leases.push(id);
                ++done[this.award.selector];
            }
        }
    }

    function closeJob(uint256 which) external {
        if (jobs.length == 0 || which % 4 != 0) return;
        uint32 job = jobs[which / 4 % jobs.length];
        Job memory j = n.market.jobOf(job);
        if (j.closedAt != 0) return;
        vm.prank(j.requestor);
        n.market.closeJob(job);
        ++done[this.closeJob.selector];
    }

    // Leases

    function isOpen(LeaseState state) public pure returns (bool) {
        return state != LeaseState.None && state != LeaseState.Settled && state != LeaseState.Closed;
    }

    function redeem(uint256 which, uint96 amount) external {
        if (leases.length == 0) return;
        bytes32 id = leases[which % leases.length];
        Lease memory l = n.market.leaseOf(id);
        if (!isOpen(l.state) || l.redeemed == l.cap) return;
        // Often a task, sometimes a wei or all.
        amount = amount % 3 == 0 ? l.redeemed + 1 : uint96(bound(amount, l.redeemed + 1, l.cap));
        uint256 before = n.token.balanceOf(l.provider);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(jobKey[l.job], n.market.voucherDigest(id, amount));
        n.market.redeem(id, amount, v, r, s);
        received[id] += n.token.balanceOf(l.provider) - before;
        promised[id] = amount;
        ++done[this.redeem.selector];
    }

    /// Vouchers that must not pay: of another lease, of before, above the cap, of nobody, too late.
    function redeemWrongly(uint256 which, uint256 other, uint96 amount, uint256 how) external {
        if (leases.length == 0) return;
        bytes32 id = leases[which % leases.length];
        bytes32 shown = id;
        Lease memory l = n.market.leaseOf(id);
        uint256 key = jobKey[l.job];
        how = how % 4;
        if (how == 0) {
            shown = leases[other % leases.length];
            if (shown == id) return;
            amount = uint96(bound(amount, 0, l.cap));
        } else if (how == 1) {
            amount = uint96(bound(amount, 0, l.redeemed));
        } else if (how == 2) {
            amount = uint96(bound(amount, uint256(l.cap) + 1, type(uint96).max));
        } else {
            key = 0xDEAD;
            amount = uint96(bound(amount, 0, l.cap));
        }
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, n.market.voucherDigest(shown, amount));
        try n.market.redeem(id, amount, v, r, s) {
            ++wronglyPaid;
        } catch {}
        ++done[this.redeemWrongly.selector];
    }

    function dispute(uint256 which, bool byProvider) external {
        if (leases.length == 0) return;
        bytes32 id = leases[which % leases.length];
        Lease memory l = n.market.leaseOf(id);
        if (l.state != LeaseState.Active) return;
        address who = byProvider ? l.provider : n.market.jobOf(l.job).requestor;
        if (n.token.balanceOf(who) < l.taskReward) return;
        vm.prank(who);
        n.market.dispute(id);
        ++done[this.dispute.selector];
    }

    function rule(uint256 which, Ruling memory r) external {
        if (leases.length == 0 || which % 3 != 0) return;
        bytes32 id = leases[which / 3 % leases.length];
        Lease memory l = n.market.leaseOf(id);
        if (l.state == LeaseState.Closed) return;
        if (l.state == LeaseState.Settled && block.timestamp > l.since + 21 days) return;
        // Half of all rulings slash nothing, where that can be.
        if (r.earned % 2 == 0) r.slash = 0;
        bool slashOnly = l.state == LeaseState.Settled || l.state == LeaseState.Ruled;
        if (slashOnly && r.slash == 0) return;
        r.challengerBps = uint16(bound(r.challengerBps, 0, 3_000));
        // Not who is counted here.
        r.challenger = address(0xCA11);
        // Now and then all that there is.
        if (r.slash != 0) r.slash = r.slash % 8 == 0 ? type(uint96).max : uint96(bound(r.slash, 1, 200 ether));
        r.earned = uint96(bound(r.earned, 0, uint256(l.cap) * 2));
        ProviderRegistry.Provider memory p = n.registry.providerOf(l.provider);
        uint256 supply = n.token.totalSupply();
        vm.prank(validation);
        n.gate.rule(id, r);
        Lease memory after_ = n.market.leaseOf(id);
        if (after_.redeemed > l.redeemed) {
            promised[id] = after_.redeemed;
            received[id] += after_.redeemed - l.redeemed - (Fees.on(after_.redeemed) - Fees.on(l.redeemed));
        }
        ProviderRegistry.Provider memory q = n.registry.providerOf(l.provider);
        uint256 taken = uint256(p.stake) + p.unbonding - q.stake - q.unbonding;
        if (taken > r.slash || supply - n.token.totalSupply() > taken) ++overSlashed;
        if (slashOnly && after_.redeemed != l.redeemed) ++wronglyPaid;
        ++done[this.rule.selector];
    }

    function settle(uint256 which) external {
        if (leases.length == 0) return;
        bytes32 id = leases[which % leases.length];
        Lease memory l = n.market.leaseOf(id);
        if (!isOpen(l.state) || block.timestamp < n.market.settlesFrom(l.job)) return;
        bool disputed = l.state == LeaseState.DisputedByProvider || l.state == LeaseState.DisputedByRequestor;
        if (disputed && block.timestamp < l.since + 21 days) return;
        n.market.settle(id);
        ++done[this.settle.selector];
    }

    function refund(uint256 which) external {
        if (jobs.length == 0) return;
        uint32 job = jobs[which % jobs.length];
        if (block.timestamp < n.market.settlesFrom(job)) return;
        Job memory j = n.market.jobOf(job);
        if (j.free + j.priority == 0 && (j.openLeases != 0 || j.deposit == 0)) return;
        n.market.refund(job);
        ++done[this.refund.selector];
    }

    function distribute() external {
        n.market.distribute();
        ++done[this.distribute.selector];
    }

    function donate(uint96 amount, bool toMarket) external {
        amount = uint96(bound(amount, 1, 1 ether));
        vm.prank(treasury);
        n.token.transfer(toMarket ? address(n.market) : address(n.registry), amount);
        if (toMarket) donatedToMarket += amount;
        else donatedToRegistry += amount;
        ++done[this.donate.selector];
    }
}
