#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"
#include "bus/message.hpp"
#include "bus/receipt.hpp"

// What callers ask for, and what they are told: plain structs of agent, publisher, subscription.

namespace abuzz {

struct AgentOptions {
  std::string name;              // one token, at most 64 bytes, unique on the node; empty: made up
  std::string kind;              // free text for people, at most 32 bytes, no control characters
  std::string description = {};  // the same, at most 128 bytes
  // The thread that connects waits for replies itself, and may be moved to the processor where the
  // agent's own threads are brought together with the node's (place.pin, `abuzz topo --advise`).
  // Else no thread of the caller is ever moved. What a handler starts meanwhile begins where the
  // agent's threads are: a thread may leave that place within a second, a process keeps it unless
  // it sets its own mask (or place.pin is off).
  bool moves_caller = false;
};

struct CloseReport {
  std::uint64_t unsent = 0;     // published here, not accepted by a node at the deadline
  std::uint64_t unhandled = 0;  // received here, neither handled nor polled
};

// What became of a publisher's messages, in all since it was made. Each message is in one term.
struct FlushReport {
  std::uint64_t delivered = 0;      // handled by at least one subscription
  std::uint64_t no_subscriber = 0;  // matched nothing
  std::uint64_t dropped = 0;        // matched, and dropped by all of them
  std::uint64_t pending = 0;        // not known yet at the deadline
  std::uint64_t unknown = 0;        // the node or the subscriber that would know was lost
  // `dropped` by the first reason that each message met, by the number of the DropReason.
  std::array<std::uint64_t, drop_reason_count> dropped_by{};

  std::uint64_t dropped_for(DropReason reason) const noexcept {
    const auto index = static_cast<std::size_t>(reason);
    return index < dropped_by.size() ? dropped_by[index] : 0;
  }
};

// What a publisher is, for as long as it lives.
struct PublisherOptions {
  Lane lane = Lane::normal;  // high, normal or bulk
  // Of each key, so many of the last messages on the topic are kept for who subscribes later, and
  // for Agent::get; the largest wish of the topic's publishers counts. 0: none; at most 65,536, and
  // 8 MiB a topic. They stay when this publisher is gone, as long as the node runs; to the next
  // node only publishers that are still there bring theirs.
  std::uint32_t retain_messages = 0;
};

// Optional facts of one message.
struct MessageOptions {
  // The message is dropped, counted as expired, when this has passed (it may be 1 ms less) before a
  // handler got it; 0 or less: never; more than 24 days count as 24. Messages in a row with
  // different ones do not share a batch.
  std::chrono::milliseconds time_to_live{0};
  std::uint64_t key = 0;
  std::uint64_t correlation = 0;
  // The publisher wants to know what becomes of this one message; its number, by which
  // Publisher::receipt is asked, is Publisher::last_sequence() after it was queued. Messages in a
  // row with and without do not share a batch.
  bool receipt = false;
  // More messages of this publisher follow at once: this one may wait for them, so that they leave
  // together and nobody is woken for each. It leaves with the first one without this, with
  // Publisher::push, flush, or when there are 32 KiB; without any of these there is no time by
  // which it does.
  bool more = false;
};

// Space inside the batch under construction. Write into payload(), then Publisher::commit it.
struct Claim {
  SendStatus status = SendStatus::closed;  // the space is usable only if queued
  std::span<std::byte> payload;            // 8-aligned
};

// When the subscriber falls behind. Values are on the wire.
enum class Policy : std::uint8_t {
  lossless = 0,  // publishers are held; past stall_limit this subscription is gone
  drop_new = 1,  // the newcomer goes, counted as queue_full
  drop_old = 2,  // the oldest goes, counted as queue_full
  latest = 3,    // of each topic and key the oldest goes, counted as conflated
};

// Which member of a group gets what comes next. Values are on the wire.
enum class GroupMode : std::uint8_t {
  least_outstanding = 0,  // of two by chance the one with less in hand
  round_robin = 1,        // the next in turn
  sticky = 2,             // each key goes to one member while that lives and keeps up
};

// When a message of a group counts as delivered.
enum class AckMode : std::uint8_t {
  automatic,  // when its handler returned, or it was polled
  manual,     // when it was acknowledged: MessageView::ack, or Lease
};

struct SubscribeOptions {
  Policy policy = Policy::lossless;
  std::chrono::milliseconds stall_limit{0};  // lossless; 0: subscription.stall_limit of the config
  std::uint32_t latest_messages = 0;         // latest: kept per topic and key, from 1; others: 0
  std::uint32_t queue_messages = 0;  // 0: from the config, by policy; latest: at least that many
  std::uint64_t queue_bytes = 0;     // 0: from the config
  bool retained = true;  // first what is retained on the topics that match; groups: nothing of it

  // With a name this subscription is a member of the group (name, pattern): each message goes to
  // one of the members, and to another one if that dies or gives it back. The name is one token of
  // at most 64 bytes. The rest must be the same for all members (group_conflict), and the bounds
  // above are those of the first. The policy `latest` is not for groups.
  std::string group = {};
  GroupMode group_mode = GroupMode::least_outstanding;
  AckMode ack = AckMode::automatic;
  // Manual: what is not acknowledged by then goes to another member. 0: subscription.ack_timeout of
  // the config; at most 1h.
  std::chrono::milliseconds ack_timeout{0};
  // How many handlers of this subscription may run at once; at most 256. 1: they run on the agent's
  // own thread, one at a time with all others. More: on a pool of the agent, with a worker for each
  // core, and up to four where handlers sleep. Then order is kept for each publisher and key: a
  // message is not begun before the handlers of those before it with that key have returned; those
  // without a key (0) are in no order. What the handler uses must bear that (a Publisher does not).
  std::uint32_t concurrency = 1;
  // Of a BatchHandler: it is called with so many messages, at most 4096, or with what is there when
  // the first of them has waited for so long, at most 1s.
  std::uint32_t batch_max = 64;
  std::chrono::microseconds batch_wait{1000};
  // Attempts that a message gets before it goes to `$dead.TOPIC`. 0: subscription.attempts_max of
  // the config; at most 1000.
  std::uint32_t attempts_max = 0;
};

// Times and place of a request.
struct RequestOptions {
  std::chrono::nanoseconds idle_timeout =
      std::chrono::seconds(60);                                 // since the last that was heard
  std::chrono::nanoseconds hard_limit = std::chrono::hours(1);  // in all, whatever is heard
  Lane lane = Lane::normal;                                     // of replies, too
  std::uint64_t key = 0;
};

enum class ReplyKind : std::uint8_t { none, progress, part, last, failed };

// One thing that came for a request.
struct Reply {
  ReplyKind kind = ReplyKind::none;
  std::vector<std::byte> payload;  // of progress, part and last
  Failure failure;                 // of failed

  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

// Runs on the agent's executor, one message at a time but for SubscribeOptions::concurrency; must
// not throw. May publish and flush.
using Handler = std::function<void(const MessageView&)>;
// Is given several messages at once, each valid until it returns; then all of them are handled.
// Must not throw.
using BatchHandler = std::function<void(std::span<const MessageView>)>;

struct SubscriptionReport {
  std::uint64_t received = 0;    // messages verified and queued here
  std::uint64_t handled = 0;     // handler returned, or polled
  std::uint64_t duplicates = 0;  // recognised after a reconnect and dropped
  std::uint64_t gaps = 0;        // sequences that were skipped
  std::uint64_t corrupt = 0;     // batches whose body was refused
  std::uint64_t batches = 0;
};

}  // namespace abuzz
