#include <algorithm>
#include <string>

#include "bus/base/check.hpp"
#include "bus/delivery/dead_letter.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"

// Messages that no member of their group could handle: each becomes a letter on $dead.TOPIC, which
// the node keeps for who comes later.

namespace abuzz::delivery {

namespace {

// How long a message waits that could not be told as dead for want of a buffer.
constexpr base::Nanos burial_again_after = 50 * base::millisecond;

}  // namespace

// Every attempt at these messages failed.
void Switch::bury(Group& group, Lot& lot) {
  while (lot.count > 1) {
    Lot& last = group.leases.acquire();
    copy_facts(lot, last);
    --lot.count;
    last.first = lot.first + lot.count;
    last.count = 1;
    last.charge = lot.charge / (lot.count + 1);
    lot.charge -= last.charge;
    hold(*lot.pair, *lot.routed, lot.owes);
    bury_one(group, last);
  }
  bury_one(group, lot);
}

void Switch::bury_one(Group& group, Lot& lot) {
  Pair& pair = *lot.pair;
  Routed& routed = *lot.routed;
  if (!publish_dead(group, lot)) {
    group.delays.add(lot, now_ + burial_again_after);
    return;
  }
  pair.row->set(PairCounter::queued, pair.row->get(PairCounter::queued) - lot.count);
  note_dropped(pair, routed, lot.first, lot.count, DropReason::dead);
  give_back(*group.own, {lot.count, lot.charge});
  const bool owes = lot.owes;
  end_lot(group, lot);
  release_hold(pair, routed, owes);
}

// What is told of the payload, and key and correlation.
void Switch::read_payload(const Lot& lot, std::string& payload, DeadLetter& letter) {
  wire::BatchView view;
  const auto append = [&](const Routed& routed, std::uint32_t index) {
    if (payload.size() > dead_payload_bytes_max) return;
    if (wire::verify(routed.slice.share(), pool_, {}, view) != wire::Reject::none) return;
    const std::span<const std::byte> bytes = view.payload(index);
    payload.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    letter.key = view.entry(index).key;
    letter.correlation = view.entry(index).correlation;
  };
  if (lot.train != nullptr)
    for (const Routed* piece : lot.train->pieces) append(*piece, 0);
  append(*lot.routed, lot.routed->is_train ? 0 : lot.first);
}

// False when it has to wait for a buffer.
bool Switch::publish_dead(Group& group, const Lot& lot) {
  const Publication& source = *lot.pair->publication;
  DeadLetter letter;
  letter.id = last_dead_id_ + 1;
  letter.topic = source.topic;
  letter.group = group.name;
  letter.pattern = group.own->pattern;
  if (source.port != nullptr) letter.publisher = source.port->name;
  letter.agent_id = source.agent_id;
  letter.publisher_id = source.publisher_id;
  letter.sequence = lot.routed->first_seq + (lot.routed->is_train ? 0 : lot.first);
  letter.attempts = lot.attempt;
  letter.failure = lot.failure;
  letter.now = now_;
  letter.wall_now = wall_now_;
  std::string payload;
  read_payload(lot, payload, letter);
  letter.payload = payload;
  const std::string topic = dead_topic(source.topic);
  Publication* publication = own_publication(topic, wire::Lane::normal, true);
  if (publication == nullptr) {  // the counter file is full: it is dead all the same
    stats_.process().add(ProcessCounter::events_lost);
    return true;
  }
  const std::string text = write_dead_letter(letter, failures_);
  mem::Buffer slice = seal_own(*publication, text, wall_now_);
  while (!slice && dead_.forget_oldest()) {
    stats_.process().add(ProcessCounter::dead_forgotten);
    slice = seal_own(*publication, text, wall_now_);
  }
  if (!slice) return false;
  last_dead_id_ = letter.id;
  DeadStore::Letter kept{slice.share(), publication->accepted_seq + 1, letter.id};
  accept_own(*publication, std::move(slice));
  const std::size_t forgotten = dead_.add(topic, std::move(kept));
  stats_.process().add(ProcessCounter::dead_forgotten, forgotten);
  stats_.process().set(ProcessCounter::dead_letters, dead_.count());
  return true;
}

// Who comes later gets what is kept first: its sequences begin there.
void Switch::offer_letters(Pair& pair) {
  const std::deque<DeadStore::Letter>* letters = dead_.letters(pair.publication->topic);
  if (letters == nullptr) return;
  pair.row->set(PairCounter::join, letters->front().seq - 1);
  for (const DeadStore::Letter& letter : *letters) {
    wire::BatchHead head;
    const bool is_whole = wire::BatchHead::parse(letter.slice.span(), head) == wire::Reject::none;
    ABUZZ_CHECK(is_whole);
    Routed& routed = routed_.acquire();
    routed.publication = pair.publication;
    routed.slice = letter.slice.share();
    routed.slice_bytes = static_cast<std::uint32_t>(routed.slice.bytes());
    held_bytes_ += routed.slice_bytes;
    routed.lane = head.envelope.lane;
    routed.first_seq = letter.seq;
    routed.count = 1;
    routed.charge = wire::charged_bytes(head.envelope);
    routed.is_reported = true;  // when it was published
    routed.pending = routed.holders = 1;
    ++pair.publication->routed_open;
    pair.row->add(PairCounter::matched);
    offer(pair, routed, 0, 1);
    drop_holder(routed);
    if (--routed.pending == 0) finish_outcome(routed);
  }
}

}  // namespace abuzz::delivery
