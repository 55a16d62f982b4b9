#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"
#include "bus/export.hpp"

// The counters of a node or an agent, in a mapped file that any tool of the same user may read at
// any time, also after kill -9 of the owner. The file is rows of 832 bytes: row 0 is the process,
// others are agents, publications, subscriptions and pairs (publication x subscription; of what a
// subscription is given of retained messages, process x subscription), what is remembered of those
// that ended, and what is retained.
//
// Counters are monotone (labels say where one is a gauge). Ids are append-only; label and unit of
// every id stand in the file too, so an older tool can print a newer file.

namespace abuzz {

enum class RowKind : std::uint16_t {
  free = 0,
  process = 1,
  agent = 2,
  publication = 3,
  subscription = 4,
  pair = 5,
  topic = 6,     // what the publications and pairs of a topic that have ended add up to
  departed = 7,  // a subscription that ended because its agent was gone; only the latest few
  thread = 8,    // of a node
  retained = 9,  // what is retained of a topic; without a name: of all that are and were
  owed = 10,     // a lossless subscription of the earlier node that is not back yet
  move = 11,     // an agent that went from one shard to another; only the latest few
};
inline constexpr std::size_t row_counters_max = 64;
// Room in the file, the terminating zero included.
inline constexpr std::size_t counter_label_bytes = 40;
inline constexpr std::size_t counter_unit_bytes = 12;

// --- Append only. Every enumerator has an entry in counter_table(). ---
enum class ProcessCounter : std::uint16_t {
  frames_in,
  frames_out,
  bytes_in,
  bytes_out,
  batches_in,
  batches_out,
  messages_in,
  messages_out,
  frames_rejected,
  batches_rejected,
  strikes,
  strangers,
  sessions_opened,
  sessions_closed,
  agents_now,
  subscriptions_now,
  publications_now,
  route_hits,
  route_misses,
  pool_hits,
  pool_misses,
  pool_bytes_held,
  hub_full,
  hub_unreachable,
  door_turned_away,
  wakeups,
  busy_ns,
  beat_ns,
  queued_messages,
  queued_bytes,
  over_limit,
  corrupt_reported,
  memory_refused,
  state,
  held_bytes,
  events,          // told by the node itself, on reserved topics
  events_unheard,  // of them, without a subscription that matched
  events_lost,     // of them, for want of a buffer or a counter row
  // The most bytes of bulk that were not acknowledged on a link when something of the lanes control
  // or high was put behind them.
  bulk_ahead_bytes,
  links_broken,    // a frame was missing: the link was given up, and the session goes on without it
  dead_letters,    // kept
  dead_forgotten,  // that were kept, and made room for others
  moves,           // of agents from shard to shard
  // 1 more than the processor on which threads were brought together, because they handle exchanges
  // of single messages and wake-ups across processors are dear; 0: none.
  meeting,
  waiting,     // place.waiting: 0 eco, 1 balanced, 2 low_latency
  waiting_ns,  // spent looking for work before sleeping in the kernel, by all of its threads
  // Of an agent's pool, whose handlers run beside each other:
  workers,         // now
  workers_grown,   // started
  workers_shrunk,  // that were too many
  calls_stolen,    // begun by another worker than the one they were dealt to
  pins_refused,    // workers that were to be pinned, and run anywhere
};
enum class AgentCounter : std::uint16_t {
  state,
  session_epoch,
  frames_in,
  frames_out,
  bytes_in,
  bytes_out,
  messages_in,
  messages_out,
  strikes,
  connected_at_ns,
  last_beat_ns,
  reconnects,
  responsive,        // 1, or 0 without a beat
  progressing,       // 1, or 0 when it has deliveries and settles none
  unsettled,         // deliveries, queued or in flight
  progress_ns,       // it settled some, or had none
  bulk_ahead_bytes,  // of the process row, on the link to this agent
  shard,             // of a node: which one has its link
  moves,             // from shard to shard
};
enum class PublicationCounter : std::uint16_t {
  pushed,
  last_seq,
  accepted,
  batches,
  bytes,
  no_subscriber,
  delivered,
  dropped,
  duplicate,
  voided,
  refused_back_pressured,
  refused_too_large,
  refused_closed,
  match_count,
  limit_messages,
  limit_bytes,
  resent,
  held_ns,
  lane,
  base,              // node: accepted by earlier nodes, or before this one forgot the stream
  routed,            // node: to at least one subscription
  unknown,           // agent: accepted by earlier nodes, which did not tell the outcome
  unknown_outcome,   // node: no subscriber handled it, and one that may have is gone
  receipts_asked,    // node: messages that asked for one
  receipts_settled,  // node: of them, those whose receipt is written
  holder,            // node: row index of the lossless subscription that it waits for; 0: of none
};
enum class SubscriptionCounter : std::uint16_t {
  policy,
  sent_no,
  received_no,
  done_no,
  queued_messages,
  queued_bytes,
  received,
  started,
  finished,
  duplicate,
  gap,
  corrupt,
  batches,
  dropped_queue_full,
  dropped_peer_gone,
  dropped_shutdown,
  dropped_corrupt,
  matched_publications,
  stalls,
  pool_misses,
  dropped_conflated,
  dropped_expired,
  queued_batches,  // node: entries that wait or are in flight
  delivered,       // node
  refused,
  unknown_peer_gone,
  done_before,   // agent: settled with earlier nodes, whose numbers ended there
  dropped_dead,  // of a group: every attempt failed
  members,       // of a group; its own row stands beside those of its members
  leased,        // messages in hand: of the group, or of the member
  redelivered,   // given to a member once more
  lapsed,        // leases whose time was over
  nacked,        // given back by members
  stale,         // words about leases that were over
};
enum class PairCounter : std::uint16_t {
  join,
  handed,
  taken,
  delivered,
  queued,
  dropped_queue_full,
  dropped_peer_gone,
  dropped_shutdown,
  dropped_corrupt,
  dropped_too_large,
  unknown_peer_gone,
  unknown_node_lost,
  void_after_join,
  dropped_conflated,
  dropped_expired,
  matched,    // every message since it joined is in one of the other terms
  in_flight,  // sent, not settled; `queued` is what was not sent
  dropped_dead,
};
// Each is the sum of the counter of the same name over rows that were removed.
enum class TopicCounter : std::uint16_t {
  publications,
  accepted,  // since their base
  routed,
  no_subscriber,
  voided,
  pairs,
  matched,
  delivered,
  queued,  // what was left at the end, as in_flight: 0 unless something is wrong
  in_flight,
  dropped_queue_full,
  dropped_peer_gone,
  dropped_shutdown,
  dropped_corrupt,
  dropped_too_large,
  dropped_conflated,
  dropped_expired,
  unknown_peer_gone,
  unknown_node_lost,
  void_after_join,
  dropped_dead,
  abandoned,  // published, and not taken by the node before the publisher's agent was gone
};
enum class DepartedCounter : std::uint16_t { at_ns, stalled, delivered, dropped, unknown };
enum class ThreadCounter : std::uint16_t {
  role,   // PlannedThread::Role
  index,  // among those of its role
  pinned,
  refused,     // pins that the kernel refused
  processors,  // that it may run on
  // Of shards:
  busy_ns,
  wakeups,
  turns,      // that it had at the node's switch
  in_vain,    // times that another one had it
  waited_ns,  // for those
  turn_ns,    // inside turns, which is what does not scale; an estimate
};
enum class MoveCounter : std::uint16_t { at_ns, from, to };
// kept = messages + replaced + evicted + expired
enum class RetainedCounter : std::uint16_t {
  messages,           // now
  bytes,              // kept alive now
  messages_max,       // of each key
  kept,               // in all
  replaced,           // a newer one of the key took the place
  evicted,            // for want of room in the topic's or the node's bound
  expired,            // outlived its time to live
  hits,               // asked for the last value: there was one
  misses,             // there was none
  snapshots,          // given to subscriptions that came later
  snapshot_messages,  // in them
};
// Values of ProcessCounter::state and AgentCounter::state.
enum class PeerState : std::uint64_t { none, starting, ready, stalled, draining, gone, busy };

// In whose file a counter of an agent, a publication or a subscription stands: elsewhere it is 0
// and says nothing. What both count is the node's to tell. nobody: of this id nothing is known.
enum class CounterSide : std::uint8_t { node, agent, nobody };

struct CounterInfo {
  RowKind kind;
  std::uint16_t id;
  const char* key;    // the enumerator, for programs: it never changes
  const char* label;  // "route misses", for people
  const char* unit;   // "messages", "bytes", "ns", "frames", "1" ...
  bool is_gauge;
  CounterSide side;
};
ABUZZ_EXPORT std::span<const CounterInfo> counter_table() noexcept;
ABUZZ_EXPORT const char* peer_state_name(PeerState state) noexcept;

// One row of a file that this process writes. Stable address while it lives.
// Threads: one writer per counter; readers anywhere. Cost of add: a load and a store.
class StatsRow {
 public:
  template <class Id>
  void add(Id id, std::uint64_t amount = 1) noexcept {
    auto& word = counters_[static_cast<std::size_t>(id)];
    // Single writer: no read-modify-write needed. Relaxed: readers want values, not ordering.
    word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  template <class Id>
  void set(Id id, std::uint64_t value) noexcept {
    counters_[static_cast<std::size_t>(id)].store(value, std::memory_order_relaxed);
  }
  // For the rare counter that several threads raise.
  template <class Id>
  void add_shared(Id id, std::uint64_t amount = 1) noexcept {
    counters_[static_cast<std::size_t>(id)].fetch_add(amount, std::memory_order_relaxed);
  }
  template <class Id>
  std::uint64_t get(Id id) const noexcept {
    return counters_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed);
  }

 private:
  friend class StatsFile;
  friend struct StatsLayout;
  std::atomic<std::uint32_t> version_;  // odd while ids and text change; a seqlock of the row
  std::uint16_t kind_;
  std::uint16_t reserved_;
  std::uint64_t ids_[6];
  std::atomic<std::uint64_t> counters_[row_counters_max];
  char text_[264];
};
static_assert(sizeof(StatsRow) == 832);

struct StatsIdentity {
  std::uint64_t node_id = 0;
  std::uint32_t node_epoch = 0;
  std::uint64_t agent_id = 0;  // 0 for a node
};

struct RowSnapshot {
  std::uint32_t index = 0;
  RowKind kind = RowKind::free;
  std::uint64_t ids[6] = {};
  std::uint64_t counters[row_counters_max] = {};
  std::string text, text2, text3;

  template <class Id>
  std::uint64_t get(Id id) const noexcept {
    return counters[static_cast<std::size_t>(id)];
  }
};

// A counter as the file describes it: that of a newer version may have some unknown here.
struct CounterDescription {
  RowKind kind = RowKind::free;
  std::uint16_t id = 0;
  std::string label, unit;
  bool is_gauge = false;
};

struct StatsSnapshot {
  StatsIdentity identity;
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::vector<CounterDescription> counters;
  std::vector<RowSnapshot> rows;  // without free ones; rows[0] is the process
};

// A counter file that this process owns. Creating it reserves address space for `rows_max` rows and
// disk for a few; add_row extends it (posix_fallocate, so a full disk is an error, not a SIGBUS).
// An empty path keeps it in anonymous memory (tests, simulation).
// Threads: add_row and remove_row by one thread at a time.
class ABUZZ_EXPORT StatsFile {
 public:
  static Result<std::unique_ptr<StatsFile>> create(const std::string& path,
                                                   const StatsIdentity& identity,
                                                   std::size_t rows_max);
  ~StatsFile();  // unmaps; the file stays until somebody unlinks it
  StatsFile(const StatsFile&) = delete;
  StatsFile& operator=(const StatsFile&) = delete;

  StatsRow& process() noexcept;
  // The texts are kept (cut to what fits, 261 bytes in all). nullptr when rows_max or the disk is
  // exhausted: the caller goes on without and counts.
  StatsRow* add_row(RowKind kind, std::span<const std::uint64_t> ids, std::string_view text,
                    std::string_view text2 = {}, std::string_view text3 = {}) noexcept;
  // Sets the ids again (e.g. a new session epoch).
  void set_ids(StatsRow& row, std::span<const std::uint64_t> ids) noexcept;
  // Zeroes the row and keeps it for the next add_row. Requires: nobody writes to it any more.
  void remove_row(StatsRow* row) noexcept;
  // Of a row, as readers see it in `RowSnapshot::index`.
  std::uint32_t index_of(const StatsRow& row) const noexcept;
  // What read_stats would answer; also of one in anonymous memory. By the thread that adds rows.
  StatsSnapshot snapshot() const;

 private:
  StatsFile() = default;
  struct State;
  std::unique_ptr<State> state_;
};

// Reads a file of this or another process. Each row is consistent in ids and text; counters are
// single reads.
ABUZZ_EXPORT Result<StatsSnapshot> read_stats(const std::string& path);
// The first row alone, which is that of the process: a node has thousands behind it.
Result<RowSnapshot> read_process_row(const std::string& path);
// The same as read_stats of a file that is open already, perhaps removed meanwhile; `path` is for
// error texts.
Result<StatsSnapshot> read_stats(int descriptor, const std::string& path);

// Ids by row kind, as node and agent write them:
//   process:      {pid, start_ticks}, by StatsFile::create
//   agent:        {agent_id, pid, start_ticks, session_epoch}           text name, text2 kind,
//                                                                       text3 description
//   publication:  {agent_id, publisher_id, publisher_epoch, handle}     text topic, text2 name of
//       the agent, by the node. Handle 0: it has ended; what it published is still on its way
//   subscription: {agent_id, handle}     text pattern, text2 group, text3 name of the agent, by the
//       node; without one it is a group's own
//   pair:         {row index of the publication, row index of the subscription}
//   topic:        {}                     text topic; empty: of all topics that have no row
//   departed:     {agent_id, handle}     text pattern, text2 name of the agent
//   owed:         {agent_id, handle, pid, start_ticks}                  text pattern, text2 group
//   move:         {agent_id}             text name of the agent, text2 why
//   thread:       {}                     text name, text2 its processors, text3 why

}  // namespace abuzz
