#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bus/agent.hpp"

// One of many agents that talk to each other: it says when its subscriptions are confirmed, waits
// for a message on crowd.start, publishes to all, and says what it received and what became of its
// own. Lines on stdout, for the test that started it.

namespace {

using namespace std::chrono_literals;

double now_seconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: crowd_member INDEX MEMBERS MESSAGES SECONDS\n");
    return 2;
  }
  const std::string index = argv[1];
  const std::uint64_t members = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t messages = std::strtoull(argv[3], nullptr, 10);
  const auto patience = std::chrono::seconds(std::strtoull(argv[4], nullptr, 10));
  abuzz::Agent agent = abuzz::Agent::connect({.name = "member-" + index, .kind = "crowd"}).value();
  abuzz::Subscription inbox = agent.subscribe("crowd.talk.*").value();
  abuzz::Subscription start = agent.subscribe("crowd.start").value();
  abuzz::Publisher publisher = agent.publisher("crowd.talk." + index).value();
  std::printf("connected %.6f\n", now_seconds());
  std::fflush(stdout);
  const abuzz::Handler ignore = [](const abuzz::MessageView&) {};
  if (start.poll(ignore, 1, patience) == 0) return 1;

  std::uint64_t received = 0, strange = 0;
  const abuzz::Handler look = [&](const abuzz::MessageView& message) {
    ++received;
    if (message.topic() != "crowd.talk." + std::string(message.text())) ++strange;
  };
  for (std::uint64_t message = 0; message < messages; ++message) {
    // While it is held it must take what the others say, or all would wait for each other.
    while (publisher.try_publish(index) == abuzz::SendStatus::back_pressured)
      inbox.poll(look, 1000, 1ms);
  }
  const double until = now_seconds() + static_cast<double>(patience.count());
  while (received < members * messages && now_seconds() < until) inbox.poll(look, 1000, 100ms);
  const abuzz::FlushReport report = publisher.flush(patience);
  std::printf("received %llu strange %llu delivered %llu other %llu\n",
              static_cast<unsigned long long>(received), static_cast<unsigned long long>(strange),
              static_cast<unsigned long long>(report.delivered),
              static_cast<unsigned long long>(report.no_subscriber + report.dropped +
                                              report.pending + report.unknown));
  std::fflush(stdout);
  start.poll(ignore, 1, patience);  // the counters of a node go with the agents: they are read now
  return 0;
}
