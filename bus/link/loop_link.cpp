#include <algorithm>
#include <string>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/link/loop_state.hpp"

namespace abuzz::link::detail {

namespace {

constexpr int drops_per_call_max = 64;
constexpr Traits loop_traits{
    .same_process = true, .same_host = true, .part_bytes_max = loop_part_bytes_max};

// Requires: `target` is empty.
void move_frame(Frame& source, Frame& target) noexcept {
  for (std::size_t index = 0; index < source.part_count; ++index) {
    target.add(std::move(source.parts[index]));
  }
  source.part_count = 0;
}

bool is_too_large(const Frame& frame) noexcept {
  ABUZZ_CHECK(frame.part_count > 0 && frame.part_count <= frame_parts_max);
  for (std::size_t index = 0; index < frame.part_count; ++index) {
    if (frame.parts[index].bytes() > loop_part_bytes_max) return true;
  }
  return false;
}

SendStatus send_frame(LoopNetwork::State& state, Stream<Frame>& stream, Frame& frame) {
  if (stream.entries.count() >= loop_frames_max) return SendStatus::full;
  if (state.draw_loss()) {
    frame.clear();
  } else {
    move_frame(frame, stream.push(state.draw_due()));
  }
  return SendStatus::sent;
}

void receive_frame(Stream<Frame>& stream, Frame& frame) noexcept {
  move_frame(stream.entries.front().item, frame);
  stream.entries.pop();
}

class LoopLink final : public Link {
 public:
  LoopLink(LoopStatePointer state, std::shared_ptr<LoopLinkPipe> pipe)
      : state_(std::move(state)), pipe_(std::move(pipe)) {}
  // What was sent still arrives at the hub, as over a socket that is closed in order.
  ~LoopLink() override {
    const auto lock = state_->lock();
    pipe_->link_open = false;
    clear_frames(pipe_->to_link);
  }

  const Traits& traits() const noexcept override { return loop_traits; }
  SendStatus try_send(Frame& frame) noexcept override {
    const auto lock = state_->lock();
    if (is_too_large(frame)) return SendStatus::too_large;
    if (!pipe_->hub_open) return SendStatus::closed;
    return send_frame(*state_, pipe_->to_hub, frame);
  }
  ReceiveStatus try_receive(Frame& frame) noexcept override {
    frame.clear();
    const auto lock = state_->lock();
    if (pipe_->to_link.entries.empty()) {
      return pipe_->hub_open ? ReceiveStatus::empty : ReceiveStatus::closed;
    }
    if (!pipe_->to_link.is_due(state_->clock.now())) return ReceiveStatus::empty;
    receive_frame(pipe_->to_link, frame);
    return ReceiveStatus::received;
  }
  int wait_descriptor() const noexcept override { return -1; }
  bool has_input() noexcept override {
    const auto lock = state_->lock();
    return pipe_->to_link.is_due(state_->clock.now());
  }

 private:
  const LoopStatePointer state_;
  const std::shared_ptr<LoopLinkPipe> pipe_;
};

class LoopHub final : public Hub {
 public:
  // Requires of both: the lock is held (for the destructor: is not).
  LoopHub(LoopStatePointer state, std::string endpoint) : state_(std::move(state)) {
    self_.endpoint = std::move(endpoint);
    state_->hubs.push_back(&self_);
  }
  ~LoopHub() override {
    const auto lock = state_->lock();
    for (const auto& pipe : self_.pipes) {
      pipe->hub_open = false;
      clear_frames(pipe->to_hub);
    }
    std::erase(state_->hubs, &self_);
  }

  const Traits& traits() const noexcept override { return loop_traits; }
  const std::string& endpoint() const noexcept override { return self_.endpoint; }
  void admit(PeerId peer, const Secret& secret) override {
    const auto lock = state_->lock();
    peers_.admit(peer, secret);
  }
  void expel(PeerId peer) noexcept override {
    const auto lock = state_->lock();
    peers_.expel(peer);
  }
  SendStatus try_send(PeerId peer, Frame& frame) noexcept override;
  ReceiveStatus try_receive(PeerId& peer, Frame& frame) noexcept override;
  int wait_descriptor() const noexcept override { return -1; }
  bool has_input() noexcept override;
  const HubCounters& counters() const noexcept override { return counters_; }

 private:
  LoopLinkPipe* find_pipe(std::uint32_t connection) noexcept;
  LoopLinkPipe* next_ready(base::Nanos now) noexcept;
  static bool is_ready(const LoopLinkPipe& pipe, base::Nanos now) noexcept {
    return pipe.hub_open && (pipe.greeted ? pipe.to_hub.is_due(now) : pipe.greeting_due <= now);
  }

  const LoopStatePointer state_;
  LoopHubState self_;
  PeerTable peers_;
  std::size_t turn_ = 0;  // where the next search starts, so that everybody gets one
  HubCounters counters_;
};

SendStatus LoopHub::try_send(PeerId peer, Frame& frame) noexcept {
  const auto lock = state_->lock();
  if (is_too_large(frame)) return SendStatus::too_large;
  const PeerTable::Entry* entry = peers_.find_peer(peer);
  const bool is_attached = entry != nullptr && entry->attached;
  LoopLinkPipe* pipe = is_attached ? find_pipe(entry->connection) : nullptr;
  if (pipe == nullptr || !pipe->link_open) {
    ++counters_.unreachable;
    return SendStatus::closed;
  }
  const SendStatus status = send_frame(*state_, pipe->to_link, frame);
  if (status == SendStatus::full) ++counters_.full;
  return status;
}

ReceiveStatus LoopHub::try_receive(PeerId& peer, Frame& frame) noexcept {
  frame.clear();
  const auto lock = state_->lock();
  const base::Nanos now = state_->clock.now();
  for (int drops = 0; drops < drops_per_call_max; ++drops) {
    LoopLinkPipe* pipe = next_ready(now);
    if (pipe == nullptr) return ReceiveStatus::empty;
    if (!pipe->greeted) {
      pipe->greeted = true;
      const PeerTable::Entry* entry = peers_.present(pipe->connection, pipe->secret);
      if (entry != nullptr) {
        peer = entry->peer;
        return ReceiveStatus::attached;
      }
    } else {
      receive_frame(pipe->to_hub, frame);
      const PeerTable::Entry* entry = peers_.find(pipe->connection);
      if (entry != nullptr) {
        peer = entry->peer;
        return ReceiveStatus::received;
      }
      frame.clear();
    }
    ++counters_.strangers;
  }
  return ReceiveStatus::empty;
}

bool LoopHub::has_input() noexcept {
  const auto lock = state_->lock();
  const base::Nanos now = state_->clock.now();
  return std::any_of(self_.pipes.begin(), self_.pipes.end(),
                     [now](const auto& pipe) { return is_ready(*pipe, now); });
}

LoopLinkPipe* LoopHub::find_pipe(std::uint32_t connection) noexcept {
  const auto found = std::lower_bound(
      self_.pipes.begin(), self_.pipes.end(), connection,
      [](const auto& pipe, std::uint32_t number) { return pipe->connection < number; });
  const bool is_found = found != self_.pipes.end() && (*found)->connection == connection;
  return is_found ? found->get() : nullptr;
}

// Also forgets the pipes that have nothing more to say.
LoopLinkPipe* LoopHub::next_ready(base::Nanos now) noexcept {
  std::erase_if(self_.pipes, [](const auto& pipe) { return pipe->is_over_for_hub(); });
  const std::size_t count = self_.pipes.size();
  for (std::size_t step = 0; step < count; ++step) {
    turn_ = (turn_ + 1) % count;
    if (is_ready(*self_.pipes[turn_], now)) return self_.pipes[turn_].get();
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Hub> make_loop_hub(LoopStatePointer state, std::string endpoint) {
  return std::make_unique<LoopHub>(std::move(state), std::move(endpoint));
}

std::unique_ptr<Link> make_loop_link(LoopStatePointer state, std::string_view endpoint,
                                     const Secret& secret) {
  auto pipe = std::make_shared<LoopLinkPipe>();
  pipe->secret = secret;
  pipe->hub_open = false;
  for (LoopHubState* hub : state->hubs) {
    if (hub->endpoint != endpoint) continue;
    pipe->hub_open = true;
    pipe->connection = ++hub->last_connection;
    pipe->greeting_due = state->draw_due();
    hub->pipes.push_back(pipe);
  }
  std::erase_if(state->pipes, [](const auto& weak) { return weak.expired(); });
  state->pipes.push_back(pipe);
  return std::make_unique<LoopLink>(std::move(state), std::move(pipe));
}

}  // namespace abuzz::link::detail
