#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "tools/command_line.hpp"
#include "tools/ledger.hpp"

// Whether the terms of a ledger add up.

namespace abuzz::tools {
namespace {

std::string counted(std::uint64_t count, std::string_view what) {
  return format_count(count).append(" ").append(what);
}

class Checker {
 public:
  explicit Checker(const Ledger& ledger) : ledger_(ledger) {
    for (const StreamLedger& stream : ledger.streams) streams_[stream.id] = &stream;
    for (const PairLedger& pair : ledger.pairs) {
      under_way_[pair.subscription] += pair.queued + pair.in_flight;
    }
  }
  std::vector<Imbalance> find() {
    for (const StreamLedger& stream : ledger_.streams) check(stream);
    for (const PairLedger& pair : ledger_.pairs) check(pair);
    for (const InboxLedger& inbox : ledger_.inboxes) check(inbox);
    for (const EndedLedger& ended : ledger_.ended) check(ended);
    for (const RetainedLedger& retained : ledger_.retained) check(retained);
    return std::move(found_);
  }

 private:
  void check(const StreamLedger& stream);
  void check(const PairLedger& pair);
  void check(const InboxLedger& inbox);
  void check(const EndedLedger& ended);
  void check(const RetainedLedger& retained);
  void blame(std::string where, std::string what) {
    found_.push_back({std::move(where), std::move(what)});
  }

  const Ledger& ledger_;
  std::unordered_map<std::uint64_t, const StreamLedger*> streams_;  // by row
  std::unordered_map<std::uint64_t, std::uint64_t> under_way_;      // by row of the subscription
  std::vector<Imbalance> found_;
};

void Checker::check(const StreamLedger& stream) {
  if (stream.id == 0) return;
  const std::string where = stream.topic + " of " + stream.agent;
  const std::uint64_t sum = stream.before + stream.routed + stream.no_subscriber + stream.voided;
  if (stream.accepted != sum) {
    blame(where, "accepted " + format_count(stream.accepted) + ", but " +
                     counted(stream.before, "before + ") + counted(stream.routed, "routed + ") +
                     counted(stream.no_subscriber, "without a subscriber + ") +
                     counted(stream.voided, "void = ") + format_count(sum));
  }
  if (stream.published < stream.sealed) {
    blame(where, "published " + format_count(stream.published) + ", but sealed " +
                     format_count(stream.sealed));
  }
  if (stream.sealed < stream.accepted) {
    blame(where, "sealed " + format_count(stream.sealed) + ", but accepted " +
                     format_count(stream.accepted));
  }
}

void Checker::check(const PairLedger& pair) {
  const std::uint64_t sum = pair.settled() + pair.queued + pair.in_flight;
  if (pair.matched != sum) {
    blame(pair.name(),
          "matched " + format_count(pair.matched) + ", but " +
              counted(pair.delivered, "delivered + ") + counted(pair.queued, "queued + ") +
              counted(pair.in_flight, "in flight + ") + counted(total(pair.dropped), "dropped + ") +
              counted(total(pair.unknown), "unknown + ") + counted(pair.voided, "void = ") +
              format_count(sum));
  }
  if (pair.topic == snapshots_topic) return;  // no stream stands behind it
  const auto stream = streams_.find(pair.publication);
  // A message that was on its way when the subscription joined is not for it.
  if (stream == streams_.end() || stream->second->accepted < pair.join) return;
  const std::uint64_t accepted = stream->second->accepted - pair.join;
  if (accepted != pair.matched) {
    blame(pair.name(), "accepted " + format_count(accepted) + " since it joined, but matched " +
                           format_count(pair.matched));
  }
}

void Checker::check(const InboxLedger& inbox) {
  const std::string where = inbox.pattern + " of " + inbox.agent;
  const auto waiting = under_way_.find(inbox.id);
  const std::uint64_t under_way = waiting == under_way_.end() ? 0 : waiting->second;
  if (inbox.queued_batches == 0 && under_way != 0) {
    blame(where, counted(under_way, "under way to it, but its queue is empty"));
  }
  const std::uint64_t settled = inbox.delivered + inbox.refused;
  // It may be more: it stands in the middle of a batch, or a number was dropped after a lost link.
  if (inbox.done_no < settled) {
    blame(where, "settled " + format_count(inbox.done_no) + ", but " +
                     counted(inbox.delivered, "delivered + ") +
                     counted(inbox.refused, "refused = ") + format_count(settled));
  }
  if (!inbox.has_file) return;
  if (inbox.agent_done_no < inbox.done_no) {
    blame(where, "settled " + format_count(inbox.done_no) + ", but its agent says " +
                     format_count(inbox.agent_done_no));
  }
  const std::uint64_t told = inbox.agent_done_before + inbox.agent_done_no;
  const std::uint64_t handled = inbox.finished + inbox.duplicate + inbox.agent_refused;
  if (told != handled) {
    blame(where, "its agent settled " + format_count(told) + ", but " +
                     counted(inbox.finished, "handled + ") +
                     counted(inbox.duplicate, "repeated + ") +
                     counted(inbox.agent_refused, "refused = ") + format_count(handled));
  }
}

void Checker::check(const EndedLedger& ended) {
  const std::string where = (ended.topic.empty() ? "other topics" : ended.topic) + ", ended";
  if (ended.accepted != ended.accounted) {
    blame(where, "accepted " + format_count(ended.accepted) + ", but " +
                     counted(ended.accounted, "accounted for"));
  }
  if (ended.matched != ended.settled) {
    blame(where,
          "matched " + format_count(ended.matched) + ", but " + counted(ended.settled, "settled"));
  }
}

void Checker::check(const RetainedLedger& retained) {
  if (retained.kept == retained.accounted()) return;
  blame("retained of " + (retained.topic.empty() ? "all topics" : retained.topic),
        "kept " + format_count(retained.kept) + ", but " + counted(retained.messages, "there + ") +
            counted(retained.replaced, "replaced + ") + counted(retained.evicted, "evicted + ") +
            counted(retained.expired, "expired = ") + format_count(retained.accounted()));
}

// Whether these are two readings of one thing. A counter that fell belongs to a row that was given
// to somebody else meanwhile.
bool is_later(const PairLedger& before, const PairLedger& after) {
  return before.name() == after.name() && before.join == after.join &&
         before.matched <= after.matched;
}
bool is_later(const StreamLedger& before, const StreamLedger& after) {
  return before.topic == after.topic && before.agent == after.agent && before.has_file &&
         after.has_file && before.published <= after.published && before.sealed <= after.sealed;
}

}  // namespace

std::vector<Imbalance> find_imbalances(const Ledger& ledger) {
  return Checker(ledger).find();
}

std::vector<Imbalance> find_contradictions(const Ledger& earlier, const Ledger& later) {
  std::vector<Imbalance> found;
  std::unordered_map<std::uint64_t, const PairLedger*> pairs;
  for (const PairLedger& pair : later.pairs) pairs[pair.id] = &pair;
  for (const PairLedger& before : earlier.pairs) {
    const auto after = pairs.find(before.id);
    if (after == pairs.end() || !is_later(before, *after->second)) continue;
    if (before.settled() <= after->second->matched) continue;
    found.push_back({before.name(), "settled " + format_count(before.settled()) + ", but only " +
                                        format_count(after->second->matched) + " matched"});
  }
  std::unordered_map<std::uint64_t, const StreamLedger*> streams;
  for (const StreamLedger& stream : later.streams) streams[stream.id] = &stream;
  for (const StreamLedger& before : earlier.streams) {
    const auto found_after = streams.find(before.id);
    if (before.id == 0 || found_after == streams.end()) continue;
    const StreamLedger& after = *found_after->second;
    if (!is_later(before, after)) continue;
    const std::string where = before.topic + " of " + before.agent;
    if (before.accepted > after.sealed) {
      found.push_back({where, "accepted " + format_count(before.accepted) + ", but only " +
                                  format_count(after.sealed) + " sealed"});
    }
    if (before.sealed > after.published) {
      found.push_back({where, "sealed " + format_count(before.sealed) + ", but only " +
                                  format_count(after.published) + " published"});
    }
  }
  return found;
}

}  // namespace abuzz::tools
