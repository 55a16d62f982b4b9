#include "tools/participant.hpp"

#include <algorithm>

#include "bus/topic.hpp"
#include "tools/complaint.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

// What a node may take to start, and to answer, on a machine that is busy.
constexpr std::chrono::seconds start_time{2};

std::optional<int> refuse(Error error, const std::string& text, TopicFault fault) {
  if (is_reserved(text)) return complain({Error::reserved_topic, in_quotes(text)});
  if (fault == TopicFault::none) return std::nullopt;
  return complain({error, in_quotes(text) + ": " + topic_fault_text(fault)});
}

}  // namespace

std::optional<int> refuse_topic(const std::string& topic) {
  return refuse(Error::bad_topic, topic, check_topic(topic));
}

std::optional<int> refuse_pattern(const std::string& pattern) {
  if (is_told_by_nodes(pattern) && check_pattern(pattern) == TopicFault::none) return std::nullopt;
  return refuse(Error::bad_pattern, pattern, check_pattern(pattern));
}

std::optional<int> refuse_name(const std::string& name) {
  const TopicFault fault = name.empty() ? TopicFault::none : check_agent_name(name);
  if (fault == TopicFault::none) return std::nullopt;
  return complain({Error::bad_agent_name, in_quotes(name) + ": " + topic_fault_text(fault)});
}

Result<Agent> connect_agent(Signals& signals, const AgentOptions& options, const Config& config,
                            std::chrono::nanoseconds patience) {
  Config patient = config;
  const std::chrono::nanoseconds allowed = std::max<std::chrono::nanoseconds>(patience, start_time);
  if (allowed < patient.agent.connect_timeout)
    patient.agent.connect_timeout = std::chrono::ceil<std::chrono::milliseconds>(allowed);
  std::optional<Result<Agent>> connected;
  signals.end_process_during([&] { connected.emplace(Agent::connect(options, patient)); });
  return std::move(*connected);
}

}  // namespace abuzz::tools
