// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// Amounts are in the token's smallest unit and fit into 96 bits, because the supply does (10^27 < 2^90). Times are in
// seconds since 1970. A work unit is one second of the reference machine.

/// @notice What a machine is. Claimed by its owner, except in `ProviderRegistry.tierOf`.
struct Hardware {
    /// The class of its GPU in the network's published table, from slow to fast; 0 is none.
    uint8 gpuClass;
    /// Memory of one GPU in GiB; 255 is that or more.
    uint8 vramGiB;
    /// Where it stands, by the network's published table; 0 is unsaid.
    uint8 region;
}

/// @notice How a machine measured up in the validators' benchmark.
enum Tier {
    Unmeasured,
    Consumer,
    Professional,
    DataCentre
}

/// @notice What a job asks of a provider. 0 asks nothing.
struct Requirement {
    /// At least this class of GPU.
    uint8 gpuClass;
    /// At least this much memory.
    uint8 vramGiB;
    /// Exactly this region.
    uint8 region;
    /// At least this tier, attested and not expired.
    Tier tier;
}

/// @notice How results are trusted.
enum Mode {
    /// Random parts are computed again, drawn after the commitment.
    SpotCheck,
    /// Several providers do the same work; the first commitment to the accepted result wins.
    Race,
    /// A result counts when enough providers reveal the same.
    Quorum
}

/// @notice What a requestor asks for.
struct JobTerms {
    /// sha-256 digest in the CID of the job's manifest.
    bytes32 manifest;
    /// sha-256 digest in the CID of the renderer or source that has to run; 0 for the engine itself.
    bytes32 program;
    /// The key that signs vouchers.
    address signer;
    /// Until when bids can be awarded and work delivered.
    uint40 deadline;
    /// The highest price of a work unit.
    uint64 priceCap;
    /// What all leases together can cost.
    uint96 escrow;
    /// Paid into the fees at the first award, to be served before others; 0 for none.
    uint96 priority;
    /// What providers must have.
    Requirement need;
    /// How results are trusted.
    Mode mode;
    /// How many equal results `Mode.Quorum` needs, at least 2; 0 in other modes.
    uint8 quorum;
}

/// @notice A job as it is stored.
struct Job {
    address requestor;
    uint40 deadline;
    /// When the requestor closed it; 0 if they did not.
    uint40 closedAt;
    Mode mode;
    uint8 quorum;
    // New slot.
    address signer;
    uint64 priceCap;
    /// Leases that are not settled.
    uint32 openLeases;
    // New slot.
    /// Escrow that is in no lease.
    uint96 free;
    uint96 deposit;
    // `Requirement`, spelt out: a struct within a struct would begin a slot of its own.
    uint8 gpuClass;
    uint8 vramGiB;
    uint8 region;
    Tier tier;
    // New slot.
    uint96 priority;
    // New slot.
    bytes32 manifest;
}

/// @notice Where a lease is on its way.
enum LeaseState {
    None,
    /// Vouchers are redeemed.
    Active,
    /// As `Active`, and a dispute that the provider opened waits for its ruling.
    DisputedByProvider,
    /// As `Active`, and a dispute that the requestor opened waits for its ruling.
    DisputedByRequestor,
    /// As `Active`, and ruled on without a slash: there is no other dispute.
    Ruled,
    /// No vouchers any more, and the stake is free. A slash can still come.
    Settled,
    /// Slashed, or a bid that was taken back. Nothing can happen any more.
    Closed
}

/// @notice A lease: the promise to pay one provider for work in one job, up to a cap.
struct Lease {
    address provider;
    /// Paid so far, fee included.
    uint96 redeemed;
    // New slot.
    /// The most that will be paid, fee included.
    uint96 cap;
    /// As the bid said.
    uint88 taskReward;
    uint32 job;
    /// Since when it is in its state.
    uint32 since;
    LeaseState state;
}

/// @notice A provider's offer, signed off chain. Its EIP-712 digest is the id of the lease that it becomes.
struct Bid {
    address provider;
    /// Price of a work unit, fee included.
    uint64 unitPrice;
    /// Work units offered; the lease's cap is their price.
    uint40 units;
    /// What one task is paid, by the provider's word: 40 times this is locked of its stake, and a dispute's bond is this
    /// much. No voucher is held against it.
    uint88 taskReward;
    /// When the provider means to have delivered.
    uint40 eta;
    /// The last second in which it can be awarded.
    uint40 expiry;
    /// Makes two equal offers two.
    bytes32 salt;
    // The provider's signature.
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @notice What validation decided about a lease. Of the rulings on a lease the first one decides about its money, and the
/// first one with a slash ends it.
struct Ruling {
    /// What the provider has earned at least, cumulative, fee included; paid out of the lease, up to its cap.
    uint96 earned;
    /// What the provider is given of the requestor's deposit, up to all of it.
    uint96 forfeit;
    /// What the provider loses of its stake, up to all of it. If it is not zero, no voucher pays after it.
    uint96 slash;
    /// Who found the fault, or zero.
    address challenger;
    /// The challenger's share of the slash, in hundredths of a per cent, at most 3,000.
    uint16 challengerBps;
    /// Who is given the bond, if there is a dispute: the provider, else the requestor, whoever opened it.
    bool providerIsRight;
}
