#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/api/api_fixture.hpp"

// A child process has the memory of an agent, but neither its threads nor its place on the bus.

namespace abuzz {
namespace {

// Runs `act` in a child; true if it answers true within some seconds.
bool holds_in_child(const std::function<bool()>& act) {
  const pid_t child = fork();
  if (child == 0) _exit(act() ? 0 : 1);
  for (int look = 0; look < 1000; ++look) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) && status == 0;
    std::this_thread::sleep_for(10ms);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return false;
}

class Fork : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    agent_.emplace(connect("forking"));
    inbox_.emplace(agent_->subscribe("fork").value());
    handled_.emplace(agent_->subscribe("fork", [&](const MessageView&) { ++count_; }).value());
    publisher_.emplace(agent_->publisher("fork").value());
  }
  void TearDown() override {
    publisher_.reset();
    inbox_.reset();
    handled_.reset();
    agent_.reset();
    Api::TearDown();
  }
  void expect_parent_works() {
    const std::uint64_t before = count_;
    ASSERT_EQ(publisher_->publish("x", 5s), SendStatus::queued);
    EXPECT_GT(inbox_->poll([](const MessageView&) {}, 1000, 5s), 0u);
    EXPECT_EQ(publisher_->flush(5s).pending, 0u);
    while (count_ == before) std::this_thread::yield();
    EXPECT_TRUE(agent_->is_connected());
  }
  // Every call is answered, and none does anything.
  bool is_dead() {
    const auto look = [](const MessageView&) {};
    const bool refuses = publisher_->try_publish("x") == SendStatus::closed &&
                         publisher_->publish("x", 30s) == SendStatus::closed &&
                         publisher_->try_publish(std::string(200'000, 'x')) == SendStatus::closed &&
                         publisher_->claim(8).status == SendStatus::closed &&
                         publisher_->commit(8) != SendStatus::queued &&
                         agent_->publisher("more").error() == Error::closed &&
                         agent_->subscribe("more").error() == Error::closed &&
                         inbox_->poll(look, 10, 30s) == 0;
    publisher_->flush(30s);
    agent_->flush(30s);
    agent_->wait();
    return refuses && !inbox_->is_live() && !agent_->is_connected() && agent_->name() == "forking";
  }

  std::atomic<std::uint64_t> count_{0};
  std::optional<Agent> agent_;
  std::optional<Subscription> inbox_, handled_;
  std::optional<Publisher> publisher_;
};

TEST_F(Fork, HandlesAreDeadInTheChildAndAliveInTheParent) {
  expect_parent_works();
  EXPECT_TRUE(holds_in_child([&] { return is_dead(); }));
  expect_parent_works();
}

TEST_F(Fork, ClosingAndDestroyingInTheChildReturnsAtOnceAndTouchesNothing) {
  expect_parent_works();
  EXPECT_TRUE(holds_in_child([&] {
    agent_->close(30s);
    handled_.reset();
    inbox_.reset();
    publisher_.reset();
    agent_.reset();
    return true;
  }));
  expect_parent_works();
}

TEST_F(Fork, AChildOfABusyParentDoesNotWaitForThreadsThatItDoesNotHave) {
  std::atomic<bool> is_over{false};
  std::thread busy([&] {
    Publisher other = agent_->publisher("fork").value();
    while (!is_over) (void)other.try_publish("noise");
  });
  std::thread reader([&] {
    while (!is_over) inbox_->poll([](const MessageView&) {}, 100, 10ms);
  });
  for (int round = 0; round < 30; ++round) {
    EXPECT_TRUE(holds_in_child([&] {
      if (!is_dead()) return false;
      handled_.reset();
      publisher_.reset();
      agent_.reset();
      return true;
    }));
  }
  is_over = true;
  busy.join();
  reader.join();
  expect_parent_works();
}

TEST_F(Fork, AChildOfAHandlerMayCloseAndEnd) {
  std::atomic<int> answer{-1};
  Subscription forker =
      agent_
          ->subscribe("fork.now",
                      [&](const MessageView&) {
                        answer = holds_in_child([&] {
                          agent_->close(30s);
                          return publisher_->try_publish("x") == SendStatus::closed;
                        });
                      })
          .value();
  Publisher trigger = agent_->publisher("fork.now").value();
  ASSERT_EQ(trigger.try_publish("x"), SendStatus::queued);
  while (answer < 0) std::this_thread::yield();
  EXPECT_EQ(answer, 1);
  expect_parent_works();
}

TEST_F(Fork, AChildMayConnectAnAgentOfItsOwn) {
  EXPECT_TRUE(holds_in_child([&] {
    Agent own = connect("child");
    Publisher publisher = own.publisher("fork").value();
    return publisher.try_publish("from the child") == SendStatus::queued &&
           publisher.flush(5s).pending <= 1 && own.close(5s).unsent == 0;
  }));
  EXPECT_GT(inbox_->poll([](const MessageView&) {}, 10, 5s), 0u);
  expect_parent_works();
}

}  // namespace
}  // namespace abuzz
