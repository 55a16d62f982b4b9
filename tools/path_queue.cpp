#include "tools/path_queue.hpp"

#include <algorithm>

#include "tools/command_line.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

std::string messages(std::uint64_t count) {
  return format_plural(count, "message", "messages");
}

bool is_lossless(const RowSnapshot& subscription) noexcept {
  return subscription.get(SubscriptionCounter::policy) == 0;
}

// Of what was lost, what will be again: it is being lost, or its cause is still there.
Reasons lasting(const QueueOf& queue, const Flow& flow, bool is_behind) {
  Reasons lasting = flow.lost_now;
  if (!lasting.empty()) return lasting;
  // The next one that is dropped makes room for itself only as fast as the handler is.
  const bool is_full = is_behind && flow.queued > 0 && !is_lossless(queue.subscription);
  for (const auto& [reason, count] : flow.lost) {
    const bool is_of_policy = reason == "queue full" || reason == "conflated";
    if ((is_full && is_of_policy) || (queue.has_dead_letters && reason == "dead"))
      add_reason(lasting, reason, count);
  }
  return lasting;
}

Finding lost_by(std::string_view reason, const std::string& all, const std::string& name,
                const std::string& behind) {
  if (reason == "queue full") {
    return {Cause::queue_full, "the queue of " + name + " is full: dropped " + all + behind,
            "make the handler faster, give it a longer queue, or make the subscription lossless"};
  }
  if (reason == "conflated") {
    return {Cause::conflated,
            "the queue of " + name + " keeps only the latest: dropped " + all + behind,
            "keep more of each key, or make the subscription lossless"};
  }
  if (reason == "expired") {
    return {Cause::expired,
            "the time to live is over before " + name + " gets it: dropped " + all + behind,
            "give the messages more time, or find out what is slow"};
  }
  if (reason == "dead") {
    return {Cause::dead_lettered, "every attempt of " + name + " failed: dropped " + all + behind,
            "`abuzz dead ls` lists the messages, `abuzz dead show ID` how each attempt failed"};
  }
  return {Cause::refused, name + " does not get everything: dropped " + all,
          "`abuzz errors ABZ-1204` says more; `abuzz doctor` checks this machine"};
}

}  // namespace

Finding look_at_queue(const PathWatch& watch, const QueueOf& queue, const Flow& flow) {
  const std::string name = owner_title(queue.subscription);
  const bool is_behind = watch.is_slow(queue.subscription) || !queue.held.empty();
  const Reasons lost = lasting(queue, flow, is_behind);
  const auto worst = std::max_element(
      lost.begin(), lost.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (worst != lost.end()) {
    return lost_by(worst->first, describe(flow.lost), name,
                   is_behind ? ", and its handler does not keep up" : "");
  }
  if (!is_behind) return {};
  return {Cause::slow_handler,
          "the handler of " + name + " is slow: " +
              format_plural(watch.later().waiting_for(queue.subscription), "message waits for it",
                            "messages wait for it") +
              (queue.held.empty() ? "" : ", and it holds publisher " + queue.held),
          "make the handler faster, or choose a policy that drops", describe_lost_before(flow)};
}

std::string describe_lost_before(const Flow& flow) {
  if (flow.lost.empty()) return {};
  std::string text = "dropped some time ago: " + describe(flow.lost);
  if (flow.matched > 0) text += ", of " + messages(flow.matched);
  return text;
}

}  // namespace abuzz::tools
