#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/amount.hpp"
#include "bus/delivery/conflation.hpp"
#include "bus/delivery/coverage.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/delivery/losses.hpp"
#include "bus/delivery/receipts.hpp"
#include "bus/delivery/retained_intake.hpp"
#include "bus/delivery/ring.hpp"
#include "bus/delivery/send_queue.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/options.hpp"
#include "bus/receipt.hpp"
#include "bus/stats.hpp"
#include "bus/wire/control.hpp"
#include "bus/wire/layout.hpp"

// What a switch remembers. Plain structs: Switch is the only one that changes them.
//
//   Port --owns--> Publication --has--> Pair <--has-- Subscription <--owns-- Port
//                      ^                                  | lines: queue, in_flight
//                      +-------- Routed <-----------------+ Entry

namespace abuzz::delivery {

// One agent's session as the switch sees it.
using PortId = std::uint64_t;

struct Publication;
struct Subscription;
struct Port;

// One accepted batch, shared by the queues of all subscriptions it was routed to, kept until every
// one of them has settled it.
struct Routed {
  Publication* publication = nullptr;
  mem::Buffer slice;  // empty once every subscriber's process has received it
  wire::Lane lane = wire::Lane::normal;
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;     // messages; 0 for a chunk that is not the last
  std::uint32_t skipped = 0;   // leading messages that had come before and have their outcome
  std::uint64_t charge = 0;    // bytes of credit
  base::Nanos expires_at = 0;  // 0: never
  std::uint32_t slice_bytes = 0;
  std::uint32_t holders = 0;  // entries that may still have to be sent (again)
  std::uint32_t pending = 0;  // entries that are not settled
  Coverage handled;           // by some subscription; `skipped` counts as handled
  bool is_retained = false;   // kept for who comes later: the switch's own
  bool is_train = false;      // a chunk, or the end of a train that will not be complete
  bool first_of_train = false;
  bool aborts = false;  // stands for "the train ends here"; has no batch, but a key
  wire::AbortKey abort_key;
  Losses losses;                           // why others were not; until its outcome is counted
  ReceiptBook::Batch* receipts = nullptr;  // in the publication's book; nullptr: not asked, or told
  bool is_reported = false;                // its outcome is counted
  bool may_repeat = false;                 // an earlier node had it, and may have delivered it
  std::uint32_t owed = 0;  // lossless entries whose subscriber's process does not have it yet
  std::uint64_t span = 0;  // with owed: which of Publication::spans
};

// Bytes of credit of `count` of its messages, as wire::charged_bytes.
inline std::uint64_t charge_of(const Routed& routed, std::uint32_t count) noexcept {
  if (routed.is_train || count >= routed.count) return routed.charge;
  return (routed.charge * count + routed.count - 1) / routed.count;
}

struct Pair;
struct Lot;
struct Group;
struct Member;

// One batch, or consecutive messages of it, in one subscription's queue or in flight to it.
struct Entry {
  Routed* routed = nullptr;
  Pair* pair = nullptr;  // nullptr: settled before its turn, or on its way to a member of a group
  Lot* lot = nullptr;    // of a group: what it is a part of
  std::uint32_t first = 0;  // message index inside the batch
  std::uint32_t count = 0;
  std::uint64_t charge = 0;          // bytes of credit
  std::uint64_t first_delivery = 0;  // given when it is sent first
  std::uint64_t ticket = 0;          // the queue's
  Conflation::Slot* slot = nullptr;  // of latest, while it is queued
  bool is_sent = false;              // it is in flight; false again when it must be sent again
  std::uint32_t refused_first = 0;   // of the messages, those that the subscriber refused
  std::uint32_t refused_count = 0;
  std::uint32_t passed_count = 0;  // leading ones that it passed over, and may not have handled
};

// A publication and a subscription that matches it.
struct Pair {
  Publication* publication = nullptr;
  Subscription* subscription = nullptr;
  Amount limit;   // lossless: absolute, in the publication's accepted amounts
  Amount excess;  // of what is outstanding, what was out before it joined: beyond the bound
  Amount want;    // asked for at once (a message larger than the share)
  Amount target;  // what it should have outstanding, as last decided
  std::uint64_t seen_seq = 0;                        // of the publication, when timers last looked
  std::uint32_t entries = 0;                         // in queue and in flight
  bool is_hungry = false;                            // stands in Line::hungry
  bool drops_train = false;                          // the chunk train under way did not fit
  DropReason train_reason = DropReason::queue_full;  // with drops_train
  bool sends_train = false;    // a train to this subscription is begun and not ended
  bool skips_train = false;    // the chunk train under way began before it joined
  std::vector<Routed*> train;  // of a group: the pieces of it that came
  StatsRow* row = nullptr;
};

// Consecutive sequences of a publication that some lossless subscriber has not received yet.
struct Span {
  std::uint64_t last_seq = 0;
  std::uint32_t owed = 0;
};

struct Publication {
  // Messages whose outcome is known.
  std::uint64_t outcomes() const noexcept { return delivered + no_subscriber + dropped + unknown; }

  Port* port = nullptr;  // nullptr: withdrawn
  std::uint64_t agent_id = 0;
  std::uint32_t handle = 0;
  std::uint32_t publisher_id = 0;
  std::uint32_t publisher_epoch = 0;
  std::string topic;
  std::uint64_t topic_hash = 0;
  wire::Lane lane = wire::Lane::normal;
  std::unique_ptr<RetainedIntake::Source> retained;  // nullptr where nothing is
  std::uint64_t accepted_seq = 0;
  std::uint64_t settled_seq = 0;  // every lossless subscriber's process has what is up to here
  Ring<Span> spans;               // accepted, not settled
  std::uint64_t first_span = 0;   // number of the first of them
  std::uint32_t next_chunk = 0;   // of the train under way; 0: none
  Amount accepted;                // what credit was used
  Amount limit;                   // what credit was given
  Amount limit_wanted;            // what the publisher asked for, absolute
  Amount limit_told;              // as last told to the publisher
  std::uint64_t accepted_told = 0, settled_told = 0;
  std::uint64_t flush_seq = 0;  // outcomes up to here are asked for
  std::uint64_t delivered = 0, no_subscriber = 0, dropped = 0, unknown = 0;
  std::uint64_t outcome_told = 0;  // their sum, as last told
  std::array<std::uint64_t, drop_reason_count> dropped_by{}, dropped_by_told{};
  std::unique_ptr<ReceiptBook> receipts;  // from the first batch that asks
  std::uint32_t match_told = 0;
  std::uint32_t lossless_count = 0;
  std::uint32_t keyed_count = 0;  // subscriptions to which keys matter
  std::uint32_t routed_open = 0;  // Routed that are not settled everywhere
  bool interest_changed = false;
  bool is_dirty = false;  // stands in Port::dirty
  bool tells_at_once = false;
  bool is_paused = false;  // the link was lost: nothing is told until it is advertised again
  bool is_fresh = true;    // its agent may not know yet that this node has met it
  // Nothing is taken until so many lossless subscriptions have returned from an earlier node, or
  // the time is over.
  std::uint32_t awaits_returns = 0;
  base::Nanos awaits_until = 0;
  bool is_withdrawn = false;
  std::vector<Pair*> route;  // the route cache: every subscription that matches
  std::vector<Pair*>
      former;  // of one that is withdrawn: those it had, of subscriptions still there
  StatsRow* row = nullptr;
};

// What a subscription gets on one lane, first in first out, and numbered apart: so a lane may pass
// another one anywhere without leaving a hole in either.
struct Line {
  SendQueue<Entry> queue;             // not sent yet
  Ring<Entry> in_flight;              // sent, not settled
  std::size_t received_entries = 0;   // leading entries of in_flight that arrived
  std::uint64_t sent_no = 0;          // delivery numbers: messages
  std::uint64_t done_no = 0;          // the same
  std::uint64_t records_sent = 0;     // entries sent, in all, but for those to be sent again
  std::uint64_t records_settled = 0;  // entries that left in_flight
  Ring<Pair*> hungry;                 // for credit, in turn; nullptr where one left
  std::uint32_t matched = 0;          // publications of the lane on its route
  bool is_ready = false;              // stands in Port::ready of the lane
};

struct Subscription {
  Port* port = nullptr;
  std::uint32_t handle = 0;
  std::string pattern;
  Policy policy = Policy::lossless;
  std::uint32_t latest_max = 0;  // of latest: messages kept per topic and key
  Conflation conflation;         // of latest
  Amount bound;                  // of the queue
  Amount window;                 // in flight and unconsumed at the subscriber
  base::Nanos stall_limit = 0;
  std::array<Line, wire::data_lanes> lines;  // high, normal, bulk
  // All of the rest is of the three lines together.
  std::uint32_t expiring = 0;     // queued entries that have a time to live
  Amount queued;                  // sum over the queues
  std::size_t batches_shown = 0;  // in queue and in flight, as in the counter file
  Amount sent;                    // in all
  Amount consumed;                // in all, as settled
  Amount backlog;                 // lossless: accepted for it, not consumed
  Amount granted;                 // lossless: sum over pairs of limit - accepted - excess
  Amount share;                   // lossless: what each pair may have outstanding
  base::Nanos blocked_since = 0;  // 0: not blocked
  std::vector<std::unique_ptr<Pair>> pairs;
  std::unique_ptr<Pair> snapshot;  // what was retained, as if one publisher had published it
  wire::Retained wants = wire::Retained::none;
  LaneTurn grants;             // which lane gets the next credit
  bool returns = false;        // it was live at an earlier node
  bool is_paused = false;      // the link was lost: nothing is sent until it is resumed
  bool wants_service = false;  // stands in Switch's list of subscriptions to serve
  // Of a group: its own subscription has pairs and what waits, and no agent; its members have what
  // they were dealt, and no pairs.
  Group* group = nullptr;
  Member* member = nullptr;
  bool is_own_of_group() const noexcept { return group != nullptr && member == nullptr; }
  StatsRow* row = nullptr;

  Line& line(wire::Lane lane) noexcept { return lines[wire::lane_index(lane)]; }
  bool has_queue() const noexcept {
    return std::any_of(lines.begin(), lines.end(),
                       [](const Line& line) { return !line.queue.is_empty(); });
  }
  bool has_hungry() const noexcept {
    return std::any_of(lines.begin(), lines.end(),
                       [](const Line& line) { return !line.hungry.is_empty(); });
  }
  // Whether something of a higher lane may come.
  bool matches_above(wire::Lane lane) const noexcept {
    return std::any_of(lines.begin(), lines.begin() + wire::lane_index(lane),
                       [](const Line& line) { return line.matched > 0; });
  }
};

struct Port {
  PortId id = 0;
  std::uint64_t agent_id = 0;
  std::string name;                                          // of the agent
  std::uint32_t shard = 0;                                   // in whose list it stands
  bool said_goodbye = false;                                 // what it handled is told in full
  base::Nanos suspended_since = 0;                           // 0: its link is up
  base::Nanos resumed_at = 0;                                // when it came up last
  std::vector<std::unique_ptr<Publication>> publications;    // by handle - 1
  std::vector<std::unique_ptr<Subscription>> subscriptions;  // by handle - 1
  std::vector<Publication*> dirty;                           // something to tell the publisher
  // By lane: which subscriptions may have deliveries to send; those of a lane are served in turn.
  struct Ready {
    std::vector<Subscription*> subscriptions;
    std::size_t next = 0;
  };
  std::array<Ready, wire::data_lanes> ready;
  LaneTurn turn;
  // What peek chose: a lane, and a place in that queue of the subscription whose turn it is.
  std::size_t chosen_lane = 0, chosen_place = 0;
  struct GoneItem {
    std::uint32_t subscription;
    DropReason reason;
  };
  std::vector<GoneItem> gone;              // to tell
  std::vector<std::uint32_t> ended;        // told, but the word may be lost with the link
  std::vector<wire::ReplyEnd> reply_ends;  // to tell
  std::vector<wire::RequestAct> acts;      // of other agents; to tell
  bool has_output = false;                 // stands in Switch's list of ports with output
};

}  // namespace abuzz::delivery
