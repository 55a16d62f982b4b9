#include <optional>
#include <string>

#include "bus/client/agent_core.hpp"
#include "bus/topic.hpp"

// The last value of a topic: a subscription that is given it and nothing else, then ended. So it
// comes in the same way as any message, however long it is, and through a lost link or node.

namespace abuzz::client {

Result<RetainedMessage> AgentCore::get(std::string_view topic, std::uint64_t key,
                                       base::Nanos deadline) {
  if (const TopicFault fault = check_topic(topic); fault != TopicFault::none)
    return Failure{Error::bad_topic, std::string(topic) + ": " + topic_fault_text(fault)};
  if (is_reserved(topic)) return Failure{Error::reserved_topic, std::string(topic)};
  SubscribeOptions options;
  options.policy = Policy::drop_new;
  options.queue_messages = 1;
  auto opened = add_subscription(topic, Handler{}, options, deadline,
                                 {.is_for_desk = false, .asked_key = key, .leases = {}});
  if (!opened.ok()) return opened.failure();
  std::optional<RetainedMessage> value;
  const Handler keep = [&value](const MessageView& message) { value.emplace(message.retain()); };
  (void)poll(*opened.value(), keep, 1, deadline - parts_.clock.now());
  const std::uint16_t error = opened.value()->error.read();
  remove_subscription(*opened.value());
  if (value) return Result<RetainedMessage>(std::move(*value));
  if (is_closed()) return Error::closed;
  if (error != 0) return failure_of(error, std::string(topic));  // by the next node
  return Failure{Error::timed_out, "the value of " + std::string(topic) + " did not come"};
}

}  // namespace abuzz::client
