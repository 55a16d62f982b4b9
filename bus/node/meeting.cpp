#include "bus/node/meeting.hpp"

#include "bus/place/meeting_place.hpp"

namespace abuzz::node {

namespace {

constexpr base::Nanos look_interval = base::second;

}  // namespace

place::TrafficLook Meeting::traffic(base::Nanos now) {
  place::TrafficLook look;
  const std::uint64_t messages = process_.get(ProcessCounter::messages_in);
  const std::uint64_t batches = process_.get(ProcessCounter::batches_in);
  look.span = now - looked_at_;
  look.messages = messages - messages_seen_;
  look.batches = batches - batches_seen_;
  looked_at_ = now;
  messages_seen_ = messages;
  batches_seen_ = batches;
  if (!conversation_.is_gathered() && !place::Conversation::is_small_exchange(look)) return look;
  if (companions_.count() == 0)
    for (const std::string& name : names_) companions_.add(place::find_thread(name));
  const base::Nanos cpu = companions_.cpu_time();
  look.cpu = cpu - cpu_seen_;
  cpu_seen_ = cpu;
  return look;
}

void Meeting::look(base::Nanos now) {
  if (names_.empty() || now < look_at_) return;
  look_at_ = now + look_interval;
  const bool is_first = looked_at_ == 0;
  const place::TrafficLook seen = traffic(now);
  if (is_first) return;
  const place::Conversation::State before = conversation_.state();
  switch (conversation_.note(seen)) {
    case place::Conversation::Act::none:
      if (before != conversation_.state() && conversation_.is_gathered() && log_)
        log_("info agents that wait for each other gain by it: they stay together");
      break;
    case place::Conversation::Act::gather:
      gather();
      break;
    case place::Conversation::Act::part:
      part(conversation_.state() == place::Conversation::State::refused
               ? "it does not pay"
               : "they wait for each other less, or not at all");
      break;
  }
}

void Meeting::gather() {
  // On a busy machine a measurement may find nothing: it is asked again, after a while.
  if (!place_) place_ = place::find_meeting_place(config_);
  if (!place_ || !companions_.gather(*place_)) return conversation_.refuse();
  process_.set(ProcessCounter::meeting, *place_ + std::uint64_t{1});
  if (log_)
    log_("info agents that wait for each other are brought together on processor " +
         std::to_string(*place_) + ": wake-ups across processors are dear here");
}

void Meeting::part(const char* why) {
  companions_.part();
  process_.set(ProcessCounter::meeting, 0);
  if (log_) log_(std::string("info agents are left to the kernel again: ") + why);
}

}  // namespace abuzz::node
