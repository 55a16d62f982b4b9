#include "bus/agent.hpp"

#include <algorithm>

#include "bus/client/agent_host.hpp"
#include "bus/client/subscription_handle.hpp"
#include "bus/topic.hpp"

namespace abuzz {

namespace {

// The name of an agent that was moved from.
const std::string nothing;

}  // namespace

struct Agent::State {
  std::shared_ptr<client::AgentHost> host;  // shared with publishers and subscriptions
  std::string name;

  base::Nanos deadline() const {
    const auto timeout = host->core().config().agent.connect_timeout;
    return host->core().clock().now() + std::chrono::nanoseconds(timeout).count();
  }
  Result<std::unique_ptr<client::SubscriptionHandle>> subscribe(
      std::string_view pattern, const client::Handlers& handlers,
      const SubscribeOptions& options) const {
    auto added =
        host->core().add_subscription(pattern, handlers, options, deadline(), {.leases = core()});
    if (!added.ok()) return added.failure();
    return std::make_unique<client::SubscriptionHandle>(core(), std::move(added).value());
  }
  Result<Subscription> open(std::string_view pattern, const client::Handlers& handlers,
                            const SubscribeOptions& options) const {
    if (is_about_requests(pattern)) return Failure{Error::reserved_topic, std::string(pattern)};
    auto handle = subscribe(pattern, handlers, options);
    if (!handle.ok()) return handle.failure();
    return Subscription(std::move(handle).value());
  }
  // The core as a handle that keeps the whole host alive.
  std::shared_ptr<client::AgentCore> core() const { return {host, &host->core()}; }
};

Agent::Agent(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Agent::Agent(Agent&&) noexcept = default;

Agent& Agent::operator=(Agent&& other) noexcept {
  if (this != &other) {
    Agent ended(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

Agent::~Agent() {
  if (state_) close(state_->host->core().config().agent.linger);
}

Result<Agent> Agent::connect(AgentOptions options) {
  Result<Config> config = config_from_environment();
  if (!config.ok()) return config.failure();
  return connect(std::move(options), config.value());
}

Result<Agent> Agent::connect(AgentOptions options, const Config& config) {
  if (Status valid = check_config(config); !valid.ok()) return valid.failure();
  auto host = client::AgentHost::open(std::move(options), config);
  if (!host.ok()) return host.failure();
  auto state = std::make_unique<State>();
  state->host = std::move(host).value();
  state->name = state->host->name();
  return Agent(std::move(state));
}

Result<Publisher> Agent::publisher(std::string_view topic, const PublisherOptions& options) {
  if (options.lane == Lane::control || options.lane > Lane::bulk)
    return Failure{Error::bad_flag_value, "the lanes of publishers are high, normal and bulk"};
  if (!state_) return Error::closed;
  if (is_about_requests(topic)) return Failure{Error::reserved_topic, std::string(topic)};
  auto core =
      state_->host->core().add_publisher(state_->core(), topic, options, state_->deadline());
  if (!core.ok()) return core.failure();
  return Publisher(std::move(core).value());
}

Result<Subscription> Agent::subscribe(std::string_view pattern, Handler handler,
                                      const SubscribeOptions& options) {
  if (!state_) return Error::closed;
  return state_->open(pattern, std::move(handler), options);
}

Result<Subscription> Agent::subscribe(std::string_view pattern, BatchHandler handler,
                                      const SubscribeOptions& options) {
  if (!state_) return Error::closed;
  return state_->open(pattern, std::move(handler), options);
}

Result<Subscription> Agent::subscribe(std::string_view pattern, const SubscribeOptions& options) {
  return subscribe(pattern, Handler{}, options);
}

Result<PendingRequest> Agent::request(std::string_view topic, std::span<const std::byte> payload,
                                      const RequestOptions& options) {
  if (!state_ || state_->host->core().is_closed()) return Error::closed;
  if (options.lane == Lane::control || options.lane > Lane::bulk)
    return Failure{Error::bad_flag_value, "the lanes of requests are high, normal and bulk"};
  if (options.idle_timeout.count() <= 0 || options.hard_limit.count() <= 0)
    return Failure{Error::bad_flag_value, "idle_timeout and hard_limit are more than 0"};
  client::AgentCore& core = state_->host->core();
  const auto patience = std::min(options.idle_timeout, options.hard_limit);
  auto opened = core.requests().open(state_->core(), topic, payload, options,
                                     base::moment_after(core.clock().now(), patience.count()));
  if (!opened.ok()) return opened.failure();
  return PendingRequest(state_->core(), opened.value());
}

Result<PendingRequest> Agent::request(std::string_view topic, std::string_view payload,
                                      const RequestOptions& options) {
  return request(topic, std::as_bytes(std::span(payload.data(), payload.size())), options);
}

Result<Responder> Agent::reply(std::string_view pattern, RequestHandler handler) {
  if (!state_) return Error::closed;
  if (const TopicFault fault = check_pattern(pattern); fault != TopicFault::none)
    return Failure{Error::bad_pattern, std::string(pattern) + ": " + topic_fault_text(fault)};
  if (is_reserved(pattern)) return Failure{Error::reserved_topic, std::string(pattern)};
  state_->host->core().open_answers();
  // Weak: the agent keeps the subscription, and so its handler.
  const std::weak_ptr<client::AgentCore> weak = state_->core();
  const Handler take = [weak, handler = std::move(handler)](const MessageView& message) {
    const std::shared_ptr<client::AgentCore> self = weak.lock();
    if (!self) return;
    auto answer = self->answers().begin(self, message);
    if (!answer) return;
    self->note_long_handler();
    handler(Request(self, std::move(answer)));
  };
  const std::string topics = std::string(request_prefix) + std::string(pattern);
  auto subscription = state_->subscribe(topics, {take}, client::AnswerDesk::subscription());
  if (!subscription.ok()) return subscription.failure();
  return Responder(Subscription(std::move(subscription).value()));
}

Result<RetainedMessage> Agent::get(std::string_view topic, std::chrono::nanoseconds patience,
                                   std::uint64_t key) {
  if (!state_) return Error::closed;
  client::AgentCore& core = state_->host->core();
  return core.get(topic, key, base::moment_after(core.clock().now(), patience.count()));
}

FlushReport Agent::flush(std::chrono::nanoseconds patience) {
  return state_ ? state_->host->core().flush(patience.count()) : FlushReport{};
}

CloseReport Agent::close(std::chrono::nanoseconds patience) {
  if (!state_) return {};
  const CloseReport report = state_->host->close(patience.count());
  stop();
  return report;
}

void Agent::wait() {
  if (!state_) return;
  client::AgentHost& host = *state_->host;
  while (!host.core().is_forked()) {
    const base::EventCount::Key key = host.stopped.prepare();
    if (host.is_stopped.read_fenced()) {
      host.stopped.cancel();
      return;
    }
    host.stopped.wait(key, -1);
  }
}

void Agent::stop() noexcept {
  if (!state_) return;
  state_->host->is_stopped.publish_fenced(true);
  state_->host->stopped.notify_all();
}

const std::string& Agent::name() const noexcept {
  return state_ ? state_->name : nothing;
}
std::uint64_t Agent::id() const noexcept {
  return state_ ? state_->host->core().session().agent_id.read() : 0;
}

bool Agent::is_connected() const noexcept {
  if (!state_) return false;
  const client::AgentCore& core = state_->host->core();
  return !core.is_forked() && core.session().state.read() == client::SessionState::live;
}

std::uint32_t Agent::node_epoch() const noexcept {
  return state_ ? state_->host->core().session().node_epoch.read() : 0;
}

std::string Agent::link() const {
  return state_ ? "zmq ipc" : "";
}

}  // namespace abuzz
