#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bus/stats.hpp"
#include "tools/reasons.hpp"

// The ledger: what became of every message, term by term, from the counter files of a node and its
// agents; and whether they contradict each other. Pure functions, so that they are tested without
// a node.
//
//   stream: published = before + staged + in_flight + routed + no_subscriber + void
//   pair:   matched = delivered + queued + in_flight + dropped{reason} + unknown{reason} + void
//
// Each term has a counter of its own, but for two gaps between counters of different threads, of
// a stream: staged = published - sealed, in_flight = sealed - accepted. `before` is what earlier
// nodes had accepted.

namespace abuzz::tools {

// One reading of all counter files.
struct Counters {
  struct Agent {
    std::string file;  // NAME-PID: its file without the ending
    StatsSnapshot stats;
  };
  StatsSnapshot node;
  std::vector<Agent> agents;  // read after the node, so none is behind what the node knows of it
  std::chrono::nanoseconds read_at{0};  // on the monotonic clock
};

// One publisher's messages.
struct StreamLedger {
  std::string topic, agent;
  std::uint64_t id = 0;      // its row in the node's file; 0: the node does not have it
  bool has_file = false;     // of the agent; else published is what the node accepted
  std::uint64_t before = 0;  // accepted by earlier nodes
  std::uint64_t accepted = 0;
  std::uint64_t sealed = 0, published = 0;
  std::uint64_t routed = 0, no_subscriber = 0, voided = 0;
  Reasons voided_by;          // why
  std::uint64_t unknown = 0;  // of `before`: the earlier node did not tell
  std::uint64_t staged() const noexcept { return published > sealed ? published - sealed : 0; }
  std::uint64_t in_flight() const noexcept { return sealed > accepted ? sealed - accepted : 0; }
  bool operator==(const StreamLedger&) const = default;
};

// What one subscription got of one publisher; or of the node, of what is retained.
struct PairLedger {
  std::string topic, publisher, pattern, subscriber;
  std::uint64_t id = 0, publication = 0, subscription = 0;  // rows in the node's file
  std::uint64_t join = 0, matched = 0, delivered = 0, queued = 0, in_flight = 0, voided = 0;
  Reasons dropped, unknown;
  std::uint64_t settled() const noexcept {
    return delivered + total(dropped) + total(unknown) + voided;
  }
  std::string name() const;  // "orders.new of shop to orders.* of billing"
  bool operator==(const PairLedger&) const = default;
};

// What node and agent say about one subscription.
struct InboxLedger {
  std::string pattern, agent;
  std::uint64_t id = 0;  // its row in the node's file
  std::uint64_t queued_batches = 0, done_no = 0, delivered = 0, refused = 0;
  bool has_file = false;
  std::uint64_t agent_done_no = 0, agent_done_before = 0;
  std::uint64_t finished = 0, duplicate = 0, agent_refused = 0;
  bool operator==(const InboxLedger&) const = default;
};

// Under this name stands what subscriptions were given of retained messages: beside the streams.
inline constexpr std::string_view snapshots_topic = "$retained";

// The sums of a topic, with the streams and pairs that have ended.
struct TopicLedger {
  std::string topic;  // empty: of topics that are too many to be remembered one by one
  std::uint64_t published = 0, before = 0, staged = 0, in_flight_up = 0;
  std::uint64_t routed = 0, no_subscriber = 0;
  Reasons voided;
  std::uint64_t matched = 0, delivered = 0, queued = 0, in_flight = 0;
  Reasons dropped, unknown_pairs, voided_pairs;
  std::uint64_t unknown_before = 0;  // of `before`, what the earlier nodes did not tell
  Reasons unknown() const;
  // Not settled: with the publishers, and for subscriptions.
  std::uint64_t held() const noexcept { return staged + in_flight_up; }
  std::uint64_t waiting() const noexcept { return queued + in_flight; }
  bool operator==(const TopicLedger&) const = default;
};

// Terms that do not add up.
struct Imbalance {
  std::string where;  // the pair, stream or subscription
  std::string what;   // "matched 12, but 10 delivered + 1 queued = 11"
  bool operator==(const Imbalance&) const = default;
};

// What is retained of a topic; without a name: of all.
struct RetainedLedger {
  std::string topic;
  std::uint64_t kept = 0, messages = 0, replaced = 0, evicted = 0, expired = 0;
  std::uint64_t accounted() const noexcept { return messages + replaced + evicted + expired; }
  bool operator==(const RetainedLedger&) const = default;
};

// Who left `unknown` behind, or queues that were dropped.
struct DepartedLedger {
  std::string agent, pattern;
  std::uint64_t at_ns = 0, delivered = 0, dropped = 0, unknown = 0;
  bool is_stalled = false;  // it lives, but stood still past its stall limit
  bool operator==(const DepartedLedger&) const = default;
};

// What streams and pairs of a topic that have ended left.
struct EndedLedger {
  std::string topic;
  std::uint64_t accepted = 0, accounted = 0;  // of streams
  std::uint64_t matched = 0, settled = 0;     // of pairs
  bool operator==(const EndedLedger&) const = default;
};

struct Ledger {
  std::vector<StreamLedger> streams;
  std::vector<PairLedger> pairs;
  std::vector<InboxLedger> inboxes;
  std::vector<TopicLedger> topics;  // by name
  std::vector<EndedLedger> ended;
  std::vector<RetainedLedger> retained;
  std::vector<DepartedLedger> departed;
  // A bus at work is not read in one moment: only of a quiet one this says that something is wrong.
  std::vector<Imbalance> imbalances;
  bool operator==(const Ledger&) const = default;
};
Ledger make_ledger(const Counters& counters);
std::vector<Imbalance> find_imbalances(const Ledger& ledger);

// What cannot be, however busy the bus is: more settled in the earlier reading than had come in the
// later one.
std::vector<Imbalance> find_contradictions(const Ledger& earlier, const Ledger& later);

}  // namespace abuzz::tools
