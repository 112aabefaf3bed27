// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ResultBoard} from "../src/ResultBoard.sol";
import {Bid, JobTerms, Mode, Ruling} from "../src/market/Types.sol";
import {MarketTest} from "./Market.base.sol";

/// The branches are those of `ResultBoard.tree`.
contract ResultBoardTest is MarketTest {
    bytes32 internal constant ROOT = keccak256("root");
    bytes32 internal constant SECRET = keccak256("secret");

    uint256[3] internal keys = [uint256(11), 12, 13];
    bytes32[3] internal leases;
    uint32 internal job;

    function begin(Mode mode) internal {
        JobTerms memory t = terms();
        t.mode = mode;
        t.quorum = mode == Mode.Quorum ? 2 : 0;
        job = createJob(t);
        Bid[] memory bids = new Bid[](3);
        for (uint256 i = 0; i < 3; ++i) {
            join(vm.addr(keys[i]), 1_000 ether);
            bids[i] = bidOf(vm.addr(keys[i]), i);
            leases[i] = signBid(job, bids[i], keys[i]);
        }
        vm.prank(requestor);
        assertEq(market.award(job, bids), 3);
    }

    function commit(uint256 i, bytes32 root) internal {
        bytes32 commitment = board.commitmentOf(leases[i], root, SECRET);
        vm.prank(vm.addr(keys[i]));
        board.commit(leases[i], commitment);
    }

    function reveal(uint256 i, bytes32 root) internal {
        vm.prank(vm.addr(keys[i]));
        board.reveal(leases[i], root, SECRET);
    }

    function test_commit_is_the_providers() public {
        begin(Mode.Race);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotTheProvider.selector, STRANGER));
        vm.prank(STRANGER);
        board.commit(leases[0], ROOT);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotTheProvider.selector, STRANGER));
        vm.prank(STRANGER);
        board.reveal(leases[0], ROOT, SECRET);
    }

    function test_commit_is_not_for_spot_checks() public {
        begin(Mode.SpotCheck);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.WrongMode.selector, Mode.SpotCheck));
        vm.prank(vm.addr(keys[0]));
        board.commit(leases[0], ROOT);
    }

    function test_commit_once_until_the_deadline() public {
        begin(Mode.Race);
        vm.warp(START + 3 days);
        commit(0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.Already.selector, leases[0]));
        vm.prank(vm.addr(keys[0]));
        board.commit(leases[0], ROOT);
        vm.warp(START + 3 days + 1);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotNow.selector));
        vm.prank(vm.addr(keys[1]));
        board.commit(leases[1], ROOT);
    }

    function test_reveal_once_in_its_days() public {
        begin(Mode.Race);
        commit(0, ROOT);
        commit(1, ROOT);
        vm.warp(START + 3 days);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotNow.selector));
        reveal(0, ROOT);
        vm.warp(START + 3 days + 1);
        vm.expectEmit(address(board));
        emit ResultBoard.Revealed(job, leases[0], ROOT, 1);
        reveal(0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.Already.selector, leases[0]));
        reveal(0, ROOT);
        vm.warp(START + 6 days + 1);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotNow.selector));
        reveal(1, ROOT);
        vm.warp(START + 6 days);
        reveal(1, ROOT);
        assertEq(board.resultOf(leases[0]).place, 1);
        assertEq(board.resultOf(leases[1]).place, 2);
        assertEq(board.agreedRoot(job), 0);
    }

    function test_reveal_needs_the_commitment() public {
        begin(Mode.Race);
        commit(0, ROOT);
        commit(1, 0);
        vm.warp(START + 4 days);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotCommitted.selector, leases[0]));
        reveal(0, keccak256("another"));
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotCommitted.selector, leases[1]));
        reveal(1, 0);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotCommitted.selector, leases[2]));
        reveal(2, ROOT);
    }

    /// A copied commitment cannot be revealed: the lease is in it.
    function test_a_copied_commitment_is_worth_nothing() public {
        begin(Mode.Race);
        commit(0, ROOT);
        bytes32 copied = board.resultOf(leases[0]).commitment;
        vm.prank(vm.addr(keys[1]));
        board.commit(leases[1], copied);
        vm.warp(START + 4 days);
        reveal(0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.NotCommitted.selector, leases[1]));
        reveal(1, ROOT);
    }

    function test_commit_once_for_a_provider_and_job() public {
        begin(Mode.Race);
        Bid memory bid = bidOf(vm.addr(keys[0]), 9);
        bytes32 second = signBid(job, bid, keys[0]);
        assertEq(awardOne(job, bid), 1);
        commit(0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.Already.selector, second));
        vm.prank(vm.addr(keys[0]));
        board.commit(second, ROOT);
        begin(Mode.Race);
        commit(0, ROOT);
    }

    function test_who_was_slashed_in_the_job_has_no_result() public {
        begin(Mode.Quorum);
        commit(0, ROOT);
        Ruling memory r = ruling();
        r.slash = 1;
        rule(leases[0], r);
        rule(leases[1], r);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.SlashedHere.selector, vm.addr(keys[1])));
        vm.prank(vm.addr(keys[1]));
        board.commit(leases[1], ROOT);
        commit(2, ROOT);
        vm.warp(START + 4 days);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.SlashedHere.selector, vm.addr(keys[0])));
        vm.prank(vm.addr(keys[0]));
        board.reveal(leases[0], ROOT, SECRET);
        reveal(2, ROOT);
        assertEq(board.agreedRoot(job), 0);
    }

    function test_a_race_has_no_quorum() public {
        begin(Mode.Race);
        commit(0, ROOT);
        commit(1, ROOT);
        vm.warp(START + 4 days);
        reveal(0, ROOT);
        reveal(1, ROOT);
        assertEq(board.agreedRoot(job), 0);
    }

    /// A bid that was taken back is of no job.
    function test_a_cancelled_bid_has_no_result() public {
        begin(Mode.Quorum);
        Bid memory bid = bidOf(vm.addr(keys[0]), 9);
        bytes32 cancelled = signBid(job, bid, keys[0]);
        vm.startPrank(vm.addr(keys[0]));
        market.cancelBid(job, bid);
        vm.expectRevert(abi.encodeWithSelector(ResultBoard.WrongMode.selector, Mode.SpotCheck));
        board.commit(cancelled, ROOT);
        vm.stopPrank();
    }

    function test_a_quorum_agrees_once() public {
        begin(Mode.Quorum);
        commit(0, keccak256("false"));
        commit(1, ROOT);
        commit(2, ROOT);
        vm.warp(START + 4 days);
        reveal(0, keccak256("false"));
        reveal(1, ROOT);
        assertEq(board.agreedRoot(job), 0);
        vm.expectEmit(address(board));
        emit ResultBoard.Revealed(job, leases[2], ROOT, 3);
        vm.expectEmit(address(board));
        emit ResultBoard.Agreed(job, ROOT);
        reveal(2, ROOT);
        assertEq(board.agreedRoot(job), ROOT);
    }
}
