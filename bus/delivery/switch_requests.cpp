#include <algorithm>

#include "bus/delivery/group.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"

// What a switch does for requests: they and their replies are messages like any others, so it only
// says to whom an act goes, and when no more replies come from somewhere.

namespace abuzz::delivery {

namespace {

// Ends that an agent was not told yet, because its link is lost. One that misses more has the time
// limits of its requests.
constexpr std::size_t reply_ends_max = 4096;
// Subscriptions that are looked at for an act whose responder is not known: one agent does not make
// work for all.
constexpr std::size_t readers_max = 64;
// Acts that wait for the next frame to an agent. What is over is lost.
constexpr std::size_t acts_max = 512;

}  // namespace

void Switch::pass_on(PortId from, wire::RequestAct act) {
  find_readers(from, act);
  act.agent_id = from;
  act.publication = 0;
  for (const PortId reader : readers_) {
    Port* port = find_port(reader);
    if (port == nullptr || port->suspended_since != 0 || port->acts.size() >= acts_max) continue;
    port->acts.push_back(act);
    note_output(*port);
  }
}

// Each once.
void Switch::find_readers(PortId port, const wire::RequestAct& act) {
  readers_.clear();
  if (act.agent_id != 0) {
    readers_.push_back(act.agent_id);
  } else if (const Publication* publication = find_publication(port, act.publication)) {
    for (const Pair* pair : publication->route) {
      const Subscription& subscription = *pair->subscription;
      if (subscription.group == nullptr) {
        readers_.push_back(subscription.port->id);
      } else {
        subscription.group->dealer.for_each(
            [&](const Member& member) { readers_.push_back(member.subscription->port->id); });
      }
      if (readers_.size() >= readers_max) break;
    }
    std::sort(readers_.begin(), readers_.end());
    readers_.erase(std::unique(readers_.begin(), readers_.end()), readers_.end());
  }
}

// All that the publication sent was settled: who listens there may conclude from what it has.
void Switch::tell_requester(const Publication& publication) {
  Port* port = find_port(agent_of_reply_topic(publication.topic));
  if (port == nullptr || port->reply_ends.size() >= reply_ends_max) return;
  port->reply_ends.push_back({publication.agent_id, publication.publisher_id});
  note_output(*port);
}

}  // namespace abuzz::delivery
