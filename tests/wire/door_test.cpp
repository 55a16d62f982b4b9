#include <gtest/gtest.h>

#include <string>

#include "bus/wire/control.hpp"
#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

DoorHello hello_for_tests() {
  DoorHello hello;
  hello.name = "summarizer";
  hello.kind = "writer";
  hello.pid = 4242;
  hello.start_ticks = 99;
  hello.agent_id = 0x1'0000'0007;
  hello.token = std::vector<std::byte>(16, std::byte{5});
  hello.session_epoch = 3;
  hello.node_epoch_seen = 2;
  hello.counters_path = "agent-7.counters";
  hello.description = "Keeps the minutes of every meeting";
  return hello;
}

DoorWelcome welcome_for_tests() {
  DoorWelcome welcome;
  welcome.version = 1;
  welcome.node_id = 0xabcdef;
  welcome.node_epoch = 2;
  welcome.session_epoch = 3;
  welcome.agent_id = 0x1'0000'0007;
  welcome.token = std::vector<std::byte>(16, std::byte{5});
  welcome.endpoint = "ipc:///run/user/1000/abuzz/shard-0";
  welcome.secret = std::vector<std::byte>(16, std::byte{6});
  welcome.payload_bytes_max = 1 << 20;
  welcome.batch_bytes_max = 256 << 10;
  welcome.batch_messages_max = 4096;
  welcome.subscriptions_max = 256;
  welcome.window_bytes = {65536, 524288, 131072};
  return welcome;
}

template <class Message>
Reject read_back(const Message& message) {
  Message copy;
  return read_door(write_door(message), copy);
}

TEST(Door, hello_reads_back) {
  const DoorHello hello = hello_for_tests();
  const std::vector<std::byte> datagram = write_door(hello);
  EXPECT_LE(datagram.size(), door_bytes_max);
  DoorHead head;
  ASSERT_EQ(read_door_head(datagram, head), Reject::none);
  EXPECT_EQ(head.kind, DoorKind::hello);
  EXPECT_EQ(head.version_min, version_oldest);
  EXPECT_EQ(head.version_max, version_current);
  DoorHello copy;
  ASSERT_EQ(read_door(datagram, copy), Reject::none);
  EXPECT_EQ(copy.name, hello.name);
  EXPECT_EQ(copy.kind, hello.kind);
  EXPECT_EQ(copy.pid, hello.pid);
  EXPECT_EQ(copy.start_ticks, hello.start_ticks);
  EXPECT_EQ(copy.agent_id, hello.agent_id);
  EXPECT_EQ(copy.token, hello.token);
  EXPECT_EQ(copy.session_epoch, hello.session_epoch);
  EXPECT_EQ(copy.node_epoch_seen, hello.node_epoch_seen);
  EXPECT_EQ(copy.counters_path, hello.counters_path);
  EXPECT_EQ(copy.description, hello.description);
}

TEST(Door, welcome_reads_back) {
  const DoorWelcome welcome = welcome_for_tests();
  DoorWelcome copy;
  ASSERT_EQ(read_door(write_door(welcome), copy), Reject::none);
  EXPECT_EQ(copy.version, welcome.version);
  EXPECT_EQ(copy.node_id, welcome.node_id);
  EXPECT_EQ(copy.node_epoch, welcome.node_epoch);
  EXPECT_EQ(copy.session_epoch, welcome.session_epoch);
  EXPECT_EQ(copy.agent_id, welcome.agent_id);
  EXPECT_EQ(copy.token, welcome.token);
  EXPECT_EQ(copy.endpoint, welcome.endpoint);
  EXPECT_EQ(copy.secret, welcome.secret);
  EXPECT_EQ(copy.payload_bytes_max, welcome.payload_bytes_max);
  EXPECT_EQ(copy.batch_bytes_max, welcome.batch_bytes_max);
  EXPECT_EQ(copy.batch_messages_max, welcome.batch_messages_max);
  EXPECT_EQ(copy.subscriptions_max, welcome.subscriptions_max);
  EXPECT_EQ(copy.window_bytes, welcome.window_bytes);
}

TEST(Door, refusal_reads_back_and_its_text_is_cut) {
  DoorRefusal copy;
  ASSERT_EQ(read_door(write_door(DoorRefusal{502, "the name is taken"}), copy), Reject::none);
  EXPECT_EQ(copy.error, 502);
  EXPECT_EQ(copy.text, "the name is taken");
  ASSERT_EQ(read_door(write_door(DoorRefusal{1, std::string(9000, 'x')}), copy), Reject::none);
  EXPECT_EQ(copy.text.size(), 512u);
}

TEST(Door, new_agent_has_no_token_and_a_known_one_must_have_one) {
  DoorHello hello = hello_for_tests();
  hello.agent_id = 0;
  EXPECT_EQ(read_back(hello), Reject::control);
  hello.token.clear();
  EXPECT_EQ(read_back(hello), Reject::none);
  hello.agent_id = 1;
  EXPECT_EQ(read_back(hello), Reject::control);
  hello.token.resize(15);
  EXPECT_EQ(read_back(hello), Reject::control);
  hello.token.resize(17);
  EXPECT_EQ(read_back(hello), Reject::control);
}

TEST(Door, counters_path_must_not_lead_out_of_the_runtime_directory) {
  DoorHello hello = hello_for_tests();
  for (const char* path : {"../secrets", "/etc/passwd", "a/b", "..", "."}) {
    hello.counters_path = path;
    EXPECT_EQ(read_back(hello), Reject::control) << path;
  }
  hello.counters_path = std::string("a\0b", 3);
  EXPECT_EQ(read_back(hello), Reject::control);
  hello.counters_path.clear();
  EXPECT_EQ(read_back(hello), Reject::none);
}

TEST(Door, strings_are_taken_up_to_their_limits) {
  DoorHello hello = hello_for_tests();
  hello.name = std::string(64, 'n');
  EXPECT_EQ(read_back(hello), Reject::none);
  hello.name += 'n';
  EXPECT_EQ(read_back(hello), Reject::control);
  DoorWelcome welcome = welcome_for_tests();
  welcome.endpoint = std::string(256, 'e');
  EXPECT_EQ(read_back(welcome), Reject::none);
  welcome.endpoint += 'e';
  EXPECT_EQ(read_back(welcome), Reject::control);
  welcome.endpoint.clear();
  EXPECT_EQ(read_back(welcome), Reject::control);
}

TEST(Door, welcome_without_a_whole_secret_token_or_windows_is_refused) {
  DoorWelcome welcome = welcome_for_tests();
  welcome.secret.pop_back();
  EXPECT_EQ(read_back(welcome), Reject::control);
  welcome = welcome_for_tests();
  welcome.token.clear();
  EXPECT_EQ(read_back(welcome), Reject::control);
  welcome = welcome_for_tests();
  welcome.window_bytes.pop_back();
  EXPECT_EQ(read_back(welcome), Reject::control);
}

TEST(Door, head_is_refused_for_the_field_that_lies) {
  const std::vector<std::byte> good = write_door(hello_for_tests());
  const auto read_changed = [&](auto change) {
    std::vector<std::byte> datagram = good;
    DoorHead head = peek<DoorHead>(datagram, 0);
    change(head);
    poke(datagram, 0, head);
    DoorHello hello;
    return read_door(datagram, hello);
  };
  using H = DoorHead;
  EXPECT_EQ(read_changed([](H&) {}), Reject::none);
  EXPECT_EQ(read_changed([](H& head) { head.magic ^= 1; }), Reject::magic);
  EXPECT_EQ(read_changed([](H& head) { head.reserved0 = 1; }), Reject::reserved_not_zero);
  EXPECT_EQ(read_changed([](H& head) { head.reserved1 = 1; }), Reject::reserved_not_zero);
  EXPECT_EQ(read_changed([](H& head) { head.kind = DoorKind{0}; }), Reject::kind);
  EXPECT_EQ(read_changed([](H& head) { head.kind = DoorKind{5}; }), Reject::kind);
  EXPECT_EQ(read_changed([](H& head) { head.kind = DoorKind::welcome; }), Reject::kind);
  EXPECT_EQ(read_changed([](H& head) { head.body_bytes += 1; }), Reject::head_bytes);
  EXPECT_EQ(read_changed([](H& head) { head.version_min = 0; }), Reject::version);
  EXPECT_EQ(read_changed([](H& head) { head.version_min = 2; }), Reject::version);
  // A peer that also speaks later versions is not refused: who reads it judges.
  EXPECT_EQ(read_changed([](H& head) { head.version_max = 9; }), Reject::none);
}

TEST(Door, goodbye_is_a_head_alone) {
  DoorHead goodbye;
  goodbye.kind = DoorKind::goodbye;
  std::vector<std::byte> datagram(sizeof(DoorHead));
  poke(datagram, 0, goodbye);
  DoorHead head;
  EXPECT_EQ(read_door_head(datagram, head), Reject::none);
  EXPECT_EQ(head.kind, DoorKind::goodbye);
}

TEST(Door, datagrams_past_the_limit_or_cut_short_are_refused) {
  DoorHead head;
  std::vector<std::byte> datagram(door_bytes_max + 1);
  poke(datagram, 0, DoorHead{.body_bytes = door_bytes_max + 1 - sizeof(DoorHead)});
  EXPECT_EQ(read_door_head(datagram, head), Reject::head_bytes);
  datagram.pop_back();
  poke(datagram, 0, DoorHead{.body_bytes = door_bytes_max - sizeof(DoorHead)});
  EXPECT_EQ(read_door_head(datagram, head), Reject::none);
  DoorHello hello;
  const std::vector<std::byte> good = write_door(hello_for_tests());
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes)
    EXPECT_NE(read_door(std::span(good).first(bytes), hello), Reject::none);
  EXPECT_EQ(read_door(std::span(good).first(15), hello), Reject::too_short);
}

template <class Message>
void flip_every_byte(const Message& message) {
  const std::vector<std::byte> good = write_door(message);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bits = 1; bits < 256; ++bits) {
      std::vector<std::byte> flipped = good;
      flipped[at] ^= static_cast<std::byte>(bits);
      Message read;
      (void)read_door(flipped, read);
    }
  }
}

TEST(Door, every_flipped_byte_is_refused_or_harmless) {
  flip_every_byte(hello_for_tests());
  flip_every_byte(welcome_for_tests());
  flip_every_byte(DoorRefusal{502, "the name is taken"});
}

}  // namespace
}  // namespace abuzz::wire::test
