#include "tools/path_miss.hpp"

#include <algorithm>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/near_topic.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

constexpr const char* alike = "set XDG_RUNTIME_DIR or node.runtime_directory alike for both";
// Who was lost so long ago is missed by nobody, as long as there are others.
constexpr std::chrono::minutes missed_for{10};

// How it ended, and what became of the rest; `who`: "agent billing", or "it".
Finding explain_end(const DepartedLedger& departed, const std::string& who) {
  const std::string counts = " (" + format_count(departed.delivered) + " delivered, " +
                             format_count(departed.dropped) + " dropped, " +
                             format_count(departed.unknown) + " unknown)";
  if (departed.is_stalled) {
    return {Cause::stalled_out, who + " stood still past its stall limit" + counts,
            "make its handler faster, or choose another policy or stall limit, and subscribe "
            "again"};
  }
  return {Cause::subscriber_gone,
          who + " was killed or crashed: it ended without a goodbye" + counts, "start it again"};
}

}  // namespace

PathMiss::PathMiss(const Question& question, const PathWatch& watch,
                   const std::vector<Elsewhere>& elsewhere,
                   const std::vector<const RowSnapshot*>& others)
    : question_(question), watch_(watch), elsewhere_(elsewhere), others_(others) {}

Finding PathMiss::explain_no_subscription() const {
  for (Finding found : {find_departed(), find_responder(), find_near_miss(), find_elsewhere()})
    if (found.cause != Cause::none) return found;
  const char* const advice =
      question_.is_request()
          ? "start a responder first: `abuzz reply PATTERN --exec COMMAND`"
          : "start a subscriber first; `abuzz ls subscriptions` lists those there are";
  if (question_.to.empty()) return {Cause::no_match, "no subscription matches", advice};
  if (find_agent(question_.to) != nullptr)
    return {Cause::no_match, "no subscription of agent " + question_.to + " matches", advice};
  const std::string near = nearest_agent(question_.to);
  return {Cause::no_match,
          "no subscription matches: no agent is called " + question_.to +
              (near.empty() ? "" : ", but one is called " + near),
          "`abuzz ls agents` lists them"};
}

template <class Predicate>
const DepartedLedger* PathMiss::latest_departed(Predicate&& predicate) const {
  const DepartedLedger* last = nullptr;
  for (const DepartedLedger& departed : watch_.later().ledger.departed) {
    if (!predicate(departed)) continue;
    if (last == nullptr || departed.at_ns >= last->at_ns) last = &departed;
  }
  return last;
}

bool PathMiss::is_lost(const DepartedLedger& departed) const {
  const bool is_asked_for = question_.to.empty() || departed.agent == question_.to;
  return is_asked_for && matches(departed.pattern, question_.topic);
}

// Who would have got it, the latest that is gone.
Finding PathMiss::find_departed() const {
  const DepartedLedger* last =
      latest_departed([&](const DepartedLedger& departed) { return is_lost(departed); });
  if (last == nullptr) return {};
  Finding found =
      explain_end(*last, "agent " + last->agent + ", which subscribed " + last->pattern + ",");
  found.detail = std::move(found.text);
  found.text = "no subscription matches any more";
  return found;
}

std::string PathMiss::describe_departed(const std::string& pattern) const {
  const DepartedLedger* last =
      latest_departed([&](const DepartedLedger& departed) { return departed.pattern == pattern; });
  return last == nullptr ? std::string() : explain_end(*last, "agent " + last->agent).text;
}

std::vector<Path> PathMiss::find_lost(const std::vector<const RowSnapshot*>& subscriptions) const {
  std::vector<Path> paths;
  for (const DepartedLedger& departed : watch_.later().ledger.departed) {
    const std::chrono::nanoseconds at(departed.at_ns);
    if (!is_lost(departed) || watch_.now() - at > missed_for) continue;
    // It is back; or it was one of a group, whose others go on.
    const bool has_successor =
        std::any_of(subscriptions.begin(), subscriptions.end(), [&](const RowSnapshot* row) {
          return owner_of(*row) == departed.agent ||
                 (is_group_row(*row) && row->text == departed.pattern);
        });
    if (has_successor) continue;
    Finding found = explain_end(departed, "agent " + departed.agent);
    Path path;
    path.subscriber.agent = departed.agent;
    path.pattern = departed.pattern;
    path.cause = found.cause;
    path.text = found.text + ", " + format_duration(watch_.now() - at) + " ago";
    path.advice = std::move(found.advice);
    paths.push_back(std::move(path));
  }
  return paths;
}

Finding PathMiss::find_elsewhere() const {
  for (const Elsewhere& other : elsewhere_) {
    const bool is_asked_for = question_.to.empty() || other.agent == question_.to;
    if (!is_asked_for || other.pattern.empty()) continue;
    return {Cause::other_directory, "no subscription matches", alike,
            (other.is_group ? "" : "agent ") + other.agent + " subscribes " + other.pattern +
                " in another runtime directory, " + other.directory};
  }
  return {};
}

// Nobody listens, but somebody replies.
Finding PathMiss::find_responder() const {
  for (const RowSnapshot* row : others_) {
    const std::string_view pattern = row->text;
    if (!is_about_requests(pattern) || is_group_row(*row) ||
        !matches(pattern.substr(request_prefix.size()), question_.topic)) {
      continue;
    }
    return {Cause::only_responders, "no subscription matches: a message reaches nobody",
            "ask with `abuzz request " + question_.topic + " TEXT`, or start a subscriber",
            owner_title(*row) + " replies to requests there"};
  }
  return {};
}

// No pattern of a subscriber becomes one of a responder, however it is corrected; and the other
// way round.
Finding PathMiss::find_near_miss() const {
  const std::size_t prefix = question_.is_request() ? request_prefix.size() : 0;
  for (const RowSnapshot* row : others_) {
    const bool is_alike =
        question_.is_request() ? is_about_requests(row->text) : !is_reserved(row->text);
    if (!is_alike || (question_.is_request() && is_group_row(*row))) continue;
    const std::string pattern = row->text.substr(prefix);
    const std::string how = near_miss(pattern, question_.asked_topic());
    if (how.empty()) continue;
    const char* const does = question_.is_request() ? " replies on " : " subscribes ";
    return {Cause::near_miss, "no subscription matches", "correct the pattern or the topic",
            "near miss: " + owner_title(*row) + does + pattern + " (" + how + ")"};
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
