#include "tests/model/rest_check.hpp"

namespace abuzz::testing {

namespace {

std::string text(std::uint64_t number) {
  return std::to_string(number);
}

std::uint64_t known(const FlushReport& report) {
  return report.delivered + report.no_subscriber + report.dropped + report.unknown;
}

}  // namespace

tools::Counters counters_of(RandomBus& bus) {
  tools::Counters counters;
  counters.node = bus.node().core().stats().snapshot();
  for (auto& actor : bus.actors())
    counters.agents.push_back({actor->name + "-77", actor->core().stats().snapshot()});
  return counters;
}

void RestCheck::check(bool is_late) {
  if (is_late) describe_unrest();
  counters_ = counters_of(bus_);
  for (const RowSnapshot& row : counters_.node.rows) rows_[row.index] = &row;
  check_ledger();
  for (auto& actor : bus_.actors()) {
    for (RandomActor::Pub& pub : actor->pubs) check_pub(*actor, pub);
    for (RandomActor::Sub& sub : actor->subs) check_sub(*actor, sub);
  }
  for (const RowSnapshot& row : counters_.node.rows)
    if (row.kind == RowKind::pair) check_pair(row);
}

void RestCheck::describe_unrest() {
  std::string all = "it does not come to rest:";
  for (auto& actor : bus_.actors()) {
    if (!actor->is_present(bus_.now())) all += " " + actor->name + " is not there;";
    if (actor->core().session().stream_count() != actor->pubs.size())
      all += " a publisher that " + actor->name + " gave up is still there;";
    for (const RandomActor::Pub& pub : actor->pubs) {
      const FlushReport report = pub.core->report();
      const client::StreamNews& news = pub.core->news();
      if (report.pending == 0) continue;
      all += " " + pub.source->topic + " of " + actor->name + " has " + text(report.pending) +
             " pending in state " + text(static_cast<std::uint64_t>(news.state.read())) + ", of " +
             text(pub.core->pushed()) + ", sealed " + text(news.last_seq.read()) + ", accepted " +
             text(news.accepted_seq.read()) + ", held by " + text(news.held_by.read()) + ";";
    }
  }
  for (const tools::PairLedger& pair : tools::make_ledger(counters_of(bus_)).pairs)
    if (pair.queued + pair.in_flight > 0)
      all += " " + pair.name() + " has " + text(pair.queued) + " queued and " +
             text(pair.in_flight) + " in flight;";
  complain(all);
}

// What `abuzz audit` would say, and that nothing is left under way.
void RestCheck::check_ledger() {
  const tools::Ledger ledger = tools::make_ledger(counters_);
  for (const tools::Imbalance& imbalance : ledger.imbalances)
    complain(imbalance.where + ": " + imbalance.what);
  for (const tools::StreamLedger& stream : ledger.streams)
    expect(stream.staged() == 0 && stream.in_flight() == 0,
           stream.topic + " of " + stream.agent + " has " + text(stream.staged()) + " staged and " +
               text(stream.in_flight()) + " in flight");
  for (const tools::PairLedger& pair : ledger.pairs)
    expect(pair.queued == 0 && pair.in_flight == 0, pair.name() + " has " + text(pair.queued) +
                                                        " queued and " + text(pair.in_flight) +
                                                        " in flight");
  for (const tools::EndedLedger& ended : ledger.ended)
    expect(ended.matched == ended.settled, ended.topic + " ended with something under way");
}

// A publisher's report: every message in one term, and never told as delivered what nobody handled.
void RestCheck::check_pub(const RandomActor& actor, RandomActor::Pub& pub) {
  const std::string name = pub.source->topic + " of " + actor.name + ": ";
  const FlushReport report = pub.core->report();
  expect(known(report) == pub.source->count,
         name + text(pub.source->count) + " published, but the outcomes of " + text(known(report)));
  expect(report.delivered <= pub.source->handled, name + text(report.delivered) +
                                                      " told as delivered, but " +
                                                      text(pub.source->handled) + " handled");
  const std::uint64_t published = pub.source->count - pub.published_told;
  const std::uint64_t delivered = report.delivered - pub.told.delivered;
  const std::uint64_t handled = pub.source->handled - pub.handled_told;
  const std::uint64_t nobody = report.no_subscriber - pub.told.no_subscriber;
  if (!bus_.lost_node()) {
    expect(bus_.lost_anybody() || report.unknown == pub.told.unknown,
           name + "unknown, but nobody was lost");
    expect(bus_.lost_anybody() || delivered == handled,
           name + text(delivered) + " told as delivered, but " + text(handled) + " handled");
    const bool is_unmatched = pub.source->unmatched_from <= pub.published_told + 1;
    const std::uint64_t dropped = report.dropped - pub.told.dropped;
    expect(!is_unmatched || nobody + dropped == published, name + "nobody subscribed, but only " +
                                                               text(nobody) + " of " +
                                                               text(published) + " told so");
    bool is_matched = false;  // from beginning to end
    for (const Reference::Flow* flow : pub.source->flows)
      is_matched = is_matched || (flow->owed_from <= pub.published_told + 1 &&
                                  !flow->sink->is_ended && !flow->sink->is_excused);
    expect(!is_matched || nobody == 0,
           name + text(nobody) + " told as without a subscriber, but there was one");
  }
  pub.told = report;
  pub.handled_told = pub.source->handled;
  pub.published_told = pub.source->count;
}

// What the subscriber was told about itself.
void RestCheck::check_sub(const RandomActor& actor, RandomActor::Sub& sub) {
  const std::string name = sub.sink->pattern + " of " + actor.name + ": ";
  const SubscriptionReport report = sub.core->report();
  expect(report.handled == sub.sink->handled,
         name + "handled " + text(sub.sink->handled) + ", reported " + text(report.handled));
  // What arrived and outlived its time here may be told as a gap, or only as expired.
  expect(report.gaps == sub.sink->gaps || bus_.has_lives(),
         name + text(sub.sink->gaps) + " sequences skipped, reported " + text(report.gaps));
  expect(report.corrupt == 0, name + "corrupt batches");
}

// A pair's row against what the reference saw.
void RestCheck::check_pair(const RowSnapshot& row) {
  const RowSnapshot* publication = rows_[row.ids[0]];
  const RowSnapshot* subscription = rows_[row.ids[1]];
  if (publication == nullptr || subscription == nullptr) return complain("a pair of nobody");
  const std::string name = row.text + " to " + subscription->text + ": ";
  const Reference::Source* source =
      bus_.source_of(publication->ids[0], static_cast<std::uint32_t>(publication->ids[1]));
  RandomActor::Sub* sub = bus_.sub_of(subscription->ids[0], subscription->ids[1]);
  if (sub == nullptr) return complain(name + "a row of a subscription that has ended");
  if (source == nullptr) return;  // its actor is gone
  const Reference::Flow* flow = nullptr;
  for (const auto& item : sub->sink->flows)
    if (item->source == source) flow = item.get();
  if (flow == nullptr) return complain(name + "does not match");
  const bool is_lossless = sub->sink->options.policy == Policy::lossless;
  const std::uint64_t delivered = row.get(PairCounter::delivered);
  expect(row.get(PairCounter::unknown_peer_gone) == 0, name + "unknown, and both live");
  expect(row.get(PairCounter::dropped_corrupt) == 0, name + "corrupt");
  expect(!is_lossless || row.get(PairCounter::dropped_queue_full) == 0, name + "lossless is full");
  expect(
      sub->sink->options.policy == Policy::latest || row.get(PairCounter::dropped_conflated) == 0,
      name + "conflated");
  // One registration at one node counts what was handled; what is sent again to the next node may
  // be counted there as well. Who was away for too long is registered afresh.
  RandomActor::Sub::Told& told = sub->told[source->number];
  const std::uint32_t epoch = bus_.node().identity().node_epoch;
  const std::uint32_t generation = sub->core->generation;
  const bool is_new = told.node_epoch == 0 && generation == 1 && bus_.is_first_life();
  if ((told.node_epoch == epoch && told.generation == generation) || is_new)
    expect(delivered - told.delivered == flow->handled - told.handled,
           name + text(delivered - told.delivered) + " counted as delivered, but " +
               text(flow->handled - told.handled) + " handled");
  told = {epoch, generation, delivered, flow->handled};
}

}  // namespace abuzz::testing
