#include "tools/path_miss.hpp"

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/near_topic.hpp"

namespace abuzz::tools {
namespace {

constexpr const char* alike = "set XDG_RUNTIME_DIR or node.runtime_directory alike for both";

}  // namespace

PathMiss::PathMiss(const Question& question, const PathWatch& watch,
                   const std::vector<Elsewhere>& elsewhere,
                   const std::vector<const RowSnapshot*>& others)
    : question_(question), watch_(watch), elsewhere_(elsewhere), others_(others) {}

Finding PathMiss::explain_no_subscription() const {
  for (Finding found : {find_departed(), find_near_miss(), find_elsewhere()})
    if (found.cause != Cause::none) return found;
  const char* const advice =
      "start a subscriber first; `abuzz ls subscriptions` lists those there are";
  if (question_.to.empty()) return {Cause::no_match, "no subscription matches", advice};
  if (find_agent(question_.to) != nullptr)
    return {Cause::no_match, "no subscription of agent " + question_.to + " matches", advice};
  const std::string near = nearest_agent(question_.to);
  return {Cause::no_match,
          "no subscription matches: no agent is called " + question_.to +
              (near.empty() ? "" : ", but one is called " + near),
          "`abuzz ls agents` lists them"};
}

// Who would have got it, the latest that is gone.
Finding PathMiss::find_departed() const {
  const DepartedLedger* last = nullptr;
  for (const DepartedLedger& departed : watch_.later().ledger.departed) {
    const bool is_asked_for = question_.to.empty() || departed.agent == question_.to;
    if (!is_asked_for || !matches(departed.pattern, question_.topic)) continue;
    if (last == nullptr || departed.at_ns >= last->at_ns) last = &departed;
  }
  if (last == nullptr) return {};
  const std::string text = "no subscription matches any more";
  const std::string detail =
      "agent " + last->agent + ", which subscribed " + last->pattern + ", " +
      (last->is_stalled ? "stood still past its stall limit"
                        : "was killed or crashed: it ended without a goodbye") +
      " (" + format_count(last->delivered) + " delivered, " + format_count(last->dropped) +
      " dropped, " + format_count(last->unknown) + " unknown)";
  if (!last->is_stalled) return {Cause::subscriber_gone, text, "start it again", detail};
  return {Cause::stalled_out, text,
          "make its handler faster, or choose another policy or stall limit, and subscribe again",
          detail};
}

Finding PathMiss::find_elsewhere() const {
  for (const Elsewhere& other : elsewhere_) {
    const bool is_asked_for = question_.to.empty() || other.agent == question_.to;
    if (!is_asked_for || other.pattern.empty()) continue;
    return {Cause::other_directory, "no subscription matches", alike,
            "agent " + other.agent + " subscribes " + other.pattern +
                " in another runtime directory, " + other.directory};
  }
  return {};
}

Finding PathMiss::find_near_miss() const {
  for (const RowSnapshot* row : others_) {
    const std::string how = near_miss(row->text, question_.topic);
    if (how.empty()) continue;
    return {Cause::near_miss, "no subscription matches", "correct the pattern or the topic",
            "near miss: agent " + watch_.end_of(*row).agent + " subscribes " + row->text + " (" +
                how + ")"};
  }
  return {};
}

Finding PathMiss::explain_no_publisher(const std::vector<std::string_view>& topics_of_from,
                                       PathEnd& publisher) const {
  for (const Elsewhere& other : elsewhere_) {
    const bool is_asked_for = question_.from.empty() || other.agent == question_.from;
    if (!is_asked_for || !other.pattern.empty()) continue;
    publisher.agent = other.agent;
    return {Cause::other_directory, "publishes it in another runtime directory, " + other.directory,
            alike};
  }
  if (question_.from.empty()) return {};
  if (find_agent(question_.from) == nullptr) {
    const std::string near = nearest_agent(question_.from);
    return {Cause::no_publisher,
            "no agent is called " + question_.from +
                (near.empty() ? "" : ", but one is called " + near),
            "`abuzz ls agents` lists them"};
  }
  const std::string_view near = nearest(question_.topic, topics_of_from);
  std::string text = "agent " + question_.from + " has no publisher of it";
  if (!near.empty()) text.append(", but one of ").append(near);
  return {Cause::no_publisher, text, "publish it there, or ask without --from"};
}

const RowSnapshot* PathMiss::find_agent(const std::string& name) const {
  for (const auto& [id, agent] : watch_.agents())
    if (agent->text == name) return agent;
  return nullptr;
}

std::string PathMiss::nearest_agent(const std::string& name) const {
  std::vector<std::string_view> names;
  for (const auto& [id, agent] : watch_.agents()) names.push_back(agent->text);
  return std::string(nearest(name, names));
}

}  // namespace abuzz::tools
