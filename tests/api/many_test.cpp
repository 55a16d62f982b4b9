#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/api_fixture.hpp"

// One agent with more registrations than one frame takes.

namespace abuzz {
namespace {

class Many : public Api {
 protected:
  static constexpr int publishers_count = 150, subscriptions_count = 120;

  void open(Agent& agent) {
    for (int number = 0; number < publishers_count; ++number)
      publishers_.push_back(agent.publisher("from." + std::to_string(number)).value());
    for (int number = 0; number < subscriptions_count; ++number)
      subscriptions_.push_back(
          agent.subscribe("to." + std::to_string(number), [this](const MessageView&) { ++seen_; })
              .value());
  }
  // How many of the subscriptions get a message of their own.
  int reach(Agent& other) {
    seen_ = 0;
    for (int number = 0; number < subscriptions_count; ++number) {
      Publisher publisher = other.publisher("to." + std::to_string(number)).value();
      for (int look = 0; look < 100 && publisher.match_count() == 0; ++look)
        std::this_thread::sleep_for(20ms);
      EXPECT_EQ(publisher.publish("hello", 5s), SendStatus::queued);
      EXPECT_EQ(publisher.flush(5s).delivered, 1u) << number;
    }
    return seen_;
  }

  std::atomic<int> seen_{0};
  std::vector<Publisher> publishers_;
  std::vector<Subscription> subscriptions_;
};

TEST_F(Many, AllAreThereAgainAtTheNextNode) {
  Agent agent = connect("many"), other = connect("other");
  open(agent);
  EXPECT_EQ(reach(other), subscriptions_count);
  node_.reset();
  node_.emplace(Node::start(config_).value());
  EXPECT_EQ(reach(other), subscriptions_count);
  for (Publisher& publisher : publishers_)
    EXPECT_EQ(publisher.publish("hello", 5s), SendStatus::queued);
  EXPECT_EQ(agent.flush(5s).no_subscriber, static_cast<std::uint64_t>(publishers_count));
}

}  // namespace
}  // namespace abuzz
