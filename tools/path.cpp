#include "tools/path.hpp"

#include <algorithm>
#include <utility>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/path_group.hpp"
#include "tools/path_miss.hpp"
#include "tools/path_queue.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

std::string messages(std::uint64_t count) {
  return format_plural(count, "message", "messages");
}

class Explainer {
 public:
  Explainer(const Question& question, const Counters& earlier, const Counters& later,
            const LookAtProcess& look, const std::vector<Elsewhere>& elsewhere)
      : question_(question),
        node_(later.node),
        watch_(earlier, later, look),
        miss_(question, watch_, elsewhere, others_),
        groups_(later.node, watch_, miss_) {
    for (const RowSnapshot& row : node_.rows) {
      if (row.kind == RowKind::publication && row.text == question.topic &&
          is_asked(row, question.from)) {
        (has_left(row) ? left_ : publications_).push_back(&row);
      }
      if (row.kind != RowKind::subscription) continue;
      // What a group gets is told of the group, whoever of its members is asked for.
      const bool is_member = !row.text2.empty() && !is_group_row(row);
      const bool is_match = matches(row.text, question.topic);
      if (is_member && is_match) continue;
      if (!is_asked(row, question.to) && !has_member(row, question.to)) continue;
      (is_match ? subscriptions_ : others_).push_back(&row);
    }
  }

  Answer explain() {
    Answer answer;
    answer.has_publisher = !publications_.empty();
    if (publications_.empty() && left_.empty()) add_without_publisher(answer);
    for (const Source& source : sources()) {
      if (subscriptions_.empty()) answer.paths.push_back(without_match(source));
      for (const RowSnapshot* subscription : subscriptions_) {
        answer.paths.push_back(examine(source, *subscription));
      }
    }
    if (!subscriptions_.empty())
      for (Path& lost : miss_.find_lost(subscriptions_)) answer.paths.push_back(std::move(lost));
    std::stable_partition(answer.paths.begin(), answer.paths.end(),
                          [](const Path& path) { return path.cause != Cause::none; });
    return answer;
  }

 private:
  // Every publisher that is here; without one those that were, of whom there may be many.
  std::vector<Source> sources() const {
    std::vector<Source> sources;
    for (const RowSnapshot* publication : publications_) sources.push_back({publication});
    if (sources.empty()) sources.push_back(left_);
    return sources;
  }

  bool is_asked(const RowSnapshot& row, const std::string& name) const {
    return name.empty() || owner_of(row) == name;
  }

  // Whether the row is that of a group of which this agent is a member.
  bool has_member(const RowSnapshot& row, const std::string& name) const {
    if (!is_group_row(row)) return false;
    const std::vector<const RowSnapshot*> members = groups_.members_of(row);
    return std::any_of(members.begin(), members.end(),
                       [&](const RowSnapshot* member) { return owner_of(*member) == name; });
  }

  Path start_path(const Source& source) const {
    Path path;
    for (const RowSnapshot* publication : source) {
      PathEnd end = watch_.end_of(*publication);
      end.has_left = has_left(*publication);
      if (publication != source.front() && end.agent != path.publisher.agent) end.agent.clear();
      path.publisher = end;
      if (end.agent.empty()) break;
    }
    return path;
  }
  static void take(Path& path, Finding found) {
    path.cause = found.cause;
    path.text = std::move(found.text);
    path.advice = std::move(found.advice);
    path.detail = std::move(found.detail);
  }

  void add_without_publisher(Answer& answer) const {
    std::vector<std::string_view> topics;
    for (const RowSnapshot& row : node_.rows)
      if (row.kind == RowKind::publication && is_asked(row, question_.from))
        topics.push_back(row.text);
    Path path;
    take(path, miss_.explain_no_publisher(topics, path.publisher));
    if (path.cause != Cause::none) answer.paths.push_back(std::move(path));
  }

  Path without_match(const Source& source) const {
    Path path = start_path(source);
    take(path, miss_.explain_no_subscription());
    return path;
  }

  Path examine(const Source& source, const RowSnapshot& subscription) const {
    Path path = start_path(source);
    path.subscriber = watch_.end_of(subscription);
    path.pattern = subscription.text;
    const Flow flow = watch_.flow_of(source, subscription);
    path.delivered = flow.delivered;
    path.waiting = flow.queued + flow.in_flight;
    if (watch_.is_node_stopped()) {
      take(path, {Cause::node_stopped, "the node is stopped (SIGSTOP)",
                  "let it go on: kill -CONT " + std::to_string(node_.pid)});
      return path;
    }
    if (!source.empty() && !has_left(*source.front()))
      take(path, look_at_publisher(*source.front(), subscription));
    if (path.cause == Cause::none) take(path, look_at_subscriber(subscription, flow));
    if (path.cause == Cause::none) take(path, look_at_rest(subscription, flow));
    if (path.cause != Cause::none) return path;
    path.text = source.empty() ? "nothing is in the way" : messages(path.delivered) + " delivered";
    path.detail = describe_lost_before(flow);
    const std::string abandoned = describe_abandoned();
    if (!abandoned.empty()) path.detail += (path.detail.empty() ? "" : "; ") + abandoned;
    return path;
  }

  Finding look_at_publisher(const RowSnapshot& publication, const RowSnapshot& subscription) const {
    const std::string publisher = "publisher " + owner_of(publication);
    const Finding alive = watch_.look_at_agent(publication, publisher, Cause::publisher_stopped);
    if (alive.cause != Cause::none) return alive;
    const RowSnapshot* holder = watch_.holder_of(publication);
    if (holder == nullptr || holder == &subscription) return {};  // its own state says more
    const std::string name = owner_title(*holder);
    std::string why = "does not keep up";
    const Finding state = look_at_owner(*holder);
    if (state.cause != Cause::none) why = state.text.substr(name.size() + 1);
    return {Cause::lossless_hold,
            publisher + " is held by " + name + ", whose subscription " + holder->text +
                " is lossless and which " + why,
            state.cause == Cause::none
                ? "make the handler of " + owner_of(*holder) + " faster, or give it another policy"
                : state.advice};
  }

  Finding look_at_owner(const RowSnapshot& subscription) const {
    if (is_group_row(subscription)) return groups_.look_at(subscription);
    return watch_.look_at_agent(subscription, owner_title(subscription), Cause::subscriber_stopped);
  }

  Finding look_at_subscriber(const RowSnapshot& subscription, const Flow& flow) const {
    Finding found = look_at_owner(subscription);
    if (found.cause == Cause::none) return found;
    add_lost(found.detail, flow);
    if (found.cause == Cause::no_member) return found;  // that says what waits
    const std::uint64_t waiting = watch_.later().waiting_for(subscription);
    if (waiting > 0) found.text += ", " + wait_for(waiting, "it");
    const RowSnapshot* held = find_held(subscription);
    if (held != nullptr) found.text += ", and it holds publisher " + owner_of(*held);
    return found;
  }

  static void add_lost(std::string& detail, const Flow& flow) {
    if (flow.lost.empty()) return;
    if (!detail.empty()) detail += "; ";
    detail += "dropped of its queue so far: " + describe(flow.lost);
  }

  Finding look_at_rest(const RowSnapshot& subscription, const Flow& flow) const {
    Finding found = look_at_queue(watch_, queue_of(subscription), flow);
    if (found.cause == Cause::slow_handler && is_group_row(subscription))
      groups_.name_who_stands(subscription, found);
    return found;
  }

  // What publishers of the topic that were killed had not sent yet.
  std::string describe_abandoned() const {
    for (const TopicLedger& topic : watch_.later().ledger.topics) {
      if (topic.topic != question_.topic) continue;
      for (const auto& [reason, count] : topic.voided)
        if (reason == "publisher gone")
          return messages(count) + " ended with a publisher that was killed or crashed";
    }
    return {};
  }

  QueueOf queue_of(const RowSnapshot& subscription) const {
    const RowSnapshot* held = find_held(subscription);
    return {subscription, held == nullptr ? "" : owner_of(*held),
            node_.rows.front().get(ProcessCounter::dead_letters) > 0};
  }

  // A publisher of the topic that this subscription holds.
  const RowSnapshot* find_held(const RowSnapshot& subscription) const {
    for (const RowSnapshot* publication : publications_)
      if (watch_.holder_of(*publication) == &subscription) return publication;
    return nullptr;
  }

  const Question& question_;
  const StatsSnapshot& node_;
  const PathWatch watch_;
  const PathMiss miss_;
  const PathGroups groups_;
  std::vector<const RowSnapshot*> publications_, subscriptions_;
  Source left_;                             // publications of those that have left
  std::vector<const RowSnapshot*> others_;  // subscriptions that do not match
};

}  // namespace

Answer explain_path(const Question& question, const Counters& earlier, const Counters& later,
                    const LookAtProcess& look, const std::vector<Elsewhere>& elsewhere) {
  return Explainer(question, earlier, later, look, elsewhere).explain();
}

bool is_end_missing(const Answer& answer) noexcept {
  if (!answer.has_publisher || answer.paths.empty()) return true;
  return answer.paths.front().pattern.empty();
}

Answer explain_reserved() {
  Answer answer;
  answer.has_publisher = false;
  Path path;
  path.cause = Cause::reserved_topic;
  path.text = "reserved topic: agents cannot publish on a topic that begins with '$'";
  path.detail =
      "of these the node alone tells `$agents.NAME.STATE` and `$dead.TOPIC`, and a pattern that "
      "begins with a wildcard never matches them";
  path.advice = "choose a topic without '$', or subscribe to `$agents.>` or `$dead.>`";
  answer.paths.push_back(std::move(path));
  return answer;
}

}  // namespace abuzz::tools
