#include "bus/node.hpp"

#include <exception>
#include <new>
#include <utility>

#include "bus/node/node_threads.hpp"

namespace abuzz {

struct Node::State {
  std::unique_ptr<node::NodeThreads> threads;

  ~State() {
    // Leaked on purpose: what a forked child would close and unlink belongs to its parent.
    if (threads != nullptr && !threads->is_own_process()) static_cast<void>(threads.release());
  }
};

Node::Node(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Result<Node> Node::start(const Config& config, bool managed,
                         std::function<void(std::string_view line)> log) {
  try {
    if (Status valid = check_config(config); !valid.ok()) return valid.failure();
    Result<std::unique_ptr<node::NodeThreads>> threads =
        node::NodeThreads::start(config, managed, std::move(log));
    if (!threads.ok()) return threads.failure();
    auto state = std::make_unique<State>();
    state->threads = std::move(threads).value();
    return Result<Node>(Node(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error::out_of_memory;
  } catch (const std::exception& exception) {
    return Failure{Error::internal, exception.what()};
  }
}

StopReport Node::stop(std::chrono::nanoseconds patience) {
  if (state_ == nullptr || !state_->threads->is_own_process()) return {};
  const node::NodeThreads::Departure departure = state_->threads->stop(patience);
  return {departure.agents, departure.unsent};
}

void Node::drain() noexcept {
  if (state_ != nullptr) state_->threads->drain();
}
void Node::wait() {
  if (state_ != nullptr) state_->threads->wait();
}
void Node::request_stop() noexcept {
  if (state_ != nullptr) state_->threads->request_stop();
}

std::uint64_t Node::id() const noexcept {
  return state_ == nullptr ? 0 : state_->threads->identity().node_id;
}
std::uint32_t Node::epoch() const noexcept {
  return state_ == nullptr ? 0 : state_->threads->identity().node_epoch;
}
const std::string& Node::runtime_directory() const noexcept {
  static const std::string none;
  return state_ == nullptr ? none : state_->threads->runtime_directory();
}

}  // namespace abuzz
