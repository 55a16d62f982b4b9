#include "bus/error.hpp"

#include <algorithm>
#include <iterator>

namespace abuzz {
namespace {

// What `abuzz` exits with; DESIGN and README list the meanings.
enum Exit : int {
  exit_failed = 1,
  exit_usage = 2,
  exit_config = 3,
  exit_no_node = 4,
  exit_timed_out = 5,
  exit_criterion = 6,
  exit_denied = 7,
  exit_undelivered = 9,
};

// Ascending by number: find_error searches it. `text` continues a line and has no full stop;
// `advice` is a sentence, also without one.
constexpr ErrorInfo table[] = {
    {Error::internal, "internal", "a bug in Abuzz was caught in time",
     "Please report it with the line above and the output of `abuzz doctor`", exit_failed},
    {Error::system, "system", "the operating system refused",
     "The detail names the call and the cause; `abuzz doctor` checks the usual ones", exit_failed},
    {Error::out_of_memory, "out_of_memory", "no memory is left",
     "Raise the memory limit of the process or lower node.memory_budget", exit_failed},
    {Error::descriptors, "descriptors", "no file descriptor is left",
     "Raise the limit with `ulimit -n`, or LimitNOFILE= of the service", exit_failed},
    {Error::bad_topic, "bad_topic", "this is not a topic",
     "A topic is 1 to 8 tokens of A-Z a-z 0-9 _ - joined by dots, at most 128 bytes", exit_usage},
    {Error::bad_pattern, "bad_pattern", "this is not a pattern",
     "A pattern is a topic in which '*' stands for one token and a last '>' for one or more",
     exit_usage},
    {Error::reserved_topic, "reserved_topic", "topics that begin with '$' are reserved",
     "Choose a topic without the '$'; in a shell, quote the topic with single quotes", exit_denied},
    {Error::config_unreadable, "config_unreadable", "the config file cannot be read",
     "Check the path and its permissions; `abuzz config init` writes a new file", exit_config},
    {Error::config_syntax, "config_syntax", "the config file is not valid TOML",
     "Correct the line; units stand in quotes: idle_exit = \"30s\"", exit_config},
    {Error::config_unknown_key, "config_unknown_key", "there is no such config key",
     "`abuzz config show` lists every key", exit_config},
    {Error::config_out_of_range, "config_out_of_range", "a config value is out of range",
     "`abuzz config explain KEY` says what is allowed", exit_config},
    {Error::config_bad_value, "config_bad_value", "a config value cannot be understood",
     "`abuzz config explain KEY` shows the form; durations and sizes carry a unit", exit_config},
    {Error::no_node, "no_node", "no node is running",
     "Any `abuzz pub` or `abuzz sub` starts one, `abuzz node run` one that stays", exit_no_node},
    {Error::node_start_failed, "node_start_failed", "a node was started but did not become ready",
     "Run `abuzz node run` in a terminal to see why", exit_no_node},
    {Error::node_binary_missing, "node_binary_missing", "the program `abuzz` was not found",
     "Put it on PATH or name it in ABUZZ_NODE_BIN", exit_no_node},
    {Error::node_already_running, "node_already_running", "a node already runs here",
     "Use it, stop it with `abuzz node stop`, or choose another node.runtime_directory",
     exit_failed},
    {Error::runtime_directory_unsafe, "runtime_directory_unsafe",
     "the runtime directory is not safe to use",
     "It must be yours, mode 0700 and not a symbolic link: remove it or choose another",
     exit_failed},
    {Error::path_too_long, "path_too_long", "the path of the runtime directory is too long",
     "A socket path has 107 bytes: choose a shorter node.runtime_directory", exit_config},
    {Error::bad_agent_name, "bad_agent_name", "this is not a name or a kind for an agent",
     "A name is one token of A-Z a-z 0-9 _ - of at most 64 bytes; a kind has at most 32 bytes and "
     "no control characters",
     exit_usage},
    {Error::agent_name_taken, "agent_name_taken", "another agent of this node has the name",
     "Choose another name; `abuzz ls` shows who has it", exit_failed},
    {Error::version_mismatch, "version_mismatch", "node and agent speak different versions",
     "Update the older one; `abuzz version` says which this is", exit_failed},
    {Error::denied, "denied", "access was denied",
     "The node serves only its own user, and a name only the agent that proved it", exit_denied},
    {Error::handshake_timeout, "handshake_timeout", "the node did not answer in time",
     "`abuzz doctor` says whether it is overloaded or stopped", exit_no_node},
    {Error::agents_limit, "agents_limit", "the node has as many agents as it may",
     "Close some or raise node.agents_max", exit_failed},
    {Error::links_limit, "links_limit", "the node has as many links as it may",
     "Close some processes or raise node.links_max", exit_failed},
    {Error::struck_out, "struck_out", "the node closed the session after three bad frames",
     "The agent's program is faulty or was tampered with; the node's log names each frame",
     exit_failed},
    {Error::too_large, "too_large", "the payload is over its limit",
     "Send less at a time or raise limits.payload_bytes_max on both sides", exit_failed},
    {Error::subscriptions_limit, "subscriptions_limit",
     "the agent has as many subscriptions as it may",
     "Use patterns, close some or raise agent.subscriptions_max", exit_failed},
    {Error::node_subscriptions_limit, "node_subscriptions_limit",
     "the node has as many subscriptions as it may",
     "Use patterns, close some or raise node.subscriptions_max", exit_failed},
    {Error::memory_budget, "memory_budget", "the node's memory budget is used up",
     "`abuzz ls` shows what is queued; raise node.memory_budget if that is right", exit_failed},
    {Error::publications_limit, "publications_limit", "there are as many publishers as allowed",
     "Close some or raise publications_max in [agent] and [node]", exit_failed},
    {Error::bad_bound, "bad_bound", "a bound of the subscription is outside its range",
     "The detail names the bound and its range", exit_usage},
    {Error::group_conflict, "group_conflict", "the group has other settings",
     "Members of one group on one pattern state the same mode, policy, acknowledgement and "
     "attempts",
     exit_usage},
    {Error::back_pressured, "back_pressured", "there is no room now: a subscriber is behind",
     "Try again or publish with a deadline; `abuzz why TOPIC` says who is behind", exit_failed},
    {Error::closed, "closed", "it is closed", "Connect again", exit_failed},
    {Error::timed_out, "timed_out", "the time is up",
     "Allow more time; `abuzz why TOPIC` says what is in the way", exit_timed_out},
    {Error::stalled_out, "stalled_out",
     "a lossless subscriber stood still past its stall limit and was dropped",
     "Make its handler faster, or choose another policy or stall limit", exit_failed},
    {Error::no_subscriber, "no_subscriber", "nobody subscribes to it: delivered to no one",
     "Start a subscriber first; `abuzz why TOPIC` shows near misses", exit_undelivered},
    {Error::undelivered, "undelivered", "every subscription that matched dropped it",
     "`abuzz why TOPIC` names the subscriptions and the causes", exit_undelivered},
    {Error::expired, "expired", "its time to live was over before a handler got it",
     "Give it more time, or find out what was slow with `abuzz why TOPIC`", exit_undelivered},
    {Error::nothing_retained, "nothing_retained", "nothing is retained on the topic",
     "Publish with `--retain 1`; after a node restart only living publishers bring their values",
     exit_undelivered},
    {Error::no_responder, "no_responder", "nobody replies to requests on it",
     "Start a responder first: `abuzz reply`, or Agent::reply; `abuzz ls` shows who listens",
     exit_undelivered},
    {Error::peer_gone, "peer_gone", "the responder was gone before its reply was whole",
     "Ask again; whether the work was done is not known", exit_failed},
    {Error::cancelled, "cancelled", "the request was cancelled",
     "Ask again if that was not intended", exit_failed},
    {Error::request_failed, "request_failed", "the responder failed",
     "The detail is what it said; its own output may say more", exit_failed},
    {Error::dead_lettered, "dead_lettered", "no member of the group could handle it",
     "`abuzz dead ls` lists what is kept, `abuzz dead show TOPIC` how each attempt failed",
     exit_undelivered},
    {Error::not_leased, "not_leased", "the message is not leased any more",
     "It was acknowledged, given back, or its time was over: another member may have it; "
     "report progress in time or ask for a longer acknowledgement time",
     exit_failed},
    {Error::reply_incomplete, "reply_incomplete", "a part of the reply was lost",
     "Ask again; `abuzz audit` says whether the node lost it", exit_failed},
    {Error::unknown_flag, "unknown_flag", "there is no such flag",
     "`abuzz VERB --help` lists the flags", exit_usage},
    {Error::bad_flag_value, "bad_flag_value", "a flag has a value that it cannot take",
     "`abuzz VERB --help` shows what it takes", exit_usage},
    {Error::missing_argument, "missing_argument", "an argument is missing",
     "`abuzz VERB --help` shows the arguments", exit_usage},
    {Error::unknown_verb, "unknown_verb", "there is no such command",
     "`abuzz --help` lists the commands", exit_usage},
    {Error::unreadable_input, "unreadable_input", "the input cannot be read",
     "Check that it is the file that you mean and that you may read it", exit_failed},
    {Error::unknown_name, "unknown_name", "nothing of the node has this name",
     "`abuzz ls` lists agents, topics and subscriptions", exit_failed},
    {Error::bad_frame, "bad_frame", "a frame was refused: its header is not valid",
     "The sender is faulty or speaks another protocol; the detail names the field", exit_failed},
    {Error::bad_version, "bad_version", "a frame was refused: its version is not spoken here",
     "Update the older side; a node speaks its version and the one before", exit_failed},
    {Error::bad_checksum, "bad_checksum", "a batch was refused: its checksum is wrong",
     "Bytes changed on the way: check the memory and the network of the hosts", exit_failed},
    {Error::bad_batch, "bad_batch", "a batch was refused: its content is not valid",
     "The sender is faulty; the detail names the field", exit_failed},
    {Error::criterion_not_met, "criterion_not_met", "the criterion is not met",
     "The lines above say which one and by how much", exit_criterion},
};

constexpr bool is_ascending() {
  for (std::size_t i = 1; i < std::size(table); ++i) {
    if (table[i - 1].error >= table[i].error) return false;
  }
  return true;
}
static_assert(is_ascending());

// A number that came over the wire from a newer peer.
constexpr ErrorInfo unknown = {
    Error::internal, "unknown", "an error that this version does not know",
    "Update Abuzz; `abuzz errors` lists those that it knows", exit_failed};

}  // namespace

const ErrorInfo* error_table(std::size_t* count) noexcept {
  if (count != nullptr) *count = std::size(table);
  return table;
}

const ErrorInfo* find_error(std::uint16_t number) noexcept {
  const auto* found = std::lower_bound(
      std::begin(table), std::end(table), number,
      [](const ErrorInfo& info, std::uint16_t n) { return static_cast<unsigned>(info.error) < n; });
  if (found == std::end(table) || static_cast<std::uint16_t>(found->error) != number) {
    return nullptr;
  }
  return found;
}

const ErrorInfo& error_info(Error error) noexcept {
  const ErrorInfo* found = find_error(static_cast<std::uint16_t>(error));
  return found != nullptr ? *found : unknown;
}

std::string error_id(Error error) {
  char id[16];
  std::snprintf(id, sizeof id, "ABZ-%04u", static_cast<unsigned>(error));
  return id;
}

std::string Failure::message() const {
  const ErrorInfo& info = error_info(error);
  std::string message = error_id(error);
  message += ' ';
  message += info.text;
  if (!detail.empty()) {
    message += ": ";
    message += detail;
  }
  if (message.back() != '.' && message.back() != '?') message += '.';
  message += ' ';
  message += info.advice;
  return message;
}

void exit_with(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.message().c_str());
  std::exit(exit_failed);
}

}  // namespace abuzz
