#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bus/export.hpp"

namespace abuzz {

// Every error that Abuzz can answer with. The numbers are stable: they are the NNNN of the printed
// id ABZ-NNNN, travel on the wire, and `abuzz errors ABZ-NNNN` explains each. Append only.
enum class Error : std::uint16_t {
  internal = 100,  // a bug of ours that was caught in time
  system = 101,    // the operating system refused; the detail names the call
  out_of_memory = 102,
  descriptors = 103,  // RLIMIT_NOFILE is too low
  bad_topic = 201,
  bad_pattern = 202,
  reserved_topic = 203,  // a topic that begins with '$'
  config_unreadable = 301,
  config_syntax = 302,
  config_unknown_key = 303,
  config_out_of_range = 304,
  config_bad_value = 305,
  no_node = 401,
  node_start_failed = 402,
  node_binary_missing = 403,
  node_already_running = 404,
  runtime_directory_unsafe = 405,
  path_too_long = 406,
  bad_agent_name = 501,
  agent_name_taken = 502,
  version_mismatch = 503,
  denied = 504,  // another user, or a token that is not the agent's
  handshake_timeout = 505,
  agents_limit = 506,
  links_limit = 507,
  struck_out = 508,  // three frames were refused: the node closed the session
  too_large = 601,   // payload over its limit
  subscriptions_limit = 602,
  node_subscriptions_limit = 603,
  memory_budget = 604,
  publications_limit = 605,
  bad_bound = 606,       // a subscription bound outside its range
  group_conflict = 607,  // a member that wants another mode, policy or limits than its group has
  back_pressured = 701,
  closed = 702,
  timed_out = 703,
  stalled_out = 704,  // a lossless subscriber stood still past its stall limit
  no_subscriber = 901,
  undelivered = 902,  // dropped by every subscription that matched
  expired = 903,      // its time to live was over before it was handled
  nothing_retained = 904,
  no_responder = 905,    // nobody replies to requests on the topic
  peer_gone = 906,       // the responder was gone before its reply was whole
  cancelled = 907,       // the requester did not want it any more
  request_failed = 908,  // the responder said so
  dead_lettered = 909,   // every attempt of its group failed
  not_leased = 910,      // the lease is over: acknowledged, given back, or lapsed
  reply_incomplete = 912,
  unknown_flag = 1001,
  bad_flag_value = 1002,
  missing_argument = 1003,
  unknown_verb = 1004,
  unreadable_input = 1005,
  unknown_name = 1006,  // no agent, topic or pattern of the node
  bad_frame = 1201,
  bad_version = 1202,
  bad_checksum = 1203,
  bad_batch = 1204,
  criterion_not_met = 1301,
};

struct ErrorInfo {
  Error error;
  const char* name;    // no_node
  const char* text;    // one line: what happened
  const char* advice;  // one line: what to do next
  int exit_code;       // of `abuzz`
};

// All of them, ascending.
ABUZZ_EXPORT const ErrorInfo* error_table(std::size_t* count) noexcept;
// nullptr for a number that is none.
ABUZZ_EXPORT const ErrorInfo* find_error(std::uint16_t number) noexcept;
// For a number that is none (it may come from a newer peer): an entry that says so.
ABUZZ_EXPORT const ErrorInfo& error_info(Error error) noexcept;
// "ABZ-0401"
ABUZZ_EXPORT std::string error_id(Error error);

// Why a call failed. `detail` is empty on the message route, so nothing is allocated there.
struct Failure {
  Error error = Error::internal;
  std::string detail;

  // "ABZ-0401 no node is running: DETAIL. ADVICE", on one line
  ABUZZ_EXPORT std::string message() const;
};

// Prints the failure on stderr and exits with 1. The caller's explicit choice.
[[noreturn]] ABUZZ_EXPORT void exit_with(const Failure& failure);

// A value or the reason why there is none. Never throws.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T&& value) : value_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(const T& value) : value_(value) {}                  // NOLINT(google-explicit-constructor)
  Result(Failure failure) : failure_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error) : failure_{error, {}} {}               // NOLINT(google-explicit-constructor)

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  // On an error: prints it and exits with 1.
  T& value() & {
    if (!ok()) exit_with(failure_);
    return *value_;
  }
  T&& value() && {
    if (!ok()) exit_with(failure_);
    return std::move(*value_);
  }
  // Requires: !ok().
  const Failure& failure() const noexcept { return failure_; }
  Error error() const noexcept { return failure_.error; }

 private:
  std::optional<T> value_;
  Failure failure_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace abuzz
