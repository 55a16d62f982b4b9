#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "bus/agent.hpp"

// An agent that does one thing as slowly or as briefly as a test wants it:
//   actor sub NAME PATTERN POLICY QUEUE MILLISECONDS  takes that long for each message
//   actor pub NAME TOPIC COUNT MILLISECONDS           gives each so long to live, or for ever: 0
//   actor stream NAME TOPIC COUNT MILLISECONDS        the same, and then one more every 20 ms
// All say `ready` on stdout, and end when stdin does.

namespace {

using namespace std::chrono_literals;

abuzz::Policy policy_of(std::string_view name) {
  if (name == "latest") return abuzz::Policy::latest;
  if (name == "drop_new") return abuzz::Policy::drop_new;
  return name == "drop_old" ? abuzz::Policy::drop_old : abuzz::Policy::lossless;
}

void wait_for_end() {
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "sub" && argc == 7) {
    const auto pause = std::chrono::milliseconds(std::strtoull(argv[6], nullptr, 10));
    abuzz::SubscribeOptions options;
    options.policy = policy_of(argv[4]);
    options.queue_messages = static_cast<std::uint32_t>(std::strtoul(argv[5], nullptr, 10));
    if (options.policy == abuzz::Policy::latest) options.latest_messages = 1;
    abuzz::Agent agent = abuzz::Agent::connect({.name = argv[2], .kind = "actor"}).value();
    abuzz::Subscription inbox =
        agent
            .subscribe(
                argv[3], [&](const abuzz::MessageView&) { std::this_thread::sleep_for(pause); },
                options)
            .value();
    wait_for_end();
    return 0;
  }
  if ((role == "pub" || role == "stream") && argc == 6) {
    abuzz::MessageOptions options;
    options.time_to_live = std::chrono::milliseconds(std::strtoull(argv[5], nullptr, 10));
    abuzz::Agent agent = abuzz::Agent::connect({.name = argv[2], .kind = "actor"}).value();
    abuzz::Publisher publisher = agent.publisher(argv[3]).value();
    const std::uint64_t count = std::strtoull(argv[4], nullptr, 10);
    for (std::uint64_t i = 0; i < count; ++i)
      if (publisher.publish("x", 100ms, options) == abuzz::SendStatus::closed) return 1;
    std::jthread more;
    if (role == "stream") {
      more = std::jthread([&](const std::stop_token& stop) {
        for (; !stop.stop_requested(); std::this_thread::sleep_for(20ms))
          (void)publisher.try_publish("x", options);
      });
    }
    wait_for_end();
    return 0;
  }
  std::fprintf(stderr,
               "usage: actor sub NAME PATTERN POLICY QUEUE MS | pub|stream NAME TOPIC COUNT MS\n");
  return 2;
}
