#include <gtest/gtest.h>
#include <schema/control_generated.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bus/agent.hpp"
#include "bus/flatbuffers.hpp"
#include "tests/api/api_fixture.hpp"

// The public API against a real node over real sockets, in one process.

namespace abuzz {
namespace {

TEST_F(Api, APublishedMessageIsPolledWithItsFacts) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("docs.*").value();
  Publisher publisher = agent.publisher("docs.new", {.lane = Lane::high}).value();
  ASSERT_EQ(publisher.try_publish("hello", {.key = 7, .correlation = 8}), SendStatus::queued);
  std::size_t seen = 0;
  const auto look = [&](const MessageView& message) {
    EXPECT_EQ(message.text(), "hello");
    EXPECT_EQ(message.topic(), "docs.new");
    EXPECT_EQ(message.sequence(), 1u);
    EXPECT_EQ(message.key(), 7u);
    EXPECT_EQ(message.correlation(), 8u);
    EXPECT_EQ(message.lane(), Lane::high);
    EXPECT_EQ(message.agent_id(), agent.id());
    ++seen;
  };
  EXPECT_EQ(inbox.poll(look, 10, 5s), 1u);
  EXPECT_EQ(seen, 1u);
  EXPECT_EQ(publisher.flush(5s).delivered, 1u);
}

TEST_F(Api, AFlatBufferArrivesVerifiedAndNothingElseIsTakenForOne) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("typed").value();
  Publisher publisher = agent.publisher("typed").value();
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire::fb::CreateDoorRefusalDirect(builder, 501, "no such name"));
  ASSERT_EQ(try_publish(publisher, builder), SendStatus::queued);
  ASSERT_EQ(publisher.try_publish("not a table, but long enough"), SendStatus::queued);
  std::vector<bool> typed;
  const auto look = [&](const MessageView& message) {
    const auto* table = as<wire::fb::DoorRefusal>(message);
    typed.push_back(table != nullptr);
    if (table == nullptr) return;
    EXPECT_EQ(table->text()->string_view(), "no such name");
  };
  while (typed.size() < 2) ASSERT_GT(inbox.poll(look, 10, 5s), 0u);
  EXPECT_EQ(typed, (std::vector<bool>{true, false}));
}

TEST_F(Api, PatienceMayBeWithoutAnEnd) {
  constexpr auto endless = std::chrono::nanoseconds::max();
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("long").value();
  Publisher publisher = agent.publisher("long").value();
  std::thread reader([&inbox] {
    std::this_thread::sleep_for(50ms);  // so that the flush has to wait
    EXPECT_EQ(inbox.poll([](const MessageView&) {}, 1, endless), 1u);
  });
  EXPECT_EQ(publisher.publish("hello", endless), SendStatus::queued);
  EXPECT_EQ(publisher.flush(endless).delivered, 1u);
  EXPECT_EQ(agent.flush(endless).delivered, 1u);
  reader.join();
  EXPECT_EQ(agent.close(endless).unsent, 0u);
  EXPECT_EQ(publisher.commit(1), SendStatus::closed);
}

TEST_F(Api, AClaimedMessageIsBuiltInPlace) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("place").value();
  Publisher publisher = agent.publisher("place").value();
  for (const std::size_t bytes : {std::size_t{10}, std::size_t{65'536}, std::size_t{300'000}}) {
    Claim claim = publisher.claim(bytes + 5);
    ASSERT_EQ(claim.status, SendStatus::queued);
    for (std::size_t index = 0; index < bytes; ++index)
      claim.payload[index] = static_cast<std::byte>(index * 13);
    ASSERT_EQ(publisher.commit(bytes), SendStatus::queued);
    bool is_right = false;
    const auto look = [&](const MessageView& message) {
      is_right = message.payload().size() == bytes;
      for (std::size_t index = 0; is_right && index < bytes; ++index)
        is_right = message.payload()[index] == static_cast<std::byte>(index * 13);
    };
    ASSERT_EQ(inbox.poll(look, 1, 5s), 1u);
    EXPECT_TRUE(is_right) << bytes;
  }
}

TEST_F(Api, WhatNobodyHearsIsCountedAsSuch) {
  Agent agent = connect("one");
  Publisher publisher = agent.publisher("void").value();
  for (int index = 0; index < 100; ++index)
    ASSERT_EQ(publisher.try_publish("x"), SendStatus::queued);
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(report.no_subscriber, 100u);
  EXPECT_EQ(report.pending, 0u);
}

TEST_F(Api, AHandlerMayPublishAndEndItsOwnSubscription) {
  Agent agent = connect("one");
  Publisher answers = agent.publisher("answers").value();
  Subscription inbox = agent.subscribe("answers").value();
  std::optional<Subscription> once;
  once.emplace(agent
                   .subscribe("questions",
                              [&](const MessageView&) {
                                EXPECT_EQ(answers.try_publish("yes"), SendStatus::queued);
                                once.reset();
                              })
                   .value());
  Publisher questions = agent.publisher("questions").value();
  ASSERT_EQ(questions.try_publish("first"), SendStatus::queued);
  EXPECT_EQ(inbox.poll([](const MessageView&) {}, 10, 5s), 1u);
  ASSERT_EQ(questions.try_publish("second"), SendStatus::queued);
  EXPECT_EQ(inbox.poll([](const MessageView&) {}, 10, 200ms), 0u);
}

TEST_F(Api, ARetainedMessageOutlivesItsHandler) {
  Agent agent = connect("one");
  std::optional<RetainedMessage> kept;
  Subscription inbox = agent.subscribe("keep").value();
  Publisher publisher = agent.publisher("keep").value();
  ASSERT_EQ(publisher.try_publish("stay"), SendStatus::queued);
  ASSERT_EQ(inbox.poll([&](const MessageView& message) { kept.emplace(message.retain()); }, 1, 5s),
            1u);
  for (int index = 0; index < 1000; ++index)
    ASSERT_EQ(publisher.publish("other", 5s), SendStatus::queued);
  EXPECT_EQ(kept->view().text(), "stay");
  EXPECT_EQ(kept->view().topic(), "keep");
}

TEST_F(Api, CallsAfterCloseAnswerClosed) {
  Agent agent = connect("one");
  Publisher publisher = agent.publisher("late").value();
  Subscription inbox = agent.subscribe("late").value();
  EXPECT_EQ(agent.close(1s).unsent, 0u);
  EXPECT_EQ(publisher.try_publish("x"), SendStatus::closed);
  EXPECT_EQ(publisher.publish("x", 1s), SendStatus::closed);
  EXPECT_EQ(publisher.claim(10).status, SendStatus::closed);
  EXPECT_EQ(inbox.poll([](const MessageView&) {}, 1, 50ms), 0u);
  EXPECT_FALSE(inbox.is_live());
  EXPECT_EQ(agent.publisher("more").error(), Error::closed);
  EXPECT_EQ(agent.subscribe("more").error(), Error::closed);
}

TEST_F(Api, LimitsAnswerWithTheirOwnErrors) {
  Agent agent = connect("one");
  EXPECT_EQ(agent.publisher("bad topic").error(), Error::bad_topic);
  EXPECT_EQ(agent.publisher("$reserved").error(), Error::reserved_topic);
  EXPECT_EQ(agent.subscribe("a.>.b").error(), Error::bad_pattern);
  EXPECT_EQ(Agent::connect({"one", ""}, config_).error(), Error::agent_name_taken);
  EXPECT_EQ(Agent::connect({std::string(65, 'n'), ""}, config_).error(), Error::bad_agent_name);
  Publisher publisher = agent.publisher("sizes").value();
  const std::string largest(config_.limits.payload_bytes_max + 1, 'x');
  EXPECT_EQ(publisher.try_publish(largest), SendStatus::too_large);
  EXPECT_EQ(publisher.try_publish(std::string_view(largest).substr(1)), SendStatus::queued);
  EXPECT_EQ(publisher.flush(5s).no_subscriber, 1u);
}

TEST_F(Api, AgentsFindTheNextNodeAndKeepTheirSubscriptions) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("again").value();
  Publisher publisher = agent.publisher("again").value();
  const std::uint32_t epoch = agent.node_epoch();
  const std::uint64_t id = agent.id();
  node_.reset();
  node_.emplace(Node::start(config_).value());
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (agent.node_epoch() == epoch || !agent.is_connected() || !inbox.is_live()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  EXPECT_EQ(agent.id(), id);
  std::size_t received = 0;
  while (received == 0 && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(publisher.publish("hello", 5s), SendStatus::queued);
    received = inbox.poll([](const MessageView&) {}, 10, 100ms);
  }
  EXPECT_GT(received, 0u);
}

}  // namespace
}  // namespace abuzz
