// What somebody else's program does: it starts a node by its first use, and talks to itself.
#include <bus/agent.hpp>
#include <bus/topic.hpp>
#include <chrono>
#include <cstdio>
#include <string>

int main() {
  using namespace std::chrono_literals;
  if (abuzz::check_topic("consumer..hello") != abuzz::TopicFault::empty_token) return 1;

  auto agent = abuzz::Agent::connect({.name = "consumer", .kind = "test"}).value();
  auto inbox = agent.subscribe("consumer.>").value();
  auto outbox = agent.publisher("consumer.hello").value();
  if (outbox.publish("hello from outside", 5s) != abuzz::SendStatus::queued) return 1;

  std::string heard;
  inbox.poll([&](const abuzz::MessageView& message) { heard = message.text(); }, 1, 5s);
  const abuzz::FlushReport report = outbox.flush(5s);
  std::printf("heard '%s', delivered %d\n", heard.c_str(), static_cast<int>(report.delivered));
  const abuzz::CloseReport rest = agent.close(1s);
  return heard == "hello from outside" && report.delivered == 1 && rest.unsent == 0 ? 0 : 1;
}
