#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/link/loop_state.hpp"
#include "bus/link/unix_door.hpp"

namespace abuzz::link::detail {

namespace {

// What the real door does by default.
constexpr UnixDoorOptions options{};
constexpr base::Nanos greeting_timeout = options.greeting_timeout_ms * base::millisecond;

using Mail = Stream<std::vector<std::byte>>;

bool send_mail(LoopNetwork::State& state, Mail& mail, std::span<const std::byte> datagram) {
  if (mail.entries.count() >= loop_datagrams_max) return false;
  mail.push(state.draw_due()).assign(datagram.begin(), datagram.end());
  return true;
}

// False, and nothing taken, when the datagram is longer than a door lets through.
bool receive_mail(Mail& mail, std::vector<std::byte>& datagram) {
  std::vector<std::byte>& front = mail.entries.front().item;
  if (front.size() > door_datagram_bytes_max) return false;
  datagram.assign(front.begin(), front.end());
  mail.entries.pop();
  return true;
}

class LoopDoorCall final : public DoorCall {
 public:
  LoopDoorCall(LoopStatePointer state, std::shared_ptr<LoopVisit> visit)
      : state_(std::move(state)), visit_(std::move(visit)) {}
  ~LoopDoorCall() override {
    const auto lock = state_->lock();
    visit_->agent_open = false;
  }

  Status try_send(std::span<const std::byte> datagram) noexcept override {
    ABUZZ_CHECK(!datagram.empty());
    const auto lock = state_->lock();
    if (!visit_->node_open) return Status::closed;
    return send_mail(*state_, visit_->to_node, datagram) ? Status::done : Status::empty;
  }
  Status try_receive(std::vector<std::byte>& datagram) override {
    datagram.clear();
    const auto lock = state_->lock();
    if (visit_->to_agent.entries.empty()) return visit_->node_open ? Status::empty : Status::closed;
    if (!visit_->to_agent.is_due(state_->clock.now())) return Status::empty;
    return receive_mail(visit_->to_agent, datagram) ? Status::done : Status::closed;
  }
  int wait_descriptor() const noexcept override { return -1; }

 private:
  const LoopStatePointer state_;
  const std::shared_ptr<LoopVisit> visit_;
};

class LoopDoorListener final : public DoorListener {
 public:
  // Requires: the lock is held.
  explicit LoopDoorListener(LoopStatePointer state) : state_(std::move(state)) {
    state_->door = &self_;
  }
  ~LoopDoorListener() override {
    shut();
    const auto lock = state_->lock();
    for (const auto& visit : self_.visits) visit->node_open = false;
  }

  Event try_next(Caller& caller, std::vector<std::byte>& datagram) override;
  bool try_reply(CallerId caller, std::span<const std::byte> datagram) noexcept override;
  void hang_up(CallerId caller) noexcept override;
  void shut() noexcept override {
    const auto lock = state_->lock();
    if (state_->door == &self_) state_->door = nullptr;
  }
  int wait_descriptor() const noexcept override { return -1; }
  std::uint64_t turned_away() const noexcept override {
    const auto lock = state_->lock();
    return self_.turned_away;
  }

 private:
  LoopVisit* find(CallerId caller) noexcept;
  Event serve(LoopVisit& visit, base::Nanos now, std::vector<std::byte>& datagram);

  const LoopStatePointer state_;
  LoopDoorState self_;
  std::size_t turn_ = 0;
};

DoorListener::Event LoopDoorListener::try_next(Caller& caller, std::vector<std::byte>& datagram) {
  datagram.clear();
  const auto lock = state_->lock();
  const base::Nanos now = state_->clock.now();
  for (const auto& visit : self_.visits) {
    if (!visit->has_spoken && now >= visit->deadline) visit->node_open = false;
  }
  std::erase_if(self_.visits, [](const auto& visit) { return !visit->node_open; });
  const std::size_t count = self_.visits.size();
  for (std::size_t step = 0; step < count; ++step) {
    turn_ = (turn_ + 1) % count;
    LoopVisit& visit = *self_.visits[turn_];
    const Event event = serve(visit, now, datagram);
    if (event == Event::none) continue;
    caller = visit.caller;
    return event;
  }
  return Event::none;
}

// A visit that ends without a word is no event: nobody knew of it.
DoorListener::Event LoopDoorListener::serve(LoopVisit& visit, base::Nanos now,
                                            std::vector<std::byte>& datagram) {
  if (visit.to_node.is_due(now) && receive_mail(visit.to_node, datagram)) {
    visit.has_spoken = true;
    return Event::datagram;
  }
  const bool is_refused = visit.to_node.is_due(now);
  const bool is_left = !visit.agent_open && visit.to_node.entries.empty();
  if (!is_refused && !is_left) return Event::none;
  visit.node_open = false;
  return visit.has_spoken ? Event::hang_up : Event::none;
}

bool LoopDoorListener::try_reply(CallerId caller, std::span<const std::byte> datagram) noexcept {
  const auto lock = state_->lock();
  LoopVisit* visit = find(caller);
  if (visit == nullptr || !visit->agent_open) return false;
  if (datagram.empty() || datagram.size() > door_datagram_bytes_max) return false;
  return send_mail(*state_, visit->to_agent, datagram);
}

void LoopDoorListener::hang_up(CallerId caller) noexcept {
  const auto lock = state_->lock();
  if (LoopVisit* visit = find(caller)) visit->node_open = false;
}

LoopVisit* LoopDoorListener::find(CallerId caller) noexcept {
  for (const auto& visit : self_.visits) {
    if (visit->caller.id == caller && visit->node_open) return visit.get();
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<DoorListener> make_loop_listener(LoopStatePointer state) {
  return std::make_unique<LoopDoorListener>(std::move(state));
}

// Requires: the lock is held, and the door is open.
std::unique_ptr<DoorCall> make_loop_call(LoopStatePointer state) {
  auto visit = std::make_shared<LoopVisit>();
  visit->caller = Caller{++state->last_caller, ::getuid(), static_cast<std::uint32_t>(::getpid())};
  visit->deadline = state->clock.now() + greeting_timeout;
  LoopDoorState& door = *state->door;
  if (door.visits.size() < options.callers_max) {
    door.visits.push_back(visit);
  } else {
    visit->node_open = false;
    ++door.turned_away;
  }
  std::erase_if(state->visits, [](const auto& weak) { return weak.expired(); });
  state->visits.push_back(visit);
  return std::make_unique<LoopDoorCall>(std::move(state), std::move(visit));
}

}  // namespace abuzz::link::detail
