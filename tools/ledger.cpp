#include "tools/ledger.hpp"

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "tools/own_counters.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

using Pub = PublicationCounter;
using Sub = SubscriptionCounter;
using Pr = PairCounter;
using T = TopicCounter;

// The rows of a node's file, with who is behind each.
class Builder {
 public:
  explicit Builder(const Counters& counters) : counters_(counters), files_(counters) {
    for (const RowSnapshot& row : counters.node.rows) {
      if (row.kind == RowKind::agent) agents_[row.ids[0]] = &row;
    }
  }

  Ledger build() {
    for (const RowSnapshot& row : counters_.node.rows) {
      if (row.kind == RowKind::publication) add_stream(row);
      if (row.kind == RowKind::subscription) add_inbox(row);
      if (row.kind == RowKind::topic) add_ended(row);
      if (row.kind == RowKind::departed) add_departed(row);
      if (row.kind == RowKind::retained) add_retained(row);
    }
    add_untold_streams();
    for (const RowSnapshot& row : counters_.node.rows) {
      if (row.kind == RowKind::pair) add_pair(row);
    }
    for (auto& [name, topic] : topics_) ledger_.topics.push_back(std::move(topic));
    return std::move(ledger_);
  }

 private:
  TopicLedger& topic_of(const std::string& name) {
    TopicLedger& topic = topics_[name];
    topic.topic = name;
    return topic;
  }

  void take_file(StreamLedger& stream, const RowSnapshot& row) {
    stream.has_file = true;
    stream.published = row.get(Pub::pushed);
    stream.sealed = row.get(Pub::last_seq);
    stream.unknown = row.get(Pub::unknown);
  }

  void add_stream(const RowSnapshot& row) {
    StreamLedger stream;
    stream.topic = row.text;
    stream.agent = owner_of(row);
    stream.id = row.index;
    told_.insert({row.ids[0], row.ids[1], row.ids[2]});
    publisher_of_[row.index] = stream.agent;
    stream.before = row.get(Pub::base);
    stream.accepted = stream.sealed = stream.published = row.get(Pub::accepted);
    stream.routed = row.get(Pub::routed);
    stream.no_subscriber = row.get(Pub::no_subscriber);
    stream.voided_by = voided_of(row);
    stream.voided = total(stream.voided_by);
    if (const RowSnapshot* own = files_.own_row(row)) take_file(stream, *own);
    add(std::move(stream));
  }

  // Of publishers that the node has not met, or not yet.
  void add_untold_streams() {
    for (const auto& [id, agent] : agents_) {
      const StatsSnapshot* file = files_.of(id);
      if (file == nullptr) continue;
      for (const RowSnapshot& row : file->rows) {
        if (row.kind != RowKind::publication || row.get(Pub::pushed) == 0) continue;
        if (told_.contains({id, row.ids[1], row.ids[2]})) continue;
        StreamLedger stream;
        stream.topic = row.text;
        stream.agent = agent->text;
        take_file(stream, row);
        add(std::move(stream));
      }
    }
  }

  void add(StreamLedger stream) {
    TopicLedger& topic = topic_of(stream.topic);
    topic.published += stream.published;
    topic.staged += stream.staged();
    topic.in_flight_up += stream.in_flight();
    topic.routed += stream.routed;
    topic.no_subscriber += stream.no_subscriber;
    add_reasons(topic.voided, stream.voided_by);
    topic.before += stream.before;
    topic.unknown_before += stream.unknown;
    ledger_.streams.push_back(std::move(stream));
  }

  void add_inbox(const RowSnapshot& row) {
    InboxLedger inbox;
    inbox.pattern = row.text;
    inbox.agent = owner_of(row);
    inbox.id = row.index;
    inbox.queued_batches = row.get(Sub::queued_batches);
    inbox.done_no = row.get(Sub::done_no);
    inbox.delivered = row.get(Sub::delivered);
    inbox.refused = row.get(Sub::refused);
    if (const RowSnapshot* own = files_.own_row(row)) take_file(inbox, *own);
    inbox_of_[inbox.id] = ledger_.inboxes.size();
    ledger_.inboxes.push_back(std::move(inbox));
  }

  static void take_file(InboxLedger& inbox, const RowSnapshot& own) {
    inbox.has_file = true;
    inbox.agent_done_no = own.get(Sub::done_no);
    inbox.agent_done_before = own.get(Sub::done_before);
    inbox.finished = own.get(Sub::finished);
    inbox.duplicate = own.get(Sub::duplicate);
    inbox.agent_refused = own.get(Sub::refused);
  }

  void add_pair(const RowSnapshot& row) {
    PairLedger pair;
    pair.id = row.index;
    pair.publication = row.ids[0];
    pair.subscription = row.ids[1];
    pair.topic = row.text;
    if (const auto found = publisher_of_.find(pair.publication); found != publisher_of_.end()) {
      pair.publisher = found->second;
    }
    if (pair.topic == snapshots_topic) pair.publisher = "the node";
    if (const auto found = inbox_of_.find(pair.subscription); found != inbox_of_.end()) {
      pair.pattern = ledger_.inboxes[found->second].pattern;
      pair.subscriber = ledger_.inboxes[found->second].agent;
    }
    pair.join = row.get(Pr::join);
    pair.matched = row.get(Pr::matched);
    pair.delivered = row.get(Pr::delivered);
    pair.queued = row.get(Pr::queued);
    pair.in_flight = row.get(Pr::in_flight);
    pair.voided = total(voided_of(row));
    pair.dropped = dropped_of(row);
    pair.unknown = unknown_of(row);
    TopicLedger& topic = topic_of(pair.topic);
    topic.matched += pair.matched;
    topic.delivered += pair.delivered;
    topic.queued += pair.queued;
    topic.in_flight += pair.in_flight;
    add_reasons(topic.dropped, pair.dropped);
    add_reasons(topic.voided_pairs, voided_of(row));
    add_reasons(topic.unknown_pairs, pair.unknown);
    ledger_.pairs.push_back(std::move(pair));
  }

  void add_ended(const RowSnapshot& row) {
    EndedLedger ended;
    ended.topic = row.text;
    TopicLedger& topic = topic_of(row.text);
    topic.published += row.get(T::accepted) + row.get(T::abandoned);
    topic.routed += row.get(T::routed);
    topic.no_subscriber += row.get(T::no_subscriber);
    add_reasons(topic.voided, voided_of(row));
    topic.matched += row.get(T::matched);
    topic.delivered += row.get(T::delivered);
    add_reasons(topic.dropped, dropped_of(row));
    add_reasons(topic.voided_pairs, voided_pairs_of(row));
    add_reasons(topic.unknown_pairs, unknown_of(row));
    ended.accepted += row.get(T::accepted);
    ended.accounted += row.get(T::routed) + row.get(T::no_subscriber) + row.get(T::voided);
    ended.matched += row.get(T::matched);
    ended.settled += row.get(T::delivered) + total(dropped_of(row)) + total(unknown_of(row)) +
                     row.get(T::void_after_join);
    ledger_.ended.push_back(std::move(ended));
  }

  void add_retained(const RowSnapshot& row) {
    ledger_.retained.push_back(
        {row.text, row.get(RetainedCounter::kept), row.get(RetainedCounter::messages),
         row.get(RetainedCounter::replaced), row.get(RetainedCounter::evicted),
         row.get(RetainedCounter::expired)});
  }

  void add_departed(const RowSnapshot& row) {
    DepartedLedger departed;
    departed.pattern = row.text;
    departed.agent = row.text2;
    departed.at_ns = row.get(DepartedCounter::at_ns);
    departed.is_stalled = row.get(DepartedCounter::stalled) != 0;
    departed.delivered = row.get(DepartedCounter::delivered);
    departed.dropped = row.get(DepartedCounter::dropped);
    departed.unknown = row.get(DepartedCounter::unknown);
    ledger_.departed.push_back(std::move(departed));
  }

  const Counters& counters_;
  std::map<std::uint64_t, const RowSnapshot*> agents_;
  const AgentFiles files_;
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> told_;  // streams of the node
  std::map<std::uint64_t, std::string> publisher_of_;                       // by row
  std::map<std::uint64_t, std::size_t> inbox_of_;                           // by row
  std::map<std::string, TopicLedger> topics_;
  Ledger ledger_;
};

}  // namespace

std::string PairLedger::name() const {
  return topic + " of " + publisher + " to " + pattern + " of " + subscriber;
}

Reasons TopicLedger::unknown() const {
  Reasons all = unknown_pairs;
  add_reason(all, "node lost", unknown_before);
  return all;
}

Ledger make_ledger(const Counters& counters) {
  Ledger ledger = Builder(counters).build();
  ledger.imbalances = find_imbalances(ledger);
  return ledger;
}

}  // namespace abuzz::tools
