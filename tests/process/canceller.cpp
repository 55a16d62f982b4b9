#include <time.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/agent.hpp"

// Two agents that keep every data lane between them full, and a request that one cancels:
//
//   canceller worker          replies to `long.work` on a thread of its own, and waits for a cancel
//   canceller asker COUNT     asks, waits until it is worked on, cancels; COUNT times
//
// Each publishes high, normal and bulk messages to the other as fast as it goes. Both say `ready`
// on stdout, and `NUMBER NANOSECONDS` (monotonic) when the asker cancelled, when the worker saw it.
// They end when stdin does.

namespace {

using namespace std::chrono_literals;

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

void say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::puts(line.c_str());
  std::fflush(stdout);
}

struct Lane {
  const char* name;
  abuzz::Lane lane;
  std::size_t payload_bytes;
};
constexpr Lane lanes[] = {{"high", abuzz::Lane::high, 1024},
                          {"normal", abuzz::Lane::normal, 1024},
                          {"bulk", abuzz::Lane::bulk, 1u << 20u}};

// Publishes on every lane to `other`, and takes what it publishes, until it goes.
class Traffic {
 public:
  Traffic(abuzz::Agent& agent, const std::string& self, const std::string& other) : agent_(agent) {
    for (const Lane& lane : lanes) {
      // Several, so that none of them waits for the others.
      inboxes_.push_back(agent
                             .subscribe("to." + self + "." + lane.name,
                                        [this](const abuzz::MessageView& message) {
                                          received_ += message.payload().size();
                                        })
                             .value());
    }
    for (const Lane& lane : lanes) {
      threads_.emplace_back([this, &lane, other] {
        auto publisher =
            agent_.publisher("to." + other + "." + lane.name, {.lane = lane.lane}).value();
        const std::string payload(lane.payload_bytes, 'x');
        while (!is_over_) (void)publisher.publish(payload, 100ms);
      });
    }
  }
  ~Traffic() {
    is_over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  std::uint64_t received() const { return received_; }

 private:
  abuzz::Agent& agent_;
  std::atomic<bool> is_over_{false};
  std::atomic<std::uint64_t> received_{0};
  std::vector<abuzz::Subscription> inboxes_;
  std::vector<std::thread> threads_;
};

int work() {
  auto agent = abuzz::Agent::connect({"worker", "test"}).value();
  std::vector<std::thread> workers;
  const auto responder = agent
                             .reply("long.work",
                                    [&](abuzz::Request request) {
                                      workers.emplace_back([own = std::move(request)]() mutable {
                                        const bool is_cancelled = own.wait_cancelled(60s);
                                        const std::int64_t at = now_ns();
                                        if (is_cancelled)
                                          say(std::string(own.text()) + " " + std::to_string(at));
                                        own.fail(abuzz::Error::cancelled, "");
                                      });
                                    })
                             .value();
  std::uint64_t received = 0;
  {
    const Traffic traffic(agent, "worker", "asker");
    say("ready");
    std::string line;
    std::getline(std::cin, line);
    received = traffic.received();
  }
  agent.close(5s);
  for (std::thread& worker : workers) worker.join();
  say("received " + std::to_string(received));
  return 0;
}

int ask(int count) {
  auto agent = abuzz::Agent::connect({"asker", "test"}).value();
  const Traffic traffic(agent, "asker", "worker");
  say("ready");
  std::string line;
  std::getline(std::cin, line);
  for (int number = 0; number < count; ++number) {
    auto pending = agent.request("long.work", std::to_string(number)).value();
    if (pending.next(60s).kind != abuzz::ReplyKind::progress) return 1;
    std::this_thread::sleep_for(10ms);
    say(std::to_string(number) + " " + std::to_string(now_ns()));
    pending.cancel();
  }
  say("received " + std::to_string(traffic.received()));
  std::getline(std::cin, line);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return std::string_view(argv[1]) == "worker" ? work() : ask(argc > 2 ? std::atoi(argv[2]) : 200);
}
