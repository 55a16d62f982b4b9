#include <atomic>
#include <functional>
#include <vector>

#include "tests/api/api_fixture.hpp"

// Closing from anywhere, as often as one likes.

namespace abuzz {
namespace {

class Close : public Api {
 protected:
  // A handler of `agent_` that says that it is inside, then does `act`, and says that it is done.
  void handle_with(std::function<void()> act) {
    agent_.emplace(connect("closing"));
    inbox_.emplace(agent_
                       ->subscribe("close",
                                   [this, act = std::move(act)](const MessageView&) {
                                     is_inside_ = true;
                                     act();
                                     std::this_thread::sleep_for(100ms);
                                     is_done_ = true;
                                   })
                       .value());
    publisher_.emplace(agent_->publisher("close").value());
    ASSERT_EQ(publisher_->try_publish("x"), SendStatus::queued);
    while (!is_inside_) std::this_thread::yield();
  }

  std::atomic<bool> is_inside_{false}, is_done_{false}, has_closed_{false};
  std::optional<Agent> agent_;
  std::optional<Subscription> inbox_;
  std::optional<Publisher> publisher_;
};

TEST_F(Close, ASecondCloseWaitsForTheHandlerThatClosed) {
  handle_with([&] {
    agent_->close(1s);
    has_closed_ = true;
  });
  while (!has_closed_) std::this_thread::yield();
  EXPECT_FALSE(is_done_);
  agent_->close(1s);
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, TheDestructorWaitsForTheHandlerThatClosed) {
  handle_with([&] {
    agent_->close(1s);
    has_closed_ = true;
  });
  while (!has_closed_) std::this_thread::yield();
  agent_.reset();
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, AHandlerThatClosesWhileItIsWaitedForIsNotWaitedForByItself) {
  handle_with([&] {
    std::this_thread::sleep_for(100ms);
    agent_->close(1s);
  });
  agent_->close(10s);
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, AHandlerMayDestroyItsAgent) {
  handle_with([&] { agent_.reset(); });
  while (!is_done_) std::this_thread::yield();
  EXPECT_EQ(publisher_->try_publish("x"), SendStatus::closed);
  inbox_.reset();
  publisher_.reset();
}

TEST_F(Close, ThreadsThatCloseAtOnceAllWaitAndHearTheSame) {
  handle_with([] { std::this_thread::sleep_for(100ms); });
  for (int index = 0; index < 10; ++index)
    ASSERT_EQ(publisher_->try_publish("more"), SendStatus::queued);
  std::vector<CloseReport> reports(4);
  std::vector<std::thread> threads;
  for (CloseReport& report : reports) {
    threads.emplace_back([&] {
      report = agent_->close(5s);
      EXPECT_TRUE(is_done_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const CloseReport& report : reports) {
    EXPECT_EQ(report.unsent, reports[0].unsent);
    EXPECT_EQ(report.unhandled, reports[0].unhandled);
  }
  EXPECT_EQ(agent_->close(0s).unhandled, reports[0].unhandled);
}

}  // namespace
}  // namespace abuzz
