#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "bus/wire/compress.hpp"
#include "bus/wire/control.hpp"
#include "tests/wire/wire_fixture.hpp"

// schema/golden holds the bytes that a client in any language must make (or, where its README says
// so, only read). ABUZZ_UPDATE_GOLDEN=1 writes them anew: a difference is a change of the wire.

namespace abuzz::wire::test {
namespace {

std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "schema" /
         "golden" / (name + ".hex");
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto value = std::to_integer<unsigned>(bytes[at]);
    text += digits[value >> 4];
    text += digits[value & 15];
    text += at % 16 == 15 || at + 1 == bytes.size() ? '\n' : ' ';
  }
  return text;
}

std::string load(const std::string& name) {
  std::ifstream file(golden_path(name));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 3)
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(at, 2), nullptr, 16)));
  return bytes;
}

bool updates() {
  return std::getenv("ABUZZ_UPDATE_GOLDEN") != nullptr;
}

void compare(const std::string& name, std::span<const std::byte> bytes) {
  if (updates()) std::ofstream(golden_path(name)) << to_hex(bytes);
  EXPECT_EQ(load(name), to_hex(bytes)) << name;
}

std::vector<std::byte> filled(std::size_t bytes) {
  std::vector<std::byte> payload(bytes);
  for (std::size_t at = 0; at < bytes; ++at) payload[at] = static_cast<std::byte>('a' + at % 26);
  return payload;
}

Record record_of(const std::vector<std::byte>& batch) {
  BatchHead head;
  EXPECT_EQ(BatchHead::parse(batch, head), Reject::none);
  Record record;
  record.handle = 9;
  record.slice_bytes = static_cast<std::uint32_t>(batch.size());
  record.ttl_left_ms = head.envelope.ttl_ms;
  record.message_count = head.envelope.message_count;
  record.seq = head.envelope.first_seq;
  return record;
}

FrameHead head_for_golden() {
  FrameHead head;
  head.session_epoch = 3;
  head.node_epoch = 2;
  head.link_ack[0] = 1;
  head.link_ack[1] = 20;
  head.link_ack[2] = 300;
  head.link_seq = 17;
  head.frames_acked = 16;
  return head;
}

template <class Item>
void compare_control(const std::string& name, const Item& item) {
  ControlBuilder builder;
  if constexpr (requires { builder.add(item); }) {
    builder.add(item);
  } else {
    builder.set(item);
  }
  compare("control_" + name, builder.finish());
}

TEST(Golden, batches_are_the_same_bytes) {
  compare("batch_raw", three_messages());
  compare("batch_one_message", sealed_batch({filled(64)}));
  compare("chunk_first", sealed_batch({filled(40)}, chunk_envelope(0, 2, 60)));
  compare("chunk_last", sealed_batch({filled(20)}, chunk_envelope(1, 2, 60)));
}

TEST(Golden, compressed_batch_is_read) {
  TestPool pool;
  const std::vector<std::byte> raw = sealed_batch({filled(1000)});
  if (updates()) compare("batch_zstd_decode_only", try_compress(raw, pool.pool()).span());
  // Another version of zstd may give other bytes, but must read these.
  BatchView view;
  ASSERT_EQ(verify(pool.put(from_hex(load("batch_zstd_decode_only"))), pool.pool(), {}, view),
            Reject::none);
  const std::span<const std::byte> payload = view.payload(0);
  EXPECT_EQ(std::vector<std::byte>(payload.begin(), payload.end()), filled(1000));
}

TEST(Golden, frames_are_the_same_bytes) {
  const std::vector<std::byte> batch = three_messages();
  std::vector<std::byte> place(in_place_headroom + batch.size());
  std::copy(batch.begin(), batch.end(), place.begin() + in_place_headroom);
  write_frame_in_place(place, in_place_headroom, head_for_golden(), record_of(batch));
  compare("frame_up_one_batch", place);

  std::vector<Record> records(4);
  std::vector<Target> targets(4);
  std::vector<std::span<const std::byte>> slices(4);
  FrameBuilder builder({records, targets, slices});
  Record record = record_of(batch);
  record.handle = 0;
  builder.add_inline(record, batch);
  builder.add_target({.subscription = 1, .first = 0, .count = 3, .first_delivery = 100});
  builder.add_target({.subscription = 2, .first = 1, .count = 1, .first_delivery = 7});
  Record gap;
  gap.kind = RecordKind::void_range;
  gap.seq = 44;
  gap.message_count = 2;
  gap.attempt_or_reason = 3;
  builder.add_reference(gap);
  ControlBuilder control;
  control.add(Credit{.publication = 9,
                     .accepted_seq = 43,
                     .limit_messages = 16'384,
                     .limit_bytes = 1 << 20,
                     .settled_seq = 41});
  Record item;
  item.kind = RecordKind::control;
  item.lane = Lane::control;
  builder.add_inline(item, control.finish());
  std::vector<std::byte> down(builder.head_bytes());
  builder.finish(head_for_golden(), down);
  compare("frame_down_three_records", down);

  builder.clear();
  std::vector<std::byte> empty(builder.head_bytes());
  builder.finish(head_for_golden(), empty);
  compare("frame_acknowledgement", empty);
}

TEST(Golden, control_items_are_the_same_bytes) {
  compare_control("advertise", Advertise{.publication = 9,
                                         .publisher_id = 3,
                                         .publisher_epoch = 1,
                                         .topic = topic,
                                         .base_seq = 40,
                                         .lane = Lane::bulk,
                                         .retain = 3});
  compare_control("subscribe", Subscribe{.subscription = 1,
                                         .pattern = "docs.*.>",
                                         .policy = 0,
                                         .bound_messages = 16'384,
                                         .bound_bytes = 8 << 20,
                                         .window_messages = 16'384,
                                         .window_bytes = 2 << 20,
                                         .stall_ms = 10'000});
  compare_control("subscribe_resumed", Subscribe{.subscription = 1,
                                                 .pattern = "docs.*.>",
                                                 .policy = 1,
                                                 .bound_messages = 1024,
                                                 .bound_bytes = 8 << 20,
                                                 .window_messages = 1024,
                                                 .window_bytes = 2 << 20,
                                                 .resumes = true,
                                                 .resume_received = {75, 77, 3}});
  compare_control("subscribe_group", Subscribe{.subscription = 1,
                                               .pattern = "jobs.>",
                                               .bound_messages = 16'384,
                                               .bound_bytes = 8 << 20,
                                               .window_messages = 1024,
                                               .window_bytes = 2 << 20,
                                               .stall_ms = 10'000,
                                               .group = "workers",
                                               .group_mode = 2,
                                               .ack_ms = 30'000,
                                               .attempts_max = 20});
  compare_control("subscribe_last_value", Subscribe{.subscription = 1,
                                                    .pattern = "docs.new",
                                                    .policy = 1,
                                                    .bound_messages = 1,
                                                    .bound_bytes = 8 << 20,
                                                    .window_messages = 16'384,
                                                    .window_bytes = 2 << 20,
                                                    .retained = Retained::last_value,
                                                    .key = 7});
  compare_control("withdraw", Withdraw{.publication = 9});
  compare_control("unsubscribe", Unsubscribe{.subscription = 1});
  compare_control("credit", Credit{.publication = 9,
                                   .accepted_seq = 43,
                                   .limit_messages = 16'384,
                                   .limit_bytes = 1 << 20,
                                   .settled_seq = 41});
  compare_control(
      "outcome",
      Outcome{.publication = 9, .delivered = 40, .no_subscriber = 2, .dropped = 1, .unknown = 3});
  compare_control("interest", Interest{.publication = 9,
                                       .match_count = 2,
                                       .lossless_count = 1,
                                       .generation = 5,
                                       .queue_messages = 1024});
  compare_control("settle", Settle{.subscription = 1,
                                   .lane = Lane::bulk,
                                   .received_no = 103,
                                   .done_no = 102,
                                   .consumed_messages = 103,
                                   .consumed_bytes = 9000});
}

TEST(Golden, rare_control_items_are_the_same_bytes) {
  compare_control(
      "verdict",
      Verdict{
          .subscription = 1, .reason = 2, .lane = Lane::high, .first_delivery = 101, .count = 1});
  compare_control("lease_act", LeaseAct{.subscription = 1,
                                        .kind = LeaseWord::nak,
                                        .lane = Lane::normal,
                                        .first_delivery = 17,
                                        .count = 3,
                                        .delay_ms = 5000});
  compare_control("want", Want{.publication = 9, .limit_messages = 1, .limit_bytes = 1'050'000});
  compare_control("flush_ask", FlushAsk{.publication = 9, .seq = 43, .receipts_seen = 7});
  compare_control("drops", Drops{.publication = 9, .reason = DropReason::conflated, .count = 12});
  compare_control("receipt", Receipt{.publication = 9,
                                     .count = 3,
                                     .first_seq = 41,
                                     .number = 8,
                                     .delivered = 2,
                                     .outcome = ReceiptOutcome::delivered,
                                     .is_partial = true});
  compare_control(
      "subscribed",
      Subscribed{.subscription = 1, .error = 0, .generation = 5, .matched_publications = 1});
  compare_control("advertised", Advertised{.publication = 9, .error = 201});
  compare_control("gone", Gone{.subscription = 1, .reason = 1});
  compare_control("held", Held{.publication = 9, .since_ms = 120, .agent_id = 0x1'0000'0008});
  compare_control("goodbye", Goodbye{.reason = 702, .deadline_ms = 1000});
  compare_control("notice", Notice{.error = 508, .text = "three frames were refused"});
  compare_control("request_act", RequestAct{.correlation = 0x0123'4567'89ab'cdef,
                                            .agent_id = 0x1'0000'0008,
                                            .publication = 9,
                                            .kind = RequestActKind::go_on,
                                            .parts = 64});
  compare_control("reply_end", ReplyEnd{.agent_id = 0x1'0000'0008, .publisher_id = 3});
}

TEST(Golden, door_datagrams_are_the_same_bytes) {
  DoorHello hello;
  hello.name = "summarizer";
  hello.kind = "writer";
  hello.pid = 4242;
  hello.start_ticks = 99;
  hello.session_epoch = 1;
  compare("door_hello_new", write_door(hello));
  hello.agent_id = 0x1'0000'0007;
  hello.token = std::vector<std::byte>(16, std::byte{0xa5});
  hello.session_epoch = 3;
  hello.node_epoch_seen = 2;
  hello.counters_path = "agent-7.counters";
  hello.description = "Keeps the minutes of every meeting";
  compare("door_hello_known", write_door(hello));
  DoorWelcome welcome;
  welcome.version = 1;
  welcome.node_id = 0x1122'3344'5566'7788;
  welcome.node_epoch = 2;
  welcome.session_epoch = 3;
  welcome.agent_id = 0x1'0000'0007;
  welcome.token = std::vector<std::byte>(16, std::byte{0xa5});
  welcome.endpoint = "ipc:///run/user/1000/abuzz/shard-0";
  welcome.secret = std::vector<std::byte>(16, std::byte{0x5a});
  welcome.payload_bytes_max = 1 << 20;
  welcome.batch_bytes_max = 256 << 10;
  welcome.batch_messages_max = 4096;
  welcome.subscriptions_max = 256;
  welcome.window_bytes = {65'536, 524'288, 131'072};
  compare("door_welcome", write_door(welcome));
  compare("door_refusal", write_door(DoorRefusal{502, "the name is taken"}));
  std::vector<std::byte> goodbye(sizeof(DoorHead));
  poke(goodbye, 0, DoorHead{.kind = DoorKind::goodbye});
  compare("door_goodbye", goodbye);
}

}  // namespace
}  // namespace abuzz::wire::test
