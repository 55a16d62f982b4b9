#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/role_report.hpp"

// A role is one process of a run: the hub that relays, or a client of it. The benchmark starts its
// own program once for each and talks to it over stdin and stdout:
//
//   role       -> bench   {"event":"ready"}   it is connected; nothing published from now is missed
//   bench      -> clients "go"                publish, or ping, for the duration
//   publisher  -> bench   {"event":"sent","sent":N}
//   bench      -> subscriber "total N"        end once N messages are accounted for
//   bench      -> the others "stop"
//   role       -> bench   {"event":"done",...}
//
// End of file on stdin ends every role. Nothing of bus/ stands here.

namespace abuzz::bench {

struct RoleOptions {
  std::string system;     // "abuzz", "zmq"
  std::string role;       // "hub", "publisher", "subscriber", "pinger", "ponger"
  std::string directory;  // for sockets, private to one run
  std::size_t bytes = 64;
  std::int64_t duration_ns = 0;
  bool is_polling = false;  // Abuzz: receive by poll() instead of by handler
};

// How the command line of a role spells its options, and back; false: it is not one.
std::string encode(const RoleOptions& options);
bool decode(std::string_view text, RoleOptions& options);

// The role's end of the conversation. One thread.
class RoleChannel {
 public:
  void ready(std::string_view text = {});
  void sent(std::uint64_t count);
  void done(RoleReport report);  // adds CPU time since ready() and resident memory
  void failed(std::string_view text);

  // The next line; nothing after `patience_ns` (negative: none needed, it waits) or at the end.
  std::optional<std::string> line(std::int64_t patience_ns);
  bool is_ended() const noexcept { return is_ended_; }
  // Waits for that very line; false at the end of the conversation.
  bool await(std::string_view expected);
  // "total N", if it is here within the patience.
  std::optional<std::uint64_t> total(std::int64_t patience_ns);

 private:
  std::string buffer_;
  std::uint64_t cpu_at_ready_ns_ = 0;
  bool is_ended_ = false;
};

// Runs one role to its end, on stdin and stdout. Returns the exit code.
int run_role(const RoleOptions& options);

}  // namespace abuzz::bench
