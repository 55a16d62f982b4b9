#pragma once

#include <cstdint>
#include <map>

namespace abuzz::bench {

// Accounts for every sequence of one publisher: which came, twice, late, or never.
//
// Invariants: received() + lost() == the total given to finish(), and a message is in exactly one
// of in order, reordered, doubled. Cost of take in order: one comparison and two additions.
// One thread.
class SequenceCheck {
 public:
  void take(std::uint64_t sequence) {
    if (sequence == next_) {
      ++next_;
      ++received_;
      return;
    }
    take_odd(sequence);
  }
  void take_corrupt() noexcept { ++corrupt_; }
  // What was sent but is not here, now that nothing more will come.
  void finish(std::uint64_t total);

  std::uint64_t received() const noexcept { return received_; }  // different ones
  std::uint64_t lost() const noexcept { return lost_; }          // after finish()
  std::uint64_t reordered() const noexcept { return reordered_; }
  std::uint64_t doubled() const noexcept { return doubled_; }
  std::uint64_t corrupt() const noexcept { return corrupt_; }

 private:
  void take_odd(std::uint64_t sequence);

  std::uint64_t next_ = 1;  // one past the highest seen
  std::uint64_t received_ = 0;
  std::uint64_t lost_ = 0, reordered_ = 0, doubled_ = 0, corrupt_ = 0;
  std::map<std::uint64_t, std::uint64_t> holes_;  // first -> last of what is missing below next_
};

}  // namespace abuzz::bench
