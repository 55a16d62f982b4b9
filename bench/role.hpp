#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/role_report.hpp"

// A role is one process of a run: the hub that relays, or a client of it. The benchmark starts its
// own program once for each and talks to it over stdin and stdout:
//
//   role       -> bench   {"event":"ready"}   it is connected; nothing published from now is missed
//   bench      -> clients "go"                publish, or ping, for the duration
//   publisher  -> bench   {"event":"sent","sent":N}
//   bench      -> subscriber "total N ..."    end once so many of each source are accounted for
//   bench      -> the others "stop"
//   role       -> bench   {"event":"done",...}
//
// End of file on stdin ends every role. Nothing of bus/ stands here.

namespace abuzz::bench {

struct RoleOptions {
  std::string system;     // "abuzz", "zmq", ...
  std::string role;       // "hub", or one of those in roles.hpp
  std::string directory;  // for sockets and files, private to one run
  std::string endpoint;   // as the hub told it; empty: none needed
  std::size_t bytes = 64;
  std::int64_t duration_ns = 0;
  double rate = 0;             // messages a second of this source; 0: as fast as it is let
  unsigned source = 0;         // of a publisher, or of a subscriber: which of them it is
  unsigned sources = 1;        // publishers of the run
  unsigned sinks = 1;          // subscribers of the run
  bool is_polling = false;     // Abuzz: receive by poll() instead of by handler
  std::string lane;            // of the scenario lanes: "high" or "bulk"; a channel of its own
  unsigned burst = 1;          // at a rate: so many are to leave at the same moment
  bool may_spin = false;       // at a rate: there are processors to spare for it
  std::string load;            // of the scenario heritage
  std::uint64_t messages = 0;  // a source ends after so many; 0: after the duration
};

// How the command line of a role spells its options, and back; false: it is not one.
std::string encode(const RoleOptions& options);
bool decode(std::string_view text, RoleOptions& options);

// How many messages each source sent.
struct Totals {
  std::vector<std::uint64_t> of_source;
  std::uint64_t sum() const noexcept {
    return std::accumulate(of_source.begin(), of_source.end(), std::uint64_t{0});
  }
};
std::string encode(const Totals& totals);

// The role's end of the conversation. One thread.
class RoleChannel {
 public:
  void ready(std::string_view text = {});
  void sent(std::uint64_t count);
  // Adds resident memory, and CPU time since ready() unless the report has some: a hub in a
  // process of its own says what that one used.
  void done(RoleReport report);
  void failed(std::string_view text);

  // The next line; nothing after `patience_ns` (negative: none needed, it waits) or at the end.
  std::optional<std::string> line(std::int64_t patience_ns);
  bool is_ended() const noexcept { return is_ended_; }
  // Waits for that very line; false at the end of the conversation.
  bool await(std::string_view expected);
  // "total N ...", if it is here within the patience.
  std::optional<Totals> totals(std::int64_t patience_ns);

 private:
  std::string buffer_;
  std::uint64_t cpu_at_ready_ns_ = 0;
  bool is_ended_ = false;
};

// Runs one role to its end, on stdin and stdout. Returns the exit code.
int run_role(const RoleOptions& options);

}  // namespace abuzz::bench
