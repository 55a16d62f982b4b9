#include "tools/path.hpp"

#include <algorithm>
#include <utility>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/path_miss.hpp"

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
        miss_(question, watch_, elsewhere, others_) {
    for (const RowSnapshot& row : node_.rows) {
      if (row.kind == RowKind::publication && row.text == question.topic &&
          is_asked(row, question.from)) {
        publications_.push_back(&row);
      }
      if (row.kind != RowKind::subscription) continue;
      // What a group gets is told of the group, whoever of its members is asked for.
      const bool is_member = !row.text2.empty() && watch_.agents().contains(row.ids[0]);
      if (is_member || !(is_asked(row, question.to) || has_member(row, question.to))) continue;
      (matches(row.text, question.topic) ? subscriptions_ : others_).push_back(&row);
    }
  }

  Answer explain() {
    Answer answer;
    answer.has_publisher = !publications_.empty();
    if (publications_.empty()) add_without_publisher(answer);
    if (publications_.empty()) publications_.push_back(nullptr);
    for (const RowSnapshot* publication : publications_) {
      if (subscriptions_.empty()) answer.paths.push_back(without_match(publication));
      for (const RowSnapshot* subscription : subscriptions_) {
        answer.paths.push_back(examine(publication, *subscription));
      }
    }
    std::stable_partition(answer.paths.begin(), answer.paths.end(),
                          [](const Path& path) { return path.cause != Cause::none; });
    return answer;
  }

 private:
  bool is_asked(const RowSnapshot& row, const std::string& name) const {
    return name.empty() || watch_.end_of(row).agent == name;
  }

  // Whether the row is that of a group of which this agent is a member.
  bool has_member(const RowSnapshot& row, const std::string& name) const {
    if (row.text2.empty()) return false;
    return std::any_of(node_.rows.begin(), node_.rows.end(), [&](const RowSnapshot& other) {
      return other.kind == RowKind::subscription && other.index != row.index &&
             other.text == row.text && other.text2 == row.text2 &&
             watch_.end_of(other).agent == name;
    });
  }

  Path start_path(const RowSnapshot* publication) const {
    Path path;
    if (publication != nullptr) path.publisher = watch_.end_of(*publication);
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

  Path without_match(const RowSnapshot* publication) const {
    Path path = start_path(publication);
    take(path, miss_.explain_no_subscription());
    return path;
  }

  Path examine(const RowSnapshot* publication, const RowSnapshot& subscription) const {
    Path path = start_path(publication);
    path.subscriber = watch_.end_of(subscription);
    path.pattern = subscription.text;
    const auto pair = publication == nullptr
                          ? watch_.later().pairs.end()
                          : watch_.later().pairs.find({publication->index, subscription.index});
    if (pair != watch_.later().pairs.end()) {
      path.delivered = pair->second->delivered;
      path.waiting = pair->second->queued + pair->second->in_flight;
    }
    if (watch_.is_node_stopped()) {
      take(path, {Cause::node_stopped, "the node is stopped (SIGSTOP)",
                  "let it go on: kill -CONT " + std::to_string(node_.pid)});
      return path;
    }
    if (publication != nullptr) take(path, look_at_publisher(*publication, subscription));
    const Reasons lost = lost_on(pair == watch_.later().pairs.end() ? nullptr : pair->second,
                                 publication, subscription);
    if (path.cause == Cause::none) take(path, look_at_subscriber(subscription, lost));
    if (path.cause == Cause::none) take(path, look_at_queue(lost, subscription));
    if (path.cause != Cause::none) return path;
    path.text =
        publication == nullptr ? "nothing is in the way" : messages(path.delivered) + " delivered";
    return path;
  }

  Finding look_at_publisher(const RowSnapshot& publication, const RowSnapshot& subscription) const {
    const PathEnd end = watch_.end_of(publication);
    const Finding alive =
        watch_.look_at_agent(publication, "publisher " + end.agent, Cause::publisher_stopped);
    if (alive.cause != Cause::none) return alive;
    if (!watch_.is_held(publication)) return {};
    const RowSnapshot* holder = watch_.find_holder(publication);
    if (holder == nullptr || holder == &subscription) return {};  // its own state says more
    const std::string name = name_of(*holder);
    std::string why = "does not keep up";
    const Finding state = holder->text2.empty()
                              ? watch_.look_at_agent(*holder, name, Cause::subscriber_stopped)
                              : look_at_group(*holder);
    if (state.cause != Cause::none) why = state.text.substr(name.size() + 1);
    return {Cause::lossless_hold,
            "publisher " + end.agent + " is held by " + name + ", whose subscription " +
                holder->text + " is lossless and which " + why,
            state.cause == Cause::none ? "make the handler of " + watch_.end_of(*holder).agent +
                                             " faster, or give it another policy"
                                       : state.advice};
  }

  static Reasons lost_on(const PairLedger* pair, const RowSnapshot* publication,
                         const RowSnapshot& subscription) {
    Reasons lost = pair == nullptr ? dropped_of(subscription) : pair->dropped;
    if (publication != nullptr)
      add_reason(lost, "expired", publication->get(PublicationCounter::voided));
    return lost;
  }

  // A group lives while some member does.
  Finding look_at_group(const RowSnapshot& group) const {
    if (group.get(SubscriptionCounter::members) > 0) return {};
    const std::uint64_t waiting = watch_.later().waiting_for(group);
    return {Cause::no_member,
            "group " + group.text2 + " has no member now" +
                (waiting == 0 ? std::string() : ": " + messages(waiting) + " wait for one"),
            "start one: abuzz sub '" + group.text + "' --group " + group.text2};
  }

  Finding look_at_subscriber(const RowSnapshot& subscription, const Reasons& lost) const {
    if (!subscription.text2.empty()) return look_at_group(subscription);
    const std::string name = "agent " + watch_.end_of(subscription).agent;
    Finding found = watch_.look_at_agent(subscription, name, Cause::subscriber_stopped);
    if (found.cause == Cause::none) return found;
    const std::uint64_t waiting = watch_.later().waiting_for(subscription);
    if (waiting > 0) found.text += ", " + messages(waiting) + " wait for it";
    const RowSnapshot* held = find_held(subscription);
    if (held != nullptr) found.text += ", and it holds publisher " + watch_.end_of(*held).agent;
    if (!lost.empty()) found.detail = "dropped of its queue so far: " + describe(lost);
    return found;
  }

  // "agent billing", "group workers"
  std::string name_of(const RowSnapshot& subscription) const {
    const std::string name = watch_.end_of(subscription).agent;
    return subscription.text2.empty() ? "agent " + name : name;
  }

  // What the queue lost, or that it is not emptied.
  Finding look_at_queue(const Reasons& lost, const RowSnapshot& subscription) const {
    const std::string name = name_of(subscription);
    const bool is_behind = watch_.is_slow(subscription);
    const std::string behind = is_behind ? ", and its handler does not keep up" : "";
    const auto worst = std::max_element(
        lost.begin(), lost.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (worst != lost.end()) return lost_by(worst->first, describe(lost), name, behind);
    if (!is_behind) return {};
    const RowSnapshot* held = find_held(subscription);
    const std::uint64_t waiting = watch_.later().waiting_for(subscription);
    return {Cause::slow_handler,
            "the handler of " + name + " is slow: " + messages(waiting) + " wait for it" +
                (held == nullptr ? "" : ", and it holds publisher " + watch_.end_of(*held).agent),
            "make the handler faster, or choose a policy that drops"};
  }

  static Finding lost_by(std::string_view reason, const std::string& all, const std::string& name,
                         const std::string& behind) {
    if (reason == "queue full") {
      return {Cause::queue_full, "the queue of " + name + " was full: dropped " + all + behind,
              "make the handler faster, give it a longer queue, or make the subscription lossless"};
    }
    if (reason == "conflated") {
      return {Cause::conflated,
              "the queue of " + name + " keeps only the latest: dropped " + all + behind,
              "keep more of each key, or make the subscription lossless"};
    }
    if (reason == "expired") {
      return {Cause::expired,
              "the time to live was over before " + name + " got it: dropped " + all + behind,
              "give the messages more time, or find out what was slow"};
    }
    if (reason == "dead") {
      return {Cause::dead_lettered, "every attempt of " + name + " failed: dropped " + all + behind,
              "`abuzz dead ls` lists the messages, `abuzz dead show ID` how each attempt failed"};
    }
    return {Cause::refused, name + " did not get everything: dropped " + all,
            "`abuzz errors ABZ-1204` says more; `abuzz doctor` checks this machine"};
  }

  // A publisher of the topic that this subscription holds.
  const RowSnapshot* find_held(const RowSnapshot& subscription) const {
    for (const RowSnapshot* publication : publications_) {
      if (publication != nullptr && watch_.is_held(*publication) &&
          watch_.find_holder(*publication) == &subscription) {
        return publication;
      }
    }
    return nullptr;
  }

  const Question& question_;
  const StatsSnapshot& node_;
  const PathWatch watch_;
  const PathMiss miss_;
  std::vector<const RowSnapshot*> publications_, subscriptions_;
  std::vector<const RowSnapshot*> others_;  // subscriptions that do not match
};

}  // namespace

std::string_view cause_name(Cause cause) noexcept {
  switch (cause) {
    case Cause::none:
      return "none";
    case Cause::node_stopped:
      return "node_stopped";
    case Cause::no_publisher:
      return "no_publisher";
    case Cause::publisher_stopped:
      return "publisher_stopped";
    case Cause::no_match:
      return "no_match";
    case Cause::near_miss:
      return "near_miss";
    case Cause::other_directory:
      return "other_directory";
    case Cause::reserved_topic:
      return "reserved_topic";
    case Cause::subscriber_gone:
      return "subscriber_gone";
    case Cause::stalled_out:
      return "stalled_out";
    case Cause::session_stalled:
      return "session_stalled";
    case Cause::subscriber_stopped:
      return "subscriber_stopped";
    case Cause::lossless_hold:
      return "lossless_hold";
    case Cause::queue_full:
      return "queue_full";
    case Cause::conflated:
      return "conflated";
    case Cause::slow_handler:
      return "slow_handler";
    case Cause::expired:
      return "expired";
    case Cause::refused:
      return "refused";
    case Cause::dead_lettered:
      return "dead_lettered";
    case Cause::no_member:
      return "no_member";
  }
  return "unknown";
}

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
