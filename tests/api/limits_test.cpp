#include <filesystem>
#include <string>
#include <vector>

#include "bus/stats.hpp"
#include "tests/api/api_fixture.hpp"

// What is refused, where exactly, and with which error.

namespace abuzz {
namespace {

TEST_F(Api, AnAgentWithASmallPayloadLimitReceivesTheBatchesOfOthers) {
  Agent sender = connect("sender");
  config_.limits.payload_bytes_max = 4096;
  Agent agent = connect("small");
  Subscription inbox = agent.subscribe("large").value();
  Publisher publisher = sender.publisher("large").value();
  const std::string payload(60'000, 'x');
  // So many that batches reach their full size.
  std::uint64_t received = 0;
  for (int index = 0; index < 100; ++index)
    ASSERT_EQ(publisher.publish(payload, 5s), SendStatus::queued);
  while (received < 100) {
    const std::size_t more = inbox.poll([](const MessageView&) {}, 100, 5s);
    ASSERT_GT(more, 0u);
    received += more;
  }
  EXPECT_EQ(publisher.flush(5s).delivered, 100u);
}

TEST_F(Api, APayloadOverTheLimitOfABatchTravelsAlone) {
  config_.limits.batch_bytes_max = 4096;
  Agent agent = connect("short");
  Subscription inbox = agent.subscribe("sizes").value();
  for (const Lane lane : {Lane::high, Lane::normal, Lane::bulk}) {
    Publisher publisher = agent.publisher("sizes", {.lane = lane}).value();
    for (const std::size_t bytes : {4000u, 5000u, 65'000u, 65'024u, 65'025u, 65'536u, 65'537u}) {
      ASSERT_EQ(publisher.publish(std::string(bytes, 's'), 5s), SendStatus::queued) << bytes;
      std::size_t received = 0;
      const Handler look = [&](const MessageView& message) { received = message.payload().size(); };
      ASSERT_EQ(inbox.poll(look, 1, 5s), 1u);
      EXPECT_EQ(received, bytes);
    }
    EXPECT_EQ(publisher.flush(5s).pending, 0u);
  }
}

TEST_F(Api, AConfigOutsideItsRangesIsRefused) {
  Config config = config_;
  config.limits.payload_bytes_max = 0;
  EXPECT_EQ(Agent::connect({"", "test"}, config).error(), Error::config_out_of_range);
  config.node.runtime_directory = directory_ + "/other";
  EXPECT_EQ(Node::start(config).error(), Error::config_out_of_range);
  EXPECT_FALSE(std::filesystem::exists(config.node.runtime_directory));
}

TEST_F(Api, AKindIsRefusedWhereItIsTooLongOrNotForPeople) {
  const auto connect_as = [&](const std::string& kind) {
    return Agent::connect({"", kind}, config_);
  };
  EXPECT_TRUE(connect_as(std::string(31, 'k')).ok());
  EXPECT_TRUE(connect_as(std::string(32, 'k')).ok());
  const Result<Agent> long_one = connect_as(std::string(33, 'k'));
  EXPECT_EQ(long_one.error(), Error::bad_agent_name);
  EXPECT_NE(long_one.failure().detail.find("33 bytes"), std::string::npos);
  for (const char* kind : {"a\nb", "\x1b[2J", "tab\t", "\x7f"})
    EXPECT_EQ(connect_as(kind).error(), Error::bad_agent_name) << kind;
  EXPECT_EQ(connect_as(std::string("zero\0", 5)).error(), Error::bad_agent_name);
  EXPECT_TRUE(connect_as("Schreiber für Übersichten").ok());
}

TEST_F(Api, ADescriptionIsRefusedLikeAKindAndShownByTheNode) {
  const auto connect_as = [&](const std::string& description) {
    return Agent::connect({.name = "teller", .kind = "", .description = description}, config_);
  };
  const std::string longest(128, 'd');
  {
    const Result<Agent> agent = connect_as(longest);
    ASSERT_TRUE(agent.ok());
    const StatsSnapshot stats = read_stats(node_->runtime_directory() + "/node.counters").value();
    bool is_shown = false;
    for (const RowSnapshot& row : stats.rows) is_shown |= row.text3 == longest;
    EXPECT_TRUE(is_shown);
  }
  const Result<Agent> long_one = connect_as(longest + "d");
  EXPECT_EQ(long_one.error(), Error::bad_agent_name);
  EXPECT_EQ(long_one.failure().detail, "the description has 129 bytes");
  EXPECT_EQ(connect_as("two\nlines").error(), Error::bad_agent_name);
}

TEST_F(Api, ANodeThatIsFullSaysSoLongBeforeTheDeadline) {
  node_.reset();
  config_.node.agents_max = 1;
  config_.agent.connect_timeout = 60s;
  node_.emplace(Node::start(config_).value());
  std::optional<Agent> first(connect("one"));
  const auto before = std::chrono::steady_clock::now();
  const Result<Agent> second = Agent::connect({"two", ""}, config_);
  EXPECT_EQ(second.error(), Error::agents_limit);
  EXPECT_NE(second.failure().detail.find("node.agents_max is 1"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  // A place that becomes free while it tries is taken.
  std::thread leaver([&] {
    std::this_thread::sleep_for(30ms);
    first.reset();
  });
  EXPECT_TRUE(Agent::connect({"three", ""}, config_).ok());
  leaver.join();
}

TEST_F(Api, AFreedSubscriptionMakesRoomForANewOneAtOnce) {
  Agent agent = connect("one");
  std::vector<Subscription> inboxes;
  for (int index = 0; index < 256; ++index)
    inboxes.push_back(agent.subscribe("topic." + std::to_string(index)).value());
  EXPECT_EQ(agent.subscribe("one.more").error(), Error::subscriptions_limit);
  for (int round = 0; round < 50; ++round) {
    inboxes.pop_back();
    Result<Subscription> next = agent.subscribe("again." + std::to_string(round));
    ASSERT_TRUE(next.ok()) << next.failure().message();
    inboxes.push_back(std::move(next).value());
    EXPECT_EQ(agent.subscribe("one.more").error(), Error::subscriptions_limit);
  }
  Publisher publisher = agent.publisher("again.49").value();
  ASSERT_EQ(publisher.try_publish("x"), SendStatus::queued);
  EXPECT_EQ(inboxes.back().poll([](const MessageView&) {}, 1, 5s), 1u);
}

TEST_F(Api, AFreedPublicationMakesRoomForANewOneAtOnce) {
  config_.agent.publications_max = 8;
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("t.>").value();
  std::vector<Publisher> publishers;
  for (int index = 0; index < 8; ++index)
    publishers.push_back(agent.publisher("t." + std::to_string(index)).value());
  EXPECT_EQ(agent.publisher("one.more").error(), Error::publications_limit);
  std::uint64_t received = 0;
  for (int round = 0; round < 50; ++round) {
    // What it published is on its way when it goes.
    for (int index = 0; index < 20; ++index)
      ASSERT_EQ(publishers.back().publish("x", 5s), SendStatus::queued);
    publishers.pop_back();
    Result<Publisher> next = agent.publisher("t.again." + std::to_string(round));
    ASSERT_TRUE(next.ok()) << next.failure().message();
    publishers.push_back(std::move(next).value());
  }
  while (received < 1000) {
    const std::size_t more = inbox.poll([](const MessageView&) {}, 1000, 5s);
    ASSERT_GT(more, 0u);
    received += more;
  }
  EXPECT_EQ(received, 1000u);
}

}  // namespace
}  // namespace abuzz
