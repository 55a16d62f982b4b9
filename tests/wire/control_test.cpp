#include "bus/wire/control.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <type_traits>

#include "schema/control_generated.h"
#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

// Writes down every item as one line.
class Listing final : public ControlSink {
 public:
  void on(const Advertise& i) override {
    line("advertise", i.publication, i.publisher_id, i.publisher_epoch, i.topic, i.base_seq,
         number(i.lane), i.retain);
  }
  void on(const Subscribe& i) override {
    line("subscribe", i.subscription, i.pattern, i.policy, i.bound_messages, i.bound_bytes,
         i.window_messages, i.window_bytes, i.stall_ms, i.resumes, i.resume_received[0],
         i.resume_received[1], i.resume_received[2], static_cast<int>(i.retained), i.key);
  }
  void on(const Withdraw& i) override { line("withdraw", i.publication); }
  void on(const Unsubscribe& i) override { line("unsubscribe", i.subscription); }
  void on(const Credit& i) override {
    line("credit", i.publication, i.accepted_seq, i.limit_messages, i.limit_bytes, i.settled_seq);
  }
  void on(const Outcome& i) override {
    line("outcome", i.publication, i.delivered, i.no_subscriber, i.dropped, i.unknown);
  }
  void on(const Drops& i) override {
    line("drops", i.publication, static_cast<int>(i.reason), i.count);
  }
  void on(const Receipt& i) override {
    line("receipt", i.publication, i.count, i.first_seq, i.number, i.delivered,
         static_cast<int>(i.outcome), static_cast<int>(i.reason), static_cast<int>(i.is_partial));
  }
  void on(const Interest& i) override {
    line("interest", i.publication, i.match_count, i.lossless_count, i.generation,
         i.queue_messages);
  }
  void on(const Settle& i) override {
    line("settle", i.subscription, number(i.lane), i.received_no, i.done_no, i.consumed_messages,
         i.consumed_bytes);
  }
  void on(const Verdict& i) override {
    line("verdict", i.subscription, i.reason, number(i.lane), i.first_delivery, i.count);
  }
  void on(const LeaseAct& i) override {
    line("lease_act", i.subscription, static_cast<int>(i.kind), number(i.lane), i.first_delivery,
         i.count, i.delay_ms);
  }
  void on(const Want& i) override { line("want", i.publication, i.limit_messages, i.limit_bytes); }
  void on(const FlushAsk& i) override { line("flush_ask", i.publication, i.seq, i.receipts_seen); }
  void on(const Subscribed& i) override {
    line("subscribed", i.subscription, i.error, i.generation, i.matched_publications);
  }
  void on(const Advertised& i) override { line("advertised", i.publication, i.error); }
  void on(const Gone& i) override { line("gone", i.subscription, i.reason); }
  void on(const Held& i) override { line("held", i.publication, i.since_ms, i.agent_id); }
  void on(const Goodbye& i) override { line("goodbye", i.reason, i.deadline_ms); }
  void on(const Notice& i) override { line("notice", i.error, i.text); }
  void on(const RequestAct& i) override {
    line("request_act", i.correlation, i.agent_id, i.publication, static_cast<int>(i.kind),
         i.parts);
  }
  void on(const ReplyEnd& i) override { line("reply_end", i.agent_id, i.publisher_id); }

  std::string text;

 private:
  static int number(Lane lane) { return static_cast<int>(lane); }
  template <class... Values>
  void line(const char* name, const Values&... values) {
    text += name;
    ((text += ' ', write(values)), ...);
    text += '\n';
  }
  void write(std::string_view value) { text += value; }
  template <class Number>
  requires std::is_integral_v<Number>
  void write(Number value) { text += std::to_string(value); }
};

Reject read(std::span<const std::byte> bytes, ControlSink& sink) {
  static Aligned scratch(control_bytes_read_max);
  return read_control(bytes, scratch.span(), sink);
}

std::string listed(std::span<const std::byte> bytes) {
  Listing listing;
  EXPECT_EQ(read(bytes, listing), Reject::none);
  return listing.text;
}

// Items about what became of messages.
void add_outcomes(ControlBuilder& builder) {
  builder.add(FlushAsk{.publication = 14, .seq = 15, .receipts_seen = 16});
  builder.add(Receipt{.publication = 53,
                      .count = 54,
                      .first_seq = 55,
                      .number = 56,
                      .delivered = 57,
                      .outcome = ReceiptOutcome::delivered,
                      .is_partial = true});
  builder.add(Drops{.publication = 58, .reason = DropReason::expired, .count = 59});
}

void add_everything(ControlBuilder& builder) {
  builder.set(Notice{.error = 701, .text = "for people"});
  builder.set(Goodbye{.reason = 1, .deadline_ms = 2});
  builder.add(ReplyEnd{.agent_id = 61, .publisher_id = 62});
  builder.add(RequestAct{.correlation = 56,
                         .agent_id = 57,
                         .publication = 58,
                         .kind = RequestActKind::go_on,
                         .parts = 60});
  builder.add(Held{.publication = 3, .since_ms = 4, .agent_id = 5});
  builder.add(Gone{.subscription = 6, .reason = 7});
  builder.add(Advertised{.publication = 8, .error = 9});
  builder.add(
      Subscribed{.subscription = 10, .error = 11, .generation = 12, .matched_publications = 13});
  add_outcomes(builder);
  builder.add(Want{.publication = 16, .limit_messages = 17, .limit_bytes = 18});
  builder.add(Verdict{
      .subscription = 19, .reason = 20, .lane = Lane::bulk, .first_delivery = 21, .count = 22});
  builder.add(LeaseAct{.subscription = 24,
                       .kind = LeaseWord::nak,
                       .lane = Lane::bulk,
                       .first_delivery = 25,
                       .count = 26,
                       .delay_ms = 27});
  builder.add(Settle{.subscription = 23,
                     .lane = Lane::high,
                     .received_no = 25,
                     .done_no = 24,
                     .consumed_messages = 26,
                     .consumed_bytes = 27});
  builder.add(Interest{.publication = 28,
                       .match_count = 30,
                       .lossless_count = 29,
                       .generation = 31,
                       .queue_messages = 32});
  builder.add(Outcome{
      .publication = 32, .delivered = 33, .no_subscriber = 34, .dropped = 35, .unknown = 36});
  builder.add(Credit{.publication = 36,
                     .accepted_seq = 37,
                     .limit_messages = 38,
                     .limit_bytes = 39,
                     .settled_seq = 35});
  builder.add(Unsubscribe{.subscription = 40});
  builder.add(Withdraw{.publication = 41});
  builder.add(Subscribe{.subscription = 42,
                        .pattern = "docs.*.>",
                        .policy = 1,
                        .bound_messages = 43,
                        .bound_bytes = 44,
                        .window_messages = 45,
                        .window_bytes = 46,
                        .stall_ms = 47,
                        .resumes = true,
                        .resume_received = {48, 49, 50},
                        .retained = Retained::last_value,
                        .key = 53});
  builder.add(Advertise{.publication = 49,
                        .publisher_id = 50,
                        .publisher_epoch = 51,
                        .topic = topic,
                        .base_seq = 52,
                        .lane = Lane::high,
                        .retain = 54});
}

TEST(Control,
     hands_items_over_in_the_order_of_the_field_ids_but_verdicts_before_settles_and_ends_after) {
  ControlBuilder builder;
  add_everything(builder);
  EXPECT_EQ(listed(builder.finish()),
            "advertise 49 50 51 docs.new.report 52 1 54\n"
            "subscribe 42 docs.*.> 1 43 44 45 46 47 1 48 49 50 2 53\n"
            "withdraw 41\n"
            "credit 36 37 38 39 35\n"
            "drops 58 5 59\n"
            "outcome 32 33 34 35 36\n"
            "interest 28 30 29 31 32\n"
            "verdict 19 20 3 21 22\n"
            "lease_act 24 1 3 25 26 27\n"
            "settle 23 1 25 24 26 27\n"
            "unsubscribe 40\n"
            "want 16 17 18\n"
            "flush_ask 14 15 16\n"
            "subscribed 10 11 12 13\n"
            "advertised 8 9\n"
            "gone 6 7\n"
            "held 3 4 5\n"
            "goodbye 1 2\n"
            "notice 701 for people\n"
            "receipt 53 54 55 56 57 1 0 1\n"
            "request_act 56 57 58 2 60\n"
            "reply_end 61 62\n");
}

TEST(Control, builder_is_empty_after_finish_and_gives_the_same_bytes_again) {
  ControlBuilder builder;
  EXPECT_TRUE(builder.is_empty());
  EXPECT_EQ(builder.bytes_estimate(), 0u);
  add_everything(builder);
  EXPECT_FALSE(builder.is_empty());
  const std::span<const std::byte> first = builder.finish();
  const std::vector<std::byte> copy(first.begin(), first.end());
  EXPECT_TRUE(builder.is_empty());
  add_everything(builder);
  const std::span<const std::byte> second = builder.finish();
  EXPECT_TRUE(std::equal(second.begin(), second.end(), copy.begin(), copy.end()));
  EXPECT_EQ(listed(builder.finish()), "");
}

TEST(Control, estimate_is_an_upper_bound_and_not_far_off) {
  ControlBuilder builder;
  add_everything(builder);
  std::size_t estimate = builder.bytes_estimate();
  EXPECT_GE(estimate, builder.finish().size());
  for (std::uint32_t item = 1; item <= 400; ++item) {
    builder.add(Settle{.subscription = item});
    builder.add(Subscribe{.subscription = item, .pattern = topic, .resumes = true});
    builder.add(Advertise{.publication = item, .topic = topic});
  }
  estimate = builder.bytes_estimate();
  const std::size_t bytes = builder.finish().size();
  EXPECT_GE(estimate, bytes);
  EXPECT_LE(estimate, 2 * bytes);
}

TEST(Control, is_read_at_any_address) {
  ControlBuilder builder;
  add_everything(builder);
  const std::span<const std::byte> bytes = builder.finish();
  const std::string expected = listed(bytes);
  for (std::size_t shift = 0; shift < 16; ++shift) {
    Aligned memory(bytes.size() + shift);
    memory.put(shift, bytes);
    EXPECT_EQ(listed(memory.span().subspan(shift)), expected);
  }
}

TEST(Control, holds_as_many_items_as_fit_its_limit) {
  ControlBuilder builder;
  std::uint32_t items = 0;
  while (builder.bytes_estimate() + sizeof(fb::Settle) <= control_bytes_max)
    builder.add(Settle{.subscription = ++items});
  const std::string text = listed(builder.finish());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), items);
}

TEST(Control, misaligned_bytes_that_do_not_fit_the_scratch_are_refused) {
  ControlBuilder builder;
  builder.add(Withdraw{.publication = 1});
  const std::span<const std::byte> bytes = builder.finish();
  Aligned memory(bytes.size() + 1);
  memory.put(1, bytes);
  Aligned scratch(bytes.size());
  ControlSink sink;
  const std::span<const std::byte> shifted = memory.span().subspan(1);
  EXPECT_EQ(read_control(shifted, scratch.span(), sink), Reject::none);
  EXPECT_EQ(read_control(shifted, scratch.span().first(bytes.size() - 1), sink), Reject::control);
}

template <class Item>
Reject read_one(const Item& item) {
  ControlBuilder builder;
  builder.add(Withdraw{.publication = 1});
  builder.add(item);
  Listing listing;
  const Reject reject = read(builder.finish(), listing);
  // All or nothing: the good item in front of the bad one has had no effect.
  if (reject != Reject::none) {
    EXPECT_EQ(listing.text, "");
  }
  return reject;
}

TEST(Control, handles_that_are_zero_are_refused) {
  EXPECT_EQ(read_one(Advertise{}), Reject::control);
  EXPECT_EQ(read_one(Subscribe{}), Reject::control);
  EXPECT_EQ(read_one(Withdraw{}), Reject::control);
  EXPECT_EQ(read_one(Unsubscribe{}), Reject::control);
  EXPECT_EQ(read_one(Credit{}), Reject::control);
  EXPECT_EQ(read_one(Outcome{}), Reject::control);
  EXPECT_EQ(read_one(Interest{}), Reject::control);
  EXPECT_EQ(read_one(Settle{}), Reject::control);
  EXPECT_EQ(read_one(Verdict{}), Reject::control);
  EXPECT_EQ(read_one(LeaseAct{}), Reject::control);
  EXPECT_EQ(read_one(Want{}), Reject::control);
  EXPECT_EQ(read_one(FlushAsk{}), Reject::control);
  EXPECT_EQ(read_one(Subscribed{}), Reject::control);
  EXPECT_EQ(read_one(Advertised{}), Reject::control);
  EXPECT_EQ(read_one(Gone{}), Reject::control);
  EXPECT_EQ(read_one(Held{}), Reject::control);
  EXPECT_EQ(read_one(Drops{}), Reject::control);
  EXPECT_EQ(read_one(Receipt{}), Reject::control);
}

TEST(Control, values_out_of_range_are_refused) {
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .policy = 3}), Reject::none);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .policy = 4}), Reject::control);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .retained = Retained{2}}),
            Reject::none);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .retained = Retained{3}}),
            Reject::control);
  EXPECT_EQ(read_one(Verdict{.subscription = 1, .first_delivery = 0, .count = 1}), Reject::control);
  EXPECT_EQ(read_one(Verdict{.subscription = 1, .first_delivery = 1, .count = 0}), Reject::control);
  EXPECT_EQ(read_one(Verdict{.subscription = 1, .first_delivery = ~0ull, .count = 1}),
            Reject::control);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .group_mode = 2}), Reject::none);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .group_mode = 3}),
            Reject::control);
  const std::string name(65, 'g');
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = ">", .group = name}), Reject::control);
  LeaseAct act{.subscription = 1, .first_delivery = 1, .count = 1};
  EXPECT_EQ(read_one(act), Reject::none);
  act.kind = LeaseWord{3};
  EXPECT_EQ(read_one(act), Reject::control);
  EXPECT_EQ(read_one(LeaseAct{.subscription = 1, .first_delivery = 1}), Reject::control);
  EXPECT_EQ(read_one(LeaseAct{.subscription = 1, .first_delivery = ~0ull, .count = 1}),
            Reject::control);
  for (const Lane lane : {Lane::control, Lane{4}}) {
    act = {.subscription = 1, .lane = lane, .first_delivery = 1, .count = 1};
    EXPECT_EQ(read_one(act), Reject::control);
    EXPECT_EQ(read_one(Advertise{.publication = 1, .topic = "a", .lane = lane}), Reject::control);
    EXPECT_EQ(read_one(Settle{.subscription = 1, .lane = lane}), Reject::control);
    EXPECT_EQ(read_one(Verdict{.subscription = 1, .lane = lane, .first_delivery = 1, .count = 1}),
              Reject::control);
  }
  EXPECT_EQ(read_one(Interest{.publication = 1, .match_count = 1, .lossless_count = 2}),
            Reject::control);
  EXPECT_EQ(read_one(Drops{.publication = 1, .reason = static_cast<DropReason>(99), .count = 1}),
            Reject::control);
}

TEST(Control, receipts_that_say_nothing_or_contradict_themselves_are_refused) {
  const Receipt good{.publication = 1,
                     .count = 2,
                     .first_seq = 3,
                     .number = 4,
                     .delivered = 5,
                     .outcome = ReceiptOutcome::delivered};
  EXPECT_EQ(read_one(good), Reject::none);
  const auto with = [&](auto change) {
    Receipt receipt = good;
    change(receipt);
    return read_one(receipt);
  };
  EXPECT_EQ(with([](Receipt& item) { item.count = 0; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.first_seq = 0; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.first_seq = ~0ull; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.number = 0; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.delivered = 0; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.outcome = ReceiptOutcome::pending; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.outcome = ReceiptOutcome::dropped; }), Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.outcome = ReceiptOutcome::outside_window; }),
            Reject::control);
  EXPECT_EQ(with([](Receipt& item) { item.reason = static_cast<DropReason>(99); }),
            Reject::control);
}

TEST(Control, acts_of_requests_name_a_request_somebody_and_a_kind) {
  EXPECT_EQ(read_one(RequestAct{.correlation = 1, .agent_id = 2}), Reject::none);
  EXPECT_EQ(read_one(RequestAct{.correlation = 1, .publication = 2}), Reject::none);
  EXPECT_EQ(read_one(RequestAct{.correlation = 1}), Reject::control);
  EXPECT_EQ(read_one(RequestAct{.agent_id = 2}), Reject::control);
  EXPECT_EQ(read_one(RequestAct{.correlation = 1, .agent_id = 2, .kind = RequestActKind{0}}),
            Reject::control);
  EXPECT_EQ(read_one(RequestAct{.correlation = 1, .agent_id = 2, .kind = RequestActKind{3}}),
            Reject::control);
  EXPECT_EQ(read_one(ReplyEnd{.agent_id = 0, .publisher_id = 1}), Reject::control);
}

TEST(Control, topics_are_bounded_and_notices_cut) {
  const std::string limit(160, 'a');
  EXPECT_EQ(read_one(Advertise{.publication = 1, .topic = limit}), Reject::none);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = limit}), Reject::none);
  EXPECT_EQ(read_one(Advertise{.publication = 1, .topic = limit + "a"}), Reject::control);
  EXPECT_EQ(read_one(Subscribe{.subscription = 1, .pattern = limit + "a"}), Reject::control);
  const std::string text(notice_bytes_max, 'n');
  ControlBuilder builder;
  const std::string too_long = text + "cut off";
  builder.set(Notice{.error = 1, .text = too_long});
  EXPECT_EQ(listed(builder.finish()), "notice 1 " + text + "\n");
}

TEST(Control, every_flipped_byte_is_refused_or_harmless) {
  ControlBuilder builder;
  add_everything(builder);
  const std::span<const std::byte> bytes = builder.finish();
  const std::vector<std::byte> good(bytes.begin(), bytes.end());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bits = 1; bits < 256; ++bits) {
      std::vector<std::byte> flipped = good;
      flipped[at] ^= static_cast<std::byte>(bits);
      Listing listing;
      if (read(flipped, listing) != Reject::none) {
        EXPECT_EQ(listing.text, "");
      }
    }
  }
}

TEST(Control, every_prefix_is_refused_or_harmless) {
  ControlBuilder builder;
  add_everything(builder);
  const std::span<const std::byte> bytes = builder.finish();
  for (std::size_t count = 0; count < bytes.size(); ++count) {
    const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<long>(count));
    Listing listing;
    (void)read(prefix, listing);
  }
  Listing listing;
  EXPECT_EQ(read({}, listing), Reject::control);
  EXPECT_EQ(read(std::vector<std::byte>(control_bytes_read_max + 1), listing), Reject::control);
}

// One table named by thousands of offsets: the work asked for is bounded, not by bytes alone.
TEST(Control, tables_named_again_and_again_are_refused) {
  for (const std::size_t times : {4000u, 4200u}) {
    flatbuffers::FlatBufferBuilder builder;
    const auto topic_at = builder.CreateString("a");
    const auto advertise = fb::CreateAdvertise(builder, 1, 1, 1, topic_at, 0);
    const std::vector<flatbuffers::Offset<fb::Advertise>> offsets(times, advertise);
    const auto advertises = builder.CreateVector(offsets);
    fb::ControlBuilder control(builder);
    control.add_advertises(advertises);
    fb::FinishControlBuffer(builder, control.Finish());
    ControlSink sink;
    const std::span<const std::byte> bytes{
        reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
    EXPECT_EQ(read(bytes, sink), times == 4000 ? Reject::none : Reject::control);
  }
}

}  // namespace
}  // namespace abuzz::wire::test
