#include "bus/wire/control.hpp"

#include <algorithm>
#include <optional>

#include "schema/control_generated.h"

namespace abuzz::wire {

namespace {

constexpr std::size_t builder_bytes_initial = 16 * 1024;
constexpr std::size_t items_reserved = 64;
// Upper estimates: root table and vtables; per item in a vector of tables, beside its string.
constexpr std::size_t base_bytes = 256;
constexpr std::size_t vector_bytes = 12;
constexpr std::size_t advertise_bytes = 56;
constexpr std::size_t subscribe_bytes = 152;

}  // namespace

struct ControlBuilder::State {
  std::vector<fb::Credit> credits;
  std::vector<fb::Outcome> outcomes;
  std::vector<fb::Drops> drops;
  std::vector<fb::Receipt> receipts;
  std::vector<fb::Interest> interests;
  std::vector<fb::Held> held;
  std::vector<fb::Want> wants;
  std::vector<fb::FlushAsk> flush_asks;
  std::vector<fb::Settle> settles;
  std::vector<fb::Verdict> verdicts;
  std::vector<fb::LeaseAct> lease_acts;
  std::vector<fb::Subscribed> subscribed;
  std::vector<fb::Advertised> advertised;
  std::vector<fb::Withdraw> withdraws;
  std::vector<fb::Unsubscribe> unsubscribes;
  std::vector<fb::Gone> gone;
  std::vector<fb::RequestAct> request_acts;
  std::vector<fb::ReplyEnd> reply_ends;
  std::vector<Advertise> advertises;
  std::vector<Subscribe> subscribes;
  std::optional<Goodbye> goodbye;
  std::optional<Notice> notice;

  std::vector<flatbuffers::Offset<fb::Advertise>> advertise_offsets;
  std::vector<flatbuffers::Offset<fb::Subscribe>> subscribe_offsets;
  flatbuffers::FlatBufferBuilder builder{builder_bytes_initial};
  std::size_t bytes = 0;
  bool is_empty = true;

  // Calls `visit` with every vector.
  template <class Visit>
  void visit_all(Visit visit) {
    visit(credits);
    visit(outcomes);
    visit(drops);
    visit(receipts);
    visit(interests);
    visit(held);
    visit(wants);
    visit(flush_asks);
    visit(settles);
    visit(verdicts);
    visit(lease_acts);
    visit(subscribed);
    visit(advertised);
    visit(withdraws);
    visit(unsubscribes);
    visit(gone);
    visit(request_acts);
    visit(reply_ends);
    visit(advertises);
    visit(subscribes);
    visit(advertise_offsets);
    visit(subscribe_offsets);
  }

  template <class Item>
  void add(std::vector<Item>& items, const Item& item, std::size_t item_bytes = sizeof(Item)) {
    if (items.empty()) bytes += vector_bytes;
    items.push_back(item);
    bytes += item_bytes;
    is_empty = false;
  }

  void clear() {
    visit_all([](auto& items) { items.clear(); });
    goodbye.reset();
    notice.reset();
    bytes = 0;
    is_empty = true;
  }

  flatbuffers::Offset<fb::Control> write();
};

namespace {

template <class Item>
flatbuffers::Offset<flatbuffers::Vector<const Item*>> write_structs(
    flatbuffers::FlatBufferBuilder& builder, const std::vector<Item>& items) {
  if (items.empty()) return 0;
  return builder.CreateVectorOfStructs(items.data(), items.size());
}

template <class Item>
flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<Item>>> write_tables(
    flatbuffers::FlatBufferBuilder& builder,
    const std::vector<flatbuffers::Offset<Item>>& offsets) {
  if (offsets.empty()) return 0;
  return builder.CreateVector(offsets.data(), offsets.size());
}

}  // namespace

flatbuffers::Offset<fb::Control> ControlBuilder::State::write() {
  for (const Advertise& item : advertises) {
    const auto topic = builder.CreateString(item.topic.data(), item.topic.size());
    advertise_offsets.push_back(fb::CreateAdvertise(
        builder, item.publication, item.publisher_id, item.publisher_epoch, topic, item.base_seq,
        item.returns, item.lossless_count, static_cast<std::uint8_t>(item.lane), item.retain));
  }
  for (const Subscribe& item : subscribes) {
    const auto pattern = builder.CreateString(item.pattern.data(), item.pattern.size());
    flatbuffers::Offset<flatbuffers::String> group;
    if (!item.group.empty()) group = builder.CreateString(item.group.data(), item.group.size());
    const LaneNumbers& numbers = item.resume_received;
    const fb::LaneNumbers received(numbers[0], numbers[1], numbers[2]);
    subscribe_offsets.push_back(
        fb::CreateSubscribe(builder, item.subscription, pattern, item.policy, item.bound_messages,
                            item.bound_bytes, item.window_messages, item.window_bytes,
                            item.stall_ms, item.resumes, item.resumes ? &received : nullptr,
                            item.latest, item.returns, static_cast<std::uint8_t>(item.retained),
                            group, item.group_mode, item.ack_ms, item.attempts_max, item.key));
  }
  flatbuffers::Offset<fb::Goodbye> goodbye_at;
  if (goodbye) goodbye_at = fb::CreateGoodbye(builder, goodbye->reason, goodbye->deadline_ms);
  flatbuffers::Offset<fb::Notice> notice_at;
  if (notice) {
    const auto text = builder.CreateString(notice->text.data(), notice->text.size());
    notice_at = fb::CreateNotice(builder, notice->error, text);
  }
  const auto advertises_at = write_tables(builder, advertise_offsets);
  const auto subscribes_at = write_tables(builder, subscribe_offsets);
  const auto withdraws_at = write_structs(builder, withdraws);
  const auto unsubscribes_at = write_structs(builder, unsubscribes);
  const auto credits_at = write_structs(builder, credits);
  const auto outcomes_at = write_structs(builder, outcomes);
  const auto interests_at = write_structs(builder, interests);
  const auto settles_at = write_structs(builder, settles);
  const auto verdicts_at = write_structs(builder, verdicts);
  const auto lease_acts_at = write_structs(builder, lease_acts);
  const auto wants_at = write_structs(builder, wants);
  const auto flush_asks_at = write_structs(builder, flush_asks);
  const auto subscribed_at = write_structs(builder, subscribed);
  const auto advertised_at = write_structs(builder, advertised);
  const auto gone_at = write_structs(builder, gone);
  const auto held_at = write_structs(builder, held);
  const auto receipts_at = write_structs(builder, receipts);
  const auto request_acts_at = write_structs(builder, request_acts);
  const auto reply_ends_at = write_structs(builder, reply_ends);
  const auto drops_at = write_structs(builder, drops);
  return fb::CreateControl(builder, advertises_at, subscribes_at, withdraws_at, unsubscribes_at,
                           credits_at, outcomes_at, interests_at, settles_at, verdicts_at, wants_at,
                           flush_asks_at, subscribed_at, advertised_at, gone_at, held_at,
                           goodbye_at, notice_at, receipts_at, lease_acts_at, request_acts_at,
                           reply_ends_at, drops_at);
}

ControlBuilder::ControlBuilder() : state_(std::make_unique<State>()) {
  state_->visit_all([](auto& items) { items.reserve(items_reserved); });
}

ControlBuilder::~ControlBuilder() = default;

void ControlBuilder::add(const Credit& item) {
  state_->add(state_->credits, fb::Credit(item.publication, item.flags, item.accepted_seq,
                                          item.limit_messages, item.limit_bytes, item.settled_seq));
}
void ControlBuilder::add(const Outcome& item) {
  state_->add(state_->outcomes, fb::Outcome(item.publication, 0, item.delivered, item.no_subscriber,
                                            item.dropped, item.unknown));
}
void ControlBuilder::add(const Drops& item) {
  state_->add(state_->drops, fb::Drops(item.publication, static_cast<std::uint8_t>(item.reason), 0,
                                       0, item.count));
}
void ControlBuilder::add(const Receipt& item) {
  state_->add(state_->receipts,
              fb::Receipt(item.publication, item.count, item.first_seq, item.number, item.delivered,
                          static_cast<std::uint8_t>(item.outcome),
                          static_cast<std::uint8_t>(item.reason), item.is_partial ? 1 : 0, 0));
}
void ControlBuilder::add(const Interest& item) {
  state_->add(state_->interests,
              fb::Interest(item.publication, item.match_count, item.lossless_count, item.generation,
                           item.queue_messages, 0));
}
void ControlBuilder::add(const Held& item) {
  state_->add(state_->held, fb::Held(item.publication, item.since_ms, item.agent_id));
}
void ControlBuilder::add(const Want& item) {
  state_->add(state_->wants, fb::Want(item.publication, 0, item.limit_messages, item.limit_bytes));
}
void ControlBuilder::add(const FlushAsk& item) {
  state_->add(state_->flush_asks, fb::FlushAsk(item.publication, 0, item.seq, item.receipts_seen));
}
void ControlBuilder::add(const Settle& item) {
  state_->add(state_->settles, fb::Settle(item.subscription, static_cast<std::uint8_t>(item.lane),
                                          0, 0, item.received_no, item.done_no,
                                          item.consumed_messages, item.consumed_bytes));
}
void ControlBuilder::add(const Verdict& item) {
  state_->add(state_->verdicts,
              fb::Verdict(item.subscription, item.reason, static_cast<std::uint8_t>(item.lane), 0,
                          item.first_delivery, item.count));
}
void ControlBuilder::add(const LeaseAct& item) {
  state_->add(state_->lease_acts,
              fb::LeaseAct(item.subscription, static_cast<std::uint8_t>(item.kind),
                           static_cast<std::uint8_t>(item.lane), 0, item.first_delivery, item.count,
                           item.delay_ms));
}
void ControlBuilder::add(const Subscribed& item) {
  state_->add(state_->subscribed, fb::Subscribed(item.subscription, item.error, 0, item.generation,
                                                 item.matched_publications));
}
void ControlBuilder::add(const Advertised& item) {
  state_->add(state_->advertised, fb::Advertised(item.publication, item.error, 0));
}
void ControlBuilder::add(const Withdraw& item) {
  state_->add(state_->withdraws, fb::Withdraw(item.publication, 0));
}
void ControlBuilder::add(const Unsubscribe& item) {
  state_->add(state_->unsubscribes, fb::Unsubscribe(item.subscription, 0));
}
void ControlBuilder::add(const Gone& item) {
  state_->add(state_->gone, fb::Gone(item.subscription, item.reason));
}
void ControlBuilder::add(const Advertise& item) {
  state_->add(state_->advertises, item, advertise_bytes + item.topic.size());
}
void ControlBuilder::add(const Subscribe& item) {
  state_->add(state_->subscribes, item, subscribe_bytes + item.pattern.size() + item.group.size());
}
void ControlBuilder::add(const RequestAct& item) {
  state_->add(state_->request_acts,
              fb::RequestAct(item.correlation, item.agent_id, item.publication,
                             static_cast<std::uint8_t>(item.kind), 0, 0, item.parts));
}
void ControlBuilder::add(const ReplyEnd& item) {
  state_->add(state_->reply_ends, fb::ReplyEnd(item.agent_id, item.publisher_id, 0));
}
void ControlBuilder::set(const Goodbye& item) {
  state_->goodbye = item;
  state_->is_empty = false;
}
void ControlBuilder::set(const Notice& item) {
  state_->notice = item;
  state_->notice->text = item.text.substr(0, notice_bytes_max);
  state_->bytes += state_->notice->text.size();
  state_->is_empty = false;
}

bool ControlBuilder::is_empty() const noexcept {
  return state_->is_empty;
}

std::size_t ControlBuilder::bytes_estimate() const noexcept {
  return state_->is_empty ? 0 : base_bytes + state_->bytes;
}

std::span<const std::byte> ControlBuilder::finish() {
  flatbuffers::FlatBufferBuilder& builder = state_->builder;
  builder.Clear();
  fb::FinishControlBuffer(builder, state_->write());
  state_->clear();
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace abuzz::wire
