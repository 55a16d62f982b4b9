#include "tools/path.hpp"

#include <algorithm>
#include <utility>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/near_topic.hpp"
#include "tools/path_watch.hpp"

namespace abuzz::tools {
namespace {

std::string messages(std::uint64_t count) {
  return format_plural(count, "message", "messages");
}

class Explainer {
 public:
  Explainer(const Question& question, const Counters& earlier, const Counters& later,
            const LookAtProcess& look)
      : question_(question), node_(later.node), watch_(earlier, later, look) {
    for (const RowSnapshot& row : node_.rows) {
      if (row.kind == RowKind::publication && row.text == question.topic &&
          is_asked(row, question.from)) {
        publications_.push_back(&row);
      }
      if (row.kind != RowKind::subscription || !is_asked(row, question.to)) continue;
      (matches(row.text, question.topic) ? subscriptions_ : others_).push_back(&row);
    }
  }

  Answer explain() {
    Answer answer;
    answer.has_publisher = !publications_.empty();
    if (publications_.empty() && !question_.from.empty())
      answer.paths.push_back(without_publisher());
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

  Path without_publisher() const {
    Path path;
    std::vector<std::string_view> names, topics;
    bool is_there = false;
    for (const auto& [id, agent] : watch_.agents()) {
      names.push_back(agent->text);
      is_there = is_there || agent->text == question_.from;
    }
    for (const RowSnapshot& row : node_.rows) {
      if (row.kind == RowKind::publication && is_asked(row, question_.from)) {
        topics.push_back(row.text);
      }
    }
    const std::string_view near =
        is_there ? nearest(question_.topic, topics) : nearest(question_.from, names);
    std::string text = is_there ? "agent " + question_.from + " has no publisher of it"
                                : "no agent is called " + question_.from;
    if (!near.empty()) {
      text += is_there ? ", but one of " : ", but one is called ";
      text += near;
    }
    take(path,
         {Cause::no_publisher, text,
          is_there ? "publish it there, or ask without --from" : "`abuzz ls agents` lists them"});
    return path;
  }

  Path without_match(const RowSnapshot* publication) const {
    Path path = start_path(publication);
    take(path, find_departed());
    if (path.cause == Cause::none) take(path, find_near_miss());
    if (path.cause != Cause::none) return path;
    const std::string what = question_.to.empty()
                                 ? std::string("no subscription matches")
                                 : "no subscription of agent " + question_.to + " matches";
    take(path, {Cause::no_match, what,
                "start a subscriber first; `abuzz ls subscriptions` lists those there are"});
    return path;
  }

  // Who would have got it, the latest that is gone.
  Finding find_departed() const {
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
        (last->is_stalled ? "stood still past its stall limit" : "ended without a goodbye") + " (" +
        format_count(last->delivered) + " delivered, " + format_count(last->dropped) +
        " dropped, " + format_count(last->unknown) + " unknown)";
    if (!last->is_stalled) {
      return {Cause::subscriber_gone, text, "it was killed or crashed: start it again", detail};
    }
    return {Cause::stalled_out, text,
            "make its handler faster, or choose another policy or stall limit, and subscribe again",
            detail};
  }

  Finding find_near_miss() const {
    for (const RowSnapshot* row : others_) {
      const std::string how = near_miss(row->text, question_.topic);
      if (how.empty()) continue;
      return {Cause::near_miss, "no subscription matches", "correct the pattern or the topic",
              "near miss: agent " + watch_.end_of(*row).agent + " subscribes " + row->text + " (" +
                  how + ")"};
    }
    return {};
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
    if (path.cause == Cause::none) take(path, look_at_subscriber(subscription));
    if (path.cause == Cause::none) {
      take(path, look_at_queue(pair == watch_.later().pairs.end() ? nullptr : pair->second,
                               publication, subscription));
    }
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
    const std::string name = "agent " + watch_.end_of(*holder).agent;
    std::string why = "does not keep up";
    const Finding state = watch_.look_at_agent(*holder, name, Cause::subscriber_stopped);
    if (state.cause != Cause::none) why = state.text.substr(name.size() + 1);
    return {Cause::lossless_hold,
            "publisher " + end.agent + " is held by " + name + ", whose subscription " +
                holder->text + " is lossless and which " + why,
            state.cause == Cause::none ? "make the handler of " + watch_.end_of(*holder).agent +
                                             " faster, or give it another policy"
                                       : state.advice};
  }

  Finding look_at_subscriber(const RowSnapshot& subscription) const {
    const std::string name = "agent " + watch_.end_of(subscription).agent;
    Finding found = watch_.look_at_agent(subscription, name, Cause::subscriber_stopped);
    if (found.cause == Cause::none) return found;
    const std::uint64_t waiting = watch_.later().waiting_for(subscription);
    if (waiting > 0) found.text += ", " + messages(waiting) + " wait for it";
    const RowSnapshot* held = find_held(subscription);
    if (held != nullptr) found.text += ", and it holds publisher " + watch_.end_of(*held).agent;
    return found;
  }

  // What the queue lost, or that it is not emptied.
  Finding look_at_queue(const PairLedger* pair, const RowSnapshot* publication,
                        const RowSnapshot& subscription) const {
    const std::string name = watch_.end_of(subscription).agent;
    const bool is_behind = watch_.is_slow(subscription);
    const std::string behind = is_behind ? ", and its handler does not keep up" : "";
    const std::uint64_t voided =
        publication == nullptr ? 0 : publication->get(PublicationCounter::voided);
    Reasons lost = pair == nullptr ? dropped_of(subscription) : pair->dropped;
    add_reason(lost, "expired", voided);
    const auto worst = std::max_element(
        lost.begin(), lost.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (worst != lost.end()) return lost_by(worst->first, describe(lost), name, behind);
    if (!is_behind) return {};
    const RowSnapshot* held = find_held(subscription);
    const std::uint64_t waiting = watch_.later().waiting_for(subscription);
    return {Cause::slow_handler,
            "the handler of agent " + name + " is slow: " + messages(waiting) + " wait for it" +
                (held == nullptr ? "" : ", and it holds publisher " + watch_.end_of(*held).agent),
            "make the handler faster, or choose a policy that drops"};
  }

  static Finding lost_by(std::string_view reason, const std::string& all, const std::string& name,
                         const std::string& behind) {
    if (reason == "queue full") {
      return {Cause::queue_full,
              "the queue of agent " + name + " was full: dropped " + all + behind,
              "make the handler faster, give it a longer queue, or make the subscription lossless"};
    }
    if (reason == "conflated") {
      return {Cause::conflated,
              "the queue of agent " + name + " keeps only the latest: dropped " + all + behind,
              "keep more of each key, or make the subscription lossless"};
    }
    if (reason == "expired") {
      return {Cause::expired,
              "the time to live was over before agent " + name + " got it: dropped " + all + behind,
              "give the messages more time, or find out what was slow"};
    }
    return {Cause::refused, "agent " + name + " did not get everything: dropped " + all,
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
  }
  return "unknown";
}

Answer explain_path(const Question& question, const Counters& earlier, const Counters& later,
                    const LookAtProcess& look) {
  return Explainer(question, earlier, later, look).explain();
}

}  // namespace abuzz::tools
