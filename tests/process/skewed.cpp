#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bus/agent.hpp"

// Many agents of which a few make most of the traffic, and which came so that every other one of
// the first is one of these:
//   skewed AGENTS HOT RATE   RATE messages a second of each hot one, a ninetieth of it of others
// Each publishes to itself. Says `ready`, and at the end of stdin what it published and handled.

namespace {

using namespace std::chrono_literals;

struct Talker {
  abuzz::Agent agent;
  abuzz::Subscription inbox;
  abuzz::Publisher publisher;
  bool is_hot = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::size_t agents = std::strtoul(argv[1], nullptr, 10);
  const std::size_t hot = std::strtoul(argv[2], nullptr, 10);
  const double rate = std::strtod(argv[3], nullptr);
  std::atomic<std::uint64_t> handled{0};
  std::vector<Talker> talkers;
  for (std::size_t index = 0; index < agents; ++index) {
    abuzz::Agent agent =
        abuzz::Agent::connect({.name = "talker-" + std::to_string(index), .kind = "test"}).value();
    const std::string topic = "skewed." + std::to_string(index);
    abuzz::Subscription inbox =
        agent.subscribe(topic, [&](const abuzz::MessageView&) { ++handled; }).value();
    abuzz::Publisher publisher = agent.publisher(topic).value();
    talkers.push_back({std::move(agent), std::move(inbox), std::move(publisher),
                       index < 2 * hot && index % 2 == 0});
  }
  std::puts("ready");
  std::fflush(stdout);
  std::uint64_t published = 0;
  std::jthread talk([&](const std::stop_token& token) {
    const auto pause = std::chrono::duration<double>(1 / rate);
    for (std::uint64_t round = 0; !token.stop_requested(); ++round) {
      std::this_thread::sleep_for(pause);
      for (std::size_t index = 0; index < talkers.size(); ++index)
        if (talkers[index].is_hot || (round + index) % 90 == 0)
          published += talkers[index].publisher.publish("x", 1s) == abuzz::SendStatus::queued;
    }
  });
  while (std::getchar() != EOF) continue;
  talk.request_stop();
  talk.join();
  for (Talker& talker : talkers) (void)talker.publisher.flush(10s);
  std::printf("published %llu handled %llu\n", static_cast<unsigned long long>(published),
              static_cast<unsigned long long>(handled.load()));
  return 0;
}
