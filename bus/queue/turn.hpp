#pragma once

#include <atomic>
#include <cstdint>

#include "bus/base/cache_line.hpp"

namespace abuzz::queue {

// A try-lock for a few known threads, its members, who take turns at one object. Nobody waits in
// it: who comes in vain goes on with other work or sleeps, and whoever leaves says who was in vain.
//
//   if (turn.try_enter(self)) { ...; ring all of turn.leave(); } else { ...sleep, until rung }
//
// Threads: member i is one thread; up to members_max. Ownership: guards one object.
// Invariants: who came in vain is named by a leave() that comes after its try, or enters with a
// later try. Why: a member stores its mark and then loads `inside_`; who leaves stores `inside_`
// and then loads the marks. All four are seq_cst, so at least one of the two sees the other: the
// member finds the turn free and tries again, or the leaver finds the mark. If a third thread
// entered in between, the mark stood before it did, and its own leave() finds it. Only leave() and
// the member itself wipe a mark out, and leave() names what it wiped out.
// What was done inside is seen by who is inside next: leave() releases, try_enter() acquires.
// Cost: entering is one locked instruction and leaving one locked store when nobody else comes; no
// system call, no allocation.
class Turn {
 public:
  using Members = std::uint64_t;  // a bit each
  static constexpr std::uint32_t members_max = 64;

  static constexpr Members bit(std::uint32_t member) noexcept { return Members{1} << member; }

  // False: somebody else is inside, and this member stands marked.
  bool try_enter(std::uint32_t member) noexcept {
    if (take()) return true;
    marks_.fetch_or(bit(member), std::memory_order_seq_cst);
    if (!take()) return false;
    // Relaxed: it is inside, and nobody has to hear that it is in vain no more.
    marks_.fetch_and(~bit(member), std::memory_order_relaxed);
    return true;
  }
  // Requires: this thread is inside. Returns who came in vain meanwhile, and must be woken.
  Members leave() noexcept {
    inside_.store(false, std::memory_order_seq_cst);
    if (marks_.load(std::memory_order_seq_cst) == 0) return 0;
    return marks_.exchange(0, std::memory_order_seq_cst);
  }
  // It came in vain, and was not named yet. Asked before sleeping, after Doorbell::arm(): a mark
  // that is gone means that its turn may have come.
  bool is_marked(std::uint32_t member) const noexcept {
    return (marks_.load(std::memory_order_seq_cst) & bit(member)) != 0;
  }

 private:
  // The load spares the line while somebody is inside; it is the load of the pair.
  bool take() noexcept {
    return !inside_.load(std::memory_order_seq_cst) &&
           !inside_.exchange(true, std::memory_order_seq_cst);
  }

  // Shared: raised by take, lowered by leave.
  alignas(base::writer_distance_bytes) std::atomic<bool> inside_{false};
  // Shared: a bit is raised by its member, lowered by it or by who leaves.
  alignas(base::writer_distance_bytes) std::atomic<Members> marks_{0};
};

}  // namespace abuzz::queue
