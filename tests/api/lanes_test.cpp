#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bus/stats.hpp"
#include "tests/api/api_fixture.hpp"

// All lanes at once, over real sockets and threads: nothing is lost or out of order inside a lane,
// the lane high goes on, and little of bulk is ever in front of something urgent.

namespace abuzz {
namespace {

constexpr std::uint64_t bulk_ahead_max = 256u << 10;

class Lanes : public Api {
 protected:
  // Publishes on a thread of its own until told to stop.
  struct Source {
    Publisher publisher;
    std::size_t bytes;
    std::uint64_t sent = 0;
    std::thread thread;
  };
  void start(Source& source) {
    source.thread = std::thread([this, &source] {
      const std::string payload(source.bytes, 'x');
      while (!stops_.load(std::memory_order_relaxed))  // a hint: nothing is published with it
        if (source.publisher.publish(payload, 100ms) == SendStatus::queued) ++source.sent;
    });
  }
  void stop(std::vector<Source*> sources) {
    stops_.store(true, std::memory_order_relaxed);
    for (Source* source : sources) source->thread.join();
  }
  // The largest over every process row in the runtime directory, and over the rows of agents.
  std::uint64_t bulk_ahead() {
    std::uint64_t most = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(config_.node.runtime_directory)) {
      if (!entry.is_regular_file()) continue;
      auto stats = read_stats(entry.path().string());
      if (!stats.ok()) continue;
      most = std::max(most, stats.value().rows.front().get(ProcessCounter::bulk_ahead_bytes));
      for (const RowSnapshot& row : stats.value().rows)
        if (row.kind == RowKind::agent)
          most = std::max(most, row.get(AgentCounter::bulk_ahead_bytes));
    }
    return most;
  }

  std::atomic<bool> stops_{false};
};

TEST_F(Lanes, go_on_side_by_side_and_little_of_bulk_is_ahead_of_what_is_urgent) {
  Agent receiver = connect("receiver");
  std::map<std::uint32_t, std::uint64_t> last;  // by publisher; the handlers' thread
  std::uint64_t disorder = 0;
  auto inbox = receiver
                   .subscribe("lanes.>",
                              [&](const MessageView& message) {
                                std::uint64_t& seen = last[message.publisher_id()];
                                if (message.sequence() != seen + 1) ++disorder;
                                seen = message.sequence();
                              })
                   .value();
  Agent sender = connect("sender");
  Source bulk{sender.publisher("lanes.bulk", {.lane = Lane::bulk}).value(), 1u << 20, 0, {}};
  Source normal{sender.publisher("lanes.normal", {.lane = Lane::normal}).value(), 1000, 0, {}};
  start(bulk);
  start(normal);
  Publisher high = sender.publisher("lanes.high", {.lane = Lane::high}).value();
  for (int round = 0; round < 200; ++round) {
    ASSERT_EQ(high.publish(std::string("now"), 10s), SendStatus::queued);
    // Settled, and told in control items both ways: they pass what is saturated.
    ASSERT_EQ(high.flush(10s).pending, 0u);
  }
  stop({&bulk, &normal});
  ASSERT_EQ(bulk.publisher.flush(30s).delivered, bulk.sent);
  ASSERT_EQ(normal.publisher.flush(30s).delivered, normal.sent);
  EXPECT_EQ(high.flush(0s).delivered, 200u);
  EXPECT_GT(bulk.sent, 0u);
  EXPECT_GT(normal.sent, 0u);
  EXPECT_EQ(disorder, 0u);
  EXPECT_EQ(inbox.report().gaps + inbox.report().duplicates, 0u);
  EXPECT_GT(bulk_ahead(), 0u);
  EXPECT_LE(bulk_ahead(), bulk_ahead_max);
}

}  // namespace
}  // namespace abuzz
