#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/place/affinity.hpp"

namespace abuzz::place {

// All threads of this process.
std::vector<pid_t> list_threads();
// The one that is called so; 0: none.
pid_t find_thread(const std::string& name);

// Threads of the library that may be brought onto one processor for a while. Only to one that each
// may use anyway; and one whose mask somebody else changed meanwhile is never touched again.
//
// Threads: one at a time; the threads themselves need not know.
class Companions {
 public:
  void add(pid_t thread);
  std::size_t count() const noexcept { return members_.size(); }
  // True if all of them are there now.
  bool gather(std::uint32_t processor);
  // Threads that were started by those here meanwhile have inherited their place, but do not belong
  // here: they may go where the first of those could. Looked for now and then, and by part().
  void release_strays();
  // Where each may run again is what it could before.
  void part();
  bool is_gathered() const noexcept { return is_gathered_; }
  // Of all of them since they began.
  base::Nanos cpu_time() const;

 private:
  struct Member {
    pid_t thread = 0;
    Processors before;    // empty: not moved
    bool is_ours = true;  // nobody else has changed its mask
  };
  static void put_back(Member& member, const Processors& from);

  std::vector<Member> members_;
  Processors place_;          // where they are gathered
  std::vector<pid_t> known_;  // threads that were there before, or were looked at
  bool is_gathered_ = false;
};

}  // namespace abuzz::place
