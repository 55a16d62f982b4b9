#include "bus/node/reception.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/node/loop_node.hpp"

namespace abuzz::node::test {
namespace {

using base::second;
using testing::HasSubstr;
using Kind = Heard::Kind;
using Phase = Reception::Phase;

// As the log names an agent of this process.
std::string alice() {
  return "agent alice (process " + std::to_string(getpid()) + ")";
}

TEST(Reception, welcomes_an_agent_with_all_that_it_needs) {
  Config config;
  config.limits.payload_bytes_max = 4096;
  LoopNode node(config);
  auto visit = node.greet(hello_of("alice"));
  const Heard heard = node.hear(*visit);
  ASSERT_EQ(heard.kind, Kind::welcome);
  const wire::DoorWelcome& welcome = heard.welcome;
  EXPECT_EQ(welcome.version, wire::version_current);
  EXPECT_EQ(welcome.node_id, node.identity().node_id);
  EXPECT_EQ(welcome.node_epoch, 1U);
  EXPECT_EQ(welcome.session_epoch, 1U);
  EXPECT_EQ(welcome.agent_id, (std::uint64_t{1} << 32) | 1);
  EXPECT_EQ(welcome.token.size(), 16U);
  EXPECT_EQ(welcome.secret.size(), 16U);
  EXPECT_EQ(welcome.payload_bytes_max, 4096U);
  EXPECT_EQ(welcome.batch_bytes_max, config.limits.batch_bytes_max);
  EXPECT_EQ(welcome.batch_messages_max, config.limits.batch_messages_max);
  EXPECT_EQ(welcome.subscriptions_max, config.agent.subscriptions_max);
  const std::vector<std::uint32_t> windows{config.link.window_high_bytes,
                                           config.link.window_normal_bytes,
                                           config.link.window_bulk_bytes};
  EXPECT_EQ(welcome.window_bytes, windows);
  auto link = node.attach(welcome);
  EXPECT_EQ(node.agent_state("alice"), PeerState::ready);
  EXPECT_EQ(node.count(ProcessCounter::state), static_cast<std::uint64_t>(PeerState::ready));
}

TEST(Reception, makes_up_a_name_that_the_agent_can_derive_from_its_id) {
  LoopNode node;
  auto visit = node.greet(hello_of(""));
  const Heard heard = node.hear(*visit);
  ASSERT_EQ(heard.kind, Kind::welcome);
  EXPECT_EQ(made_up_name(heard.welcome.agent_id), "agent-100000001");
  EXPECT_EQ(node.agent_state("agent-100000001"), PeerState::starting);
}

TEST(Reception, a_made_up_name_steps_over_one_that_somebody_chose) {
  LoopNode node;
  auto first = node.greet(hello_of(made_up_name((std::uint64_t{1} << 32) | 2)));
  auto second_visit = node.greet(hello_of(""));
  const Heard heard = node.hear(*second_visit);
  ASSERT_EQ(heard.kind, Kind::welcome);
  EXPECT_EQ(heard.welcome.agent_id, (std::uint64_t{1} << 32) | 3);
}

TEST(Reception, a_name_is_one_agents_until_it_has_gone) {
  LoopNode node;
  auto first = node.greet(hello_of("alice"));
  auto other = node.greet(hello_of("alice"));
  const Heard heard = node.hear(*other);
  EXPECT_EQ(heard.kind, Kind::refusal);
  EXPECT_EQ(heard.error, Error::agent_name_taken);
  EXPECT_EQ(heard.text, "alice");
  EXPECT_TRUE(node.is_hung_up(*other));
  first.reset();
  node.step();
  EXPECT_EQ(node.agent_rows(), 0U);
  EXPECT_EQ(node.hear(*node.greet(hello_of("alice"))).kind, Kind::welcome);
}

TEST(Reception, refuses_a_name_that_is_not_one_token) {
  LoopNode node;
  EXPECT_EQ(node.hear(*node.greet(hello_of("a.b"))).error, Error::bad_agent_name);
  EXPECT_EQ(node.hear(*node.greet(hello_of(std::string(64, 'x')))).kind, Kind::welcome);
  // Agents check their name themselves: what is longer than the format allows is no hello.
  EXPECT_EQ(node.hear(*node.greet(hello_of(std::string(65, 'x')))).error, Error::bad_frame);
}

TEST(Reception, kind_and_description_are_cut_and_made_fit_to_print) {
  LoopNode node;
  wire::DoorHello hello = hello_of("alice");
  hello.kind = "\x1b[2J" + std::string(60, 'k');
  hello.description = "\x07" + std::string(200, 'd');
  auto visit = node.greet(hello);
  for (const RowSnapshot& row : node.core().stats().snapshot().rows) {
    if (row.kind == RowKind::agent) {
      EXPECT_EQ(row.text2, "?[2J" + std::string(28, 'k'));
      EXPECT_EQ(row.text3, "?" + std::string(127, 'd'));
    }
  }
}

TEST(Reception, a_version_that_it_does_not_speak_is_refused_with_both_ranges) {
  LoopNode node;
  std::vector<std::byte> datagram = wire::write_door(hello_of("alice"));
  wire::DoorHead head;
  std::memcpy(&head, datagram.data(), sizeof head);
  head.version_min = 7;
  head.version_max = 9;
  std::memcpy(datagram.data(), &head, sizeof head);
  auto visit = node.call();
  visit->try_send(datagram);
  node.step();
  const Heard heard = node.hear(*visit);
  EXPECT_EQ(heard.error, Error::version_mismatch);
  EXPECT_THAT(heard.text, HasSubstr("versions 1 to 1"));
  EXPECT_THAT(heard.text, HasSubstr("7 to 9"));
  EXPECT_TRUE(node.is_hung_up(*visit));
}

TEST(Reception, noise_at_the_door_is_refused_and_counted) {
  LoopNode node;
  base::Random random(7);
  for (std::size_t round = 0; round < 200; ++round) {
    auto visit = node.call();
    std::vector<std::byte> noise(1 + random.below(300));
    if (round % 2 == 0) {
      noise = wire::write_door(hello_of("mallory"));
      noise[random.below(noise.size())] ^= std::byte{0x55};
      noise.resize(1 + random.below(noise.size()));
    } else {
      for (std::byte& value : noise) value = static_cast<std::byte>(random.below(256));
    }
    visit->try_send(noise);
    node.step();
    while (node.hear(*visit).kind == Kind::refusal) continue;
  }
  EXPECT_GT(node.count(ProcessCounter::door_turned_away), 190U);
  EXPECT_EQ(node.hear(*node.greet(hello_of("alice"))).kind, Kind::welcome);
}

TEST(Reception, an_agent_returns_with_its_token_and_the_old_session_ends) {
  LoopNode node;
  auto old_visit = node.greet(hello_of("alice"));
  const wire::DoorWelcome first = node.hear(*old_visit).welcome;
  auto old_link = node.attach(first);
  auto visit = node.greet(return_of("alice", first));
  const Heard heard = node.hear(*visit);
  ASSERT_EQ(heard.kind, Kind::welcome);
  EXPECT_EQ(heard.welcome.agent_id, first.agent_id);
  EXPECT_EQ(heard.welcome.session_epoch, 2U);
  EXPECT_EQ(heard.welcome.token, first.token);
  EXPECT_NE(heard.welcome.secret, first.secret);
  EXPECT_TRUE(node.is_hung_up(*old_visit));
  auto link = node.attach(heard.welcome);
  EXPECT_EQ(node.agent_rows(), 1U);
  EXPECT_EQ(node.agent_state("alice"), PeerState::ready);
}

TEST(Reception, an_agent_id_without_its_token_is_denied) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  const wire::DoorWelcome welcome = node.hear(*visit).welcome;
  wire::DoorHello thief = return_of("alice", welcome);
  thief.token[3] ^= std::byte{1};
  EXPECT_EQ(node.hear(*node.greet(thief)).error, Error::denied);
  thief.token.clear();
  EXPECT_EQ(node.hear(*node.greet(thief)).error, Error::bad_frame);
  thief = return_of("alice", welcome);
  ++thief.agent_id;
  EXPECT_EQ(node.hear(*node.greet(thief)).error, Error::denied);
  EXPECT_EQ(node.hear(*visit).kind, Kind::nothing) << "the owner was not disturbed";
}

TEST(Reception, a_session_that_is_not_newer_than_the_live_one_is_denied) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  wire::DoorHello zombie = return_of("alice", node.hear(*visit).welcome);
  zombie.session_epoch = 1;
  const Heard heard = node.hear(*node.greet(zombie));
  EXPECT_EQ(heard.error, Error::denied);
  EXPECT_THAT(heard.text, HasSubstr("not newer"));
}

TEST(Reception, an_agent_keeps_its_id_over_a_restart_of_the_node) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  const wire::DoorWelcome first = node.hear(*visit).welcome;
  node.restart();
  EXPECT_TRUE(node.is_hung_up(*visit));
  auto next = node.greet(return_of("alice", first));
  const Heard heard = node.hear(*next);
  ASSERT_EQ(heard.kind, Kind::welcome);
  EXPECT_EQ(heard.welcome.agent_id, first.agent_id);
  EXPECT_EQ(heard.welcome.node_epoch, first.node_epoch + 1);
  auto other = node.greet(hello_of("bob"));
  EXPECT_EQ(node.hear(*other).welcome.agent_id, (std::uint64_t{2} << 32) | 1);
}

TEST(Reception, links_max_is_the_last_that_enters) {
  Config config;
  config.node.links_max = 2;
  LoopNode node(config);
  auto first = node.greet(hello_of("a"));
  auto second_visit = node.greet(hello_of("b"));
  auto third = node.greet(hello_of("c"));
  EXPECT_EQ(node.hear(*second_visit).kind, Kind::welcome);
  const Heard heard = node.hear(*third);
  EXPECT_EQ(heard.error, Error::links_limit);
  EXPECT_THAT(heard.text, HasSubstr("2"));
  EXPECT_EQ(node.count(ProcessCounter::over_limit), 1U);
  // Who only returns takes no further place.
  auto again = node.greet(return_of("a", node.hear(*first).welcome));
  EXPECT_EQ(node.hear(*again).kind, Kind::welcome);
  second_visit.reset();
  node.step();
  EXPECT_EQ(node.hear(*node.greet(hello_of("c"))).kind, Kind::welcome);
}

TEST(Reception, agents_max_has_an_error_of_its_own) {
  Config config;
  config.node.agents_max = 1;
  LoopNode node(config);
  auto first = node.greet(hello_of("a"));
  EXPECT_EQ(node.hear(*node.greet(hello_of("b"))).error, Error::agents_limit);
}

TEST(Reception, admits_nobody_when_descriptors_run_out) {
  LoopNode node;
  node.host.has_descriptors = false;
  EXPECT_EQ(node.hear(*node.greet(hello_of("a"))).error, Error::descriptors);
  EXPECT_EQ(node.count(ProcessCounter::over_limit), 1U);
  node.host.has_descriptors = true;
  EXPECT_EQ(node.hear(*node.greet(hello_of("a"))).kind, Kind::welcome);
}

TEST(Reception, a_handshake_that_is_not_finished_in_time_ends) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  ASSERT_EQ(node.hear(*visit).kind, Kind::welcome);
  node.pass(1900 * base::millisecond);
  EXPECT_EQ(node.hear(*visit).kind, Kind::nothing);
  node.pass(200 * base::millisecond);
  EXPECT_EQ(node.hear(*visit).error, Error::handshake_timeout);
  EXPECT_TRUE(node.is_hung_up(*visit));
  EXPECT_EQ(node.agent_rows(), 0U);
}

TEST(Reception, an_attached_agent_without_a_counter_file_never_stalls) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.pass(100 * second);
  EXPECT_EQ(node.hear(*visit).kind, Kind::nothing);
  EXPECT_EQ(node.agent_state("alice"), PeerState::ready);
}

TEST(Reception, an_agent_without_a_beat_is_stalled_and_ready_again_with_the_next) {
  LoopNode node;
  wire::DoorHello hello = hello_of("alice");
  hello.counters_path = "alice.counters";
  auto visit = node.greet(hello);
  auto link = node.attach(node.hear(*visit).welcome);
  for (std::uint64_t beat = 1; beat <= 10; ++beat) {
    node.host.beats["alice.counters"] = beat;
    node.pass(second);
  }
  EXPECT_EQ(node.agent_state("alice"), PeerState::ready);
  node.pass(5 * second);
  EXPECT_EQ(node.agent_state("alice"), PeerState::stalled);
  EXPECT_EQ(node.hear(*visit).kind, Kind::nothing) << "stalled agents are kept";
  node.host.beats["alice.counters"] = 11;
  node.pass(2 * second);
  EXPECT_EQ(node.agent_state("alice"), PeerState::ready);
}

TEST(Reception, an_agent_that_is_stalled_for_too_long_is_gone) {
  LoopNode node;
  wire::DoorHello hello = hello_of("alice");
  hello.counters_path = "alice.counters";
  auto visit = node.greet(hello);
  auto link = node.attach(node.hear(*visit).welcome);
  node.pass(60 * second);
  EXPECT_EQ(node.agent_state("alice"), PeerState::stalled);
  node.pass(6 * second);
  EXPECT_TRUE(node.is_hung_up(*visit));
  EXPECT_EQ(node.agent_rows(), 0U);
}

TEST(Reception, three_strikes_are_told_at_the_door) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  for (int strike = 0; strike < 3; ++strike) {
    link::Frame frame;
    frame.add(node.pool().try_acquire(100));
    std::memset(frame.parts[0].data(), 0xee, 100);
    ASSERT_EQ(link->try_send(frame), link::SendStatus::sent);
    node.step();
  }
  EXPECT_EQ(node.hear(*visit).error, Error::struck_out);
  EXPECT_TRUE(node.is_hung_up(*visit));
  EXPECT_EQ(node.agent_rows(), 0U);
  const std::string bad = "warn " + alice() + " sent a bad frame: magic";
  EXPECT_THAT(node.log,
              testing::ElementsAre(bad, bad, bad, HasSubstr(alice() + " was struck out")));
}

TEST(Reception, who_is_refused_or_gone_is_told_to_the_log) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.greet(hello_of("alice"));
  visit.reset();
  node.step();
  EXPECT_THAT(node.log, testing::ElementsAre(
                            HasSubstr(": ABZ-0502 another agent of this node has the name: alice"),
                            "info " + alice() + " is gone: it ended without a goodbye"));
}

TEST(Reception, a_crowd_at_the_door_gets_ten_lines_a_second) {
  LoopNode node;
  for (int caller = 0; caller < 500; ++caller) node.greet(hello_of("a.b"));
  EXPECT_EQ(node.log.size(), 10U);
  EXPECT_LE(node.reception().next_deadline(), node.clock().now() + second);
  node.pass(second);
  ASSERT_EQ(node.log.size(), 11U);
  EXPECT_THAT(node.log.back(), HasSubstr("490 more lines"));
}

TEST(Reception, a_second_word_at_the_door_ends_the_session) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  node.hear(*visit);
  visit->try_send(wire::write_door(hello_of("bob")));
  node.step();
  EXPECT_TRUE(node.is_hung_up(*visit));
  EXPECT_EQ(node.agent_rows(), 0U);
}

TEST(Reception, an_empty_node_leaves_after_its_idle_time) {
  LoopNode node;
  node.pass(20 * second);
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.pass(60 * second);
  EXPECT_EQ(node.reception().phase(), Phase::open);
  visit.reset();
  node.step();
  node.pass(29 * second);
  EXPECT_EQ(node.reception().phase(), Phase::open);
  node.pass(2 * second);
  EXPECT_EQ(node.reception().phase(), Phase::left);
  EXPECT_TRUE(node.reception().left_empty());
  EXPECT_FALSE(node.is_door_open());
  EXPECT_LT(node.core().next_deadline(), 0);
}

TEST(Reception, an_empty_node_stays_while_somebody_is_starting_one) {
  LoopNode node;
  node.host.is_starting = true;
  node.pass(40 * second);
  EXPECT_EQ(node.reception().phase(), Phase::open);
  node.host.is_starting = false;
  node.pass(2 * second);
  EXPECT_EQ(node.reception().phase(), Phase::left);
}

TEST(Reception, who_calls_in_the_last_moment_is_let_in) {
  LoopNode node;
  node.pass(29'900 * base::millisecond);
  auto visit = node.call();
  visit->try_send(wire::write_door(hello_of("alice")));
  node.clock().advance(second);
  node.step();
  EXPECT_EQ(node.hear(*visit).kind, Kind::welcome);
  EXPECT_EQ(node.reception().phase(), Phase::open);
}

TEST(Reception, a_managed_node_and_one_with_idle_exit_0_stay) {
  LoopNode managed({}, true);
  managed.pass(100 * second);
  EXPECT_EQ(managed.reception().phase(), Phase::open);
  Config config;
  config.node.idle_exit = std::chrono::milliseconds(0);
  LoopNode patient(config);
  patient.pass(100 * second);
  EXPECT_EQ(patient.reception().phase(), Phase::open);
}

TEST(Reception, a_draining_node_takes_nobody_and_keeps_who_is_in) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.reception().start_draining();
  node.step();
  EXPECT_EQ(node.hear(*node.greet(hello_of("bob"))).error, Error::closed);
  EXPECT_EQ(node.hear(*visit).kind, Kind::nothing);
  EXPECT_EQ(node.count(ProcessCounter::state), static_cast<std::uint64_t>(PeerState::draining));
  node.pass(100 * second);
  EXPECT_EQ(node.reception().phase(), Phase::draining);
}

TEST(Reception, a_draining_node_leaves_when_the_last_agent_has) {
  for (const bool managed : {false, true}) {
    LoopNode node({}, managed);
    auto visit = node.greet(hello_of("alice"));
    auto link = node.attach(node.hear(*visit).welcome);
    node.reception().start_draining();
    node.pass(second);
    EXPECT_EQ(node.reception().phase(), Phase::draining);
    visit.reset();
    node.step();
    EXPECT_EQ(node.reception().phase(), Phase::left);
    EXPECT_FALSE(node.is_door_open());
    EXPECT_EQ(node.count(ProcessCounter::state), static_cast<std::uint64_t>(PeerState::gone));
  }
}

TEST(Reception, an_empty_node_that_is_told_to_drain_leaves_although_somebody_is_starting_one) {
  LoopNode node;
  node.host.is_starting = true;
  node.reception().start_draining();
  node.step();
  EXPECT_EQ(node.reception().phase(), Phase::left);
}

TEST(Reception, a_stopping_node_leaves_when_its_agents_have) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.reception().start_stopping(node.clock().now(), node.clock().now() + 10 * second);
  node.step();
  EXPECT_FALSE(node.is_door_open());
  EXPECT_EQ(node.reception().phase(), Phase::stopping);
  visit.reset();
  node.step();
  EXPECT_EQ(node.reception().phase(), Phase::left);
  EXPECT_FALSE(node.reception().left_empty());
  EXPECT_EQ(node.reception().agents_at_stop(), 1U);
}

TEST(Reception, a_stopping_node_leaves_at_its_deadline_whoever_is_in) {
  LoopNode node;
  auto visit = node.greet(hello_of("alice"));
  auto link = node.attach(node.hear(*visit).welcome);
  node.reception().start_stopping(node.clock().now(), node.clock().now() + second);
  node.pass(900 * base::millisecond);
  EXPECT_EQ(node.reception().phase(), Phase::stopping);
  node.pass(200 * base::millisecond);
  EXPECT_EQ(node.reception().phase(), Phase::left);
  EXPECT_TRUE(node.is_hung_up(*visit));
}

TEST(Reception, an_idle_node_asks_to_be_woken_once_a_second_at_most) {
  LoopNode node;
  node.step();
  EXPECT_GE(node.core().next_deadline(), node.clock().now() + 900 * base::millisecond);
}

TEST(Reception, two_runs_of_one_seed_welcome_alike) {
  const auto secret_of = [](std::uint64_t seed) {
    LoopNode node({}, false, seed);
    auto visit = node.greet(hello_of("alice"));
    return node.hear(*visit).welcome.secret;
  };
  EXPECT_EQ(secret_of(5), secret_of(5));
  EXPECT_NE(secret_of(5), secret_of(6));
}

}  // namespace
}  // namespace abuzz::node::test
