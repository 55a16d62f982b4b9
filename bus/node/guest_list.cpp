#include "bus/node/guest_list.hpp"

#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::node {

Guest& GuestList::add(Guest&& guest) {
  const SessionId id = guest.id;
  const bool is_new =
      by_link_.emplace(guest.link, id).second && by_caller_.emplace(guest.caller, id).second &&
      by_name_.emplace(guest.name, id).second && by_agent_.emplace(guest.agent_id, id).second;
  ABUZZ_CHECK(is_new);
  return guests_.emplace(id, std::move(guest)).first->second;
}

void GuestList::remove(SessionId id) {
  const auto found = guests_.find(id);
  ABUZZ_CHECK(found != guests_.end());
  by_link_.erase(found->second.link);
  by_link_.erase(found->second.next_link);
  by_caller_.erase(found->second.caller);
  by_name_.erase(found->second.name);
  by_agent_.erase(found->second.agent_id);
  guests_.erase(found);
}

void GuestList::expect_link(Guest& guest, SessionId next) {
  guest.next_link = next;
  by_link_[next] = guest.id;
}

void GuestList::take_next_link(Guest& guest) {
  by_link_.erase(guest.link);
  guest.link = std::exchange(guest.next_link, 0);
  guest.shard = guest.next_shard;
}

void GuestList::drop_next_link(Guest& guest) {
  by_link_.erase(guest.next_link);
  guest.next_link = 0;
}

Guest* GuestList::find_link(SessionId link) {
  const auto found = by_link_.find(link);
  return found == by_link_.end() ? nullptr : find(found->second);
}

Guest* GuestList::find(SessionId id) {
  const auto found = guests_.find(id);
  return found == guests_.end() ? nullptr : &found->second;
}

Guest* GuestList::find_caller(link::CallerId caller) {
  const auto found = by_caller_.find(caller);
  return found == by_caller_.end() ? nullptr : find(found->second);
}

const Guest* GuestList::find_name(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &guests_.at(found->second);
}

const Guest* GuestList::find_agent(std::uint64_t agent_id) const {
  const auto found = by_agent_.find(agent_id);
  return found == by_agent_.end() ? nullptr : &guests_.at(found->second);
}

const std::vector<SessionId>& GuestList::ids() {
  ids_.clear();
  for (const auto& [id, guest] : guests_) ids_.push_back(id);
  return ids_;
}

}  // namespace abuzz::node
