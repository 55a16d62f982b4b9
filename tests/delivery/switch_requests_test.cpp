#include <gtest/gtest.h>

#include <string>

#include "bus/topic.hpp"
#include "tests/delivery/switch_fixture.hpp"

// Reply topics, whom an act of a request is for, and when a requester hears that no reply comes.

namespace abuzz::delivery::test {
namespace {

std::string reply_topic(PortId agent_id) {
  char bytes[reply_topic_bytes];
  return std::string(write_reply_topic(agent_id, bytes));
}

// What a port is told of requests.
class Told final : public wire::ControlSink {
 public:
  void on(const wire::ReplyEnd& item) override { ends.push_back(item); }
  void on(const wire::RequestAct& item) override { acts.push_back(item); }
  std::vector<wire::ReplyEnd> ends;
  std::vector<wire::RequestAct> acts;
};

class SwitchRequests : public SwitchTest {
 protected:
  std::uint16_t subscribe_answer(PortId port, const std::string& pattern) {
    wire::Subscribe item;
    item.subscription = 7;
    item.pattern = pattern;
    item.bound_messages = item.window_messages = 10;
    item.bound_bytes = item.window_bytes = 4 * base::mib;
    return switch_.subscribe(port, item, now_).error;
  }
  std::uint16_t advertise_answer(const std::string& topic) {
    wire::Advertise item;
    item.publication = item.publisher_id = 9;
    item.publisher_epoch = 1;
    item.topic = topic;
    return switch_.advertise(publisher_port, item);
  }
  Told told_to(PortId port) {
    wire::ControlBuilder control;
    switch_.collect_control(port, control);
    Told told;
    if (control.is_empty()) return told;
    std::vector<std::byte> scratch(wire::control_bytes_read_max);
    EXPECT_EQ(wire::read_control(control.finish(), scratch, told), wire::Reject::none);
    return told;
  }
  std::vector<wire::ReplyEnd> ends_of(PortId port) { return told_to(port).ends; }
};

TEST_F(SwitchRequests, an_agent_listens_to_its_own_replies_and_to_nobody_elses) {
  EXPECT_EQ(subscribe_answer(subscriber_port, reply_topic(publisher_port)),
            number(Error::reserved_topic));
  EXPECT_EQ(subscribe_answer(subscriber_port, "$reply.*"), number(Error::reserved_topic));
  EXPECT_EQ(subscribe_answer(subscriber_port, "$reply.>"), number(Error::reserved_topic));
  EXPECT_EQ(subscribe_answer(subscriber_port, reply_topic(subscriber_port)), 0);
}

TEST_F(SwitchRequests, anybody_publishes_on_a_reply_topic_that_is_one) {
  EXPECT_EQ(advertise_answer("$reply.x"), number(Error::reserved_topic));
  EXPECT_EQ(advertise_answer("$reply"), number(Error::reserved_topic));
  EXPECT_EQ(advertise_answer(reply_topic(subscriber_port)), 0);
}

TEST_F(SwitchRequests, requests_have_topics_that_no_leading_wildcard_matches) {
  EXPECT_EQ(advertise_answer("$request.work.one"), 0);
  EXPECT_EQ(subscribe_answer(subscriber_port, "$request.work.*"), 0);
  EXPECT_FALSE(matches(">", "$request.work.one"));
  EXPECT_FALSE(matches("work.*", "$request.work.one"));
  EXPECT_TRUE(matches("$request.work.*", "$request.work.one"));
}

TEST_F(SwitchRequests, replies_are_lossless_and_hold_who_replies) {
  subscribe({.pattern = reply_topic(subscriber_port), .bound_messages = 4});
  advertise(1, reply_topic(subscriber_port));
  std::size_t taken = 0;
  while (taken < 10 && publish(1, {1}) == Verdict::taken) ++taken;
  EXPECT_GE(taken, 1u);
  EXPECT_LE(taken, 4u);
  send();
  settle();
  expect_balance();
}

TEST_F(SwitchRequests, the_end_of_replies_is_told_when_all_that_came_was_settled) {
  subscribe({.pattern = reply_topic(subscriber_port)});
  advertise(1, reply_topic(subscriber_port));
  EXPECT_EQ(publish(1, {1, 2}), Verdict::taken);
  switch_.close_port(publisher_port, DropReason::peer_gone);
  EXPECT_TRUE(ends_of(subscriber_port).empty());
  send();
  EXPECT_TRUE(ends_of(subscriber_port).empty());
  settle();
  const std::vector<wire::ReplyEnd> ends = ends_of(subscriber_port);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].agent_id, publisher_port);
  EXPECT_EQ(ends[0].publisher_id, 1u);
  EXPECT_TRUE(ends_of(subscriber_port).empty());
}

TEST_F(SwitchRequests, an_end_for_an_agent_that_is_gone_is_for_nobody) {
  advertise(1, reply_topic(1234));
  switch_.withdraw(publisher_port, 1);
  EXPECT_TRUE(ends_of(publisher_port).empty());
}

TEST_F(SwitchRequests, an_act_goes_to_its_responder_or_to_all_who_hear_the_topic) {
  advertise(1, "t.one");
  subscribe({.handle = 1, .pattern = "t.*"});
  subscribe({.handle = 2, .pattern = "t.one"});
  subscribe({.handle = 3, .pattern = "other.>"});
  switch_.open_port(55);
  switch_.pass_on(publisher_port, {.correlation = 1, .agent_id = 55});
  const auto known = told_to(55).acts;
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].agent_id, publisher_port);
  EXPECT_TRUE(told_to(subscriber_port).acts.empty());
  switch_.pass_on(publisher_port, {.correlation = 2, .publication = 1});
  const auto all = told_to(subscriber_port).acts;
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].correlation, 2u);
  EXPECT_EQ(all[0].publication, 0u);
  switch_.pass_on(publisher_port, {.correlation = 3, .publication = 2});
  switch_.pass_on(77, {.correlation = 4, .publication = 1});
  EXPECT_TRUE(told_to(subscriber_port).acts.empty());
}

TEST_F(SwitchRequests, an_act_for_an_agent_that_is_away_is_lost) {
  switch_.pass_on(publisher_port, {.correlation = 1, .agent_id = subscriber_port});
  switch_.suspend_port(subscriber_port, now_);
  switch_.pass_on(publisher_port, {.correlation = 2, .agent_id = subscriber_port});
  switch_.open_port(subscriber_port);
  EXPECT_TRUE(told_to(subscriber_port).acts.empty());
}

}  // namespace
}  // namespace abuzz::delivery::test
