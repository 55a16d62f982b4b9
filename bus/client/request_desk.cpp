#include "bus/client/request_desk.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/client/request_entry.hpp"
#include "bus/topic.hpp"

// Requests opened, asked about and given up. request_desk_work.cpp takes what comes for them.

namespace abuzz::client {

namespace {

// Publishers that nobody asks through are kept this long, and so many.
constexpr base::Nanos route_idle_max = 10 * base::second;
constexpr std::size_t routes_max = 64;

}  // namespace

RequestDesk::RequestDesk(AgentCore& agent, std::uint64_t seed) noexcept
    : agent_(agent), random_(seed) {}

RequestDesk::~RequestDesk() = default;

Status RequestDesk::listen() {
  const std::lock_guard setup(setup_);
  std::shared_ptr<SubscriptionCore> ended;
  {
    const std::lock_guard lock(mutex_);
    if (replies_ && replies_->state.read() > SubscriptionState::live) ended = std::move(replies_);
    if (replies_) return Done{};
  }
  if (ended) agent_.remove_subscription(*ended);
  agent_.open_request_mail();
  auto opened = agent_.open_reply_subscription();
  if (!opened.ok()) return opened.failure();
  const std::lock_guard lock(mutex_);
  replies_ = std::move(opened).value();
  is_open_.publish(true);
  return Done{};
}

bool RequestDesk::is_listening() {
  const std::lock_guard lock(mutex_);
  return replies_ && replies_->state.read() == SubscriptionState::live;
}

Result<std::shared_ptr<RequestDesk::Route>> RequestDesk::route_to(std::shared_ptr<AgentCore> self,
                                                                  std::string_view topic,
                                                                  Lane lane) {
  if (const TopicFault fault = check_topic(topic); fault != TopicFault::none)
    return Failure{Error::bad_topic, std::string(topic) + ": " + topic_fault_text(fault)};
  if (is_reserved(topic)) return Failure{Error::reserved_topic, std::string(topic)};
  const std::pair<std::string, Lane> key(std::string(request_prefix) + std::string(topic), lane);
  std::vector<std::shared_ptr<Route>> idle;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = routes_.find(key); found != routes_.end()) {
      found->second->used_at = agent_.clock().now();
      return found->second;
    }
    if (routes_.size() >= routes_max) idle = idle_routes(agent_.clock().now());
  }
  for (const auto& route : idle) route->publisher->release();
  auto opened = agent_.open_publisher(std::move(self), key.first, {.lane = lane});
  if (!opened.ok()) return opened.failure();
  auto route = std::make_shared<Route>();  // shared by all requests on the topic
  route->publisher = std::move(opened).value();
  route->publisher->set_kind(MessageKind::request);
  route->used_at = agent_.clock().now();
  std::shared_ptr<Route> other;
  {
    const std::lock_guard lock(mutex_);
    auto [place, is_new] = routes_.try_emplace(key, route);
    if (!is_new) other = place->second;
  }
  // Another thread was first.
  if (other) route->publisher->release();
  return other ? other : route;
}

// Takes routes that nobody uses off the table; their owner releases them outside the mutex.
std::vector<std::shared_ptr<RequestDesk::Route>> RequestDesk::idle_routes(base::Nanos now) {
  std::vector<std::shared_ptr<Route>> idle;
  const base::Nanos patience = routes_.size() >= routes_max ? 0 : route_idle_max;
  std::erase_if(routes_, [&](const auto& item) {
    const bool is_idle = item.second.use_count() == 1 && now - item.second->used_at >= patience;
    if (is_idle) idle.push_back(item.second);
    return is_idle;
  });
  return idle;
}

Result<std::uint64_t> RequestDesk::enter(const std::shared_ptr<Route>& route,
                                         const RequestOptions& options, std::uint64_t sequence) {
  const base::Nanos now = agent_.clock().now();
  const std::lock_guard lock(mutex_);
  // Those whose reply is here, and was not taken yet, need nothing more from anybody.
  const auto is_open = [](const auto& item) { return item.second.state.is_live(); };
  const auto open_count = [&] {
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), is_open));
  };
  if (live_ >= open_max && open_count() >= open_max)
    return Failure{Error::back_pressured, std::to_string(open_max) + " requests are open"};
  std::uint64_t correlation = 0;
  while (correlation == 0 || entries_.contains(correlation)) correlation = random_.next();
  const RequestState::Limits limits{options.idle_timeout.count(), options.hard_limit.count()};
  Entry& entry = entries_.try_emplace(correlation, limits, now).first->second;
  entry.correlation = correlation;
  entry.route = route;
  entry.sequence = sequence;
  ++live_;
  unanswered_.push_back(correlation);
  look_soon(entry.state.deadline());
  return correlation;
}

void RequestDesk::forget(std::uint64_t correlation) {
  const std::lock_guard lock(mutex_);
  if (entries_.erase(correlation) != 0) --live_;
}

Result<std::uint64_t> RequestDesk::try_open(const std::shared_ptr<Route>& route,
                                            std::span<const std::byte> payload,
                                            const RequestOptions& options) {
  if (agent_.is_closed()) return Error::closed;
  MessageOptions message;
  message.key = options.key;
  message.receipt = true;
  // Who has not begun by then will not be waited for.
  const auto patience = std::min(options.idle_timeout, options.hard_limit);
  message.time_to_live = std::min<std::chrono::milliseconds>(
      std::chrono::duration_cast<std::chrono::milliseconds>(patience) +
          std::chrono::milliseconds(1),
      std::chrono::hours(24 * 24));
  while (!route->sending.try_enter()) std::this_thread::yield();
  // Before it is published: its reply may come before that returns.
  Result<std::uint64_t> entered = enter(route, options, route->publisher->pushed() + 1);
  SendStatus status = SendStatus::back_pressured;
  if (entered.ok()) {
    message.correlation = entered.value();
    status = route->publisher->try_publish(payload, message);
  }
  route->sending.leave();
  if (!entered.ok()) return entered;
  if (status == SendStatus::queued) {
    agent_.step_now();
    return entered;
  }
  forget(entered.value());
  switch (status) {
    case SendStatus::too_large:
      return Error::too_large;
    case SendStatus::closed:
      return Error::closed;
    case SendStatus::queued:
    case SendStatus::back_pressured:
      break;
  }
  return Error::back_pressured;
}

Result<std::uint64_t> RequestDesk::open(const std::shared_ptr<AgentCore>& self,
                                        std::string_view topic, std::span<const std::byte> payload,
                                        const RequestOptions& options, base::Nanos deadline) {
  std::shared_ptr<Route> route;
  while (true) {
    const auto key = agent_.prepare_wait();
    Status listening = agent_.is_closed() ? Status(Error::closed) : listen();
    if (listening.ok() && !route) {
      auto found = route_to(self, topic, options.lane);
      if (found.ok())
        route = std::move(found).value();
      else
        listening = found.failure();
    }
    if (!listening.ok()) {
      agent_.cancel_wait();
      return listening.failure();
    }
    const StreamState state = route->publisher->news().state.read();
    Result<std::uint64_t> opened = Error::back_pressured;
    if (state == StreamState::refused) {
      opened = agent_.failure_of(route->publisher->news().error.read(), std::string(topic));
    } else if (is_listening()) {
      opened = try_open(route, payload, options);
    }
    if (opened.ok() || opened.error() != Error::back_pressured) {
      agent_.cancel_wait();
      return opened;
    }
    agent_.maintain_pool();
    if (!agent_.wait_for_news(key, deadline)) {
      return agent_.is_closed() ? Failure{Error::closed, {}}
                                : Failure{Error::timed_out, "no room for a request on " +
                                                                std::string(topic) + " came"};
    }
  }
}

bool RequestDesk::take(std::uint64_t correlation, Reply& reply) {
  const base::Nanos now = agent_.clock().now();
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(correlation);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  entry.state.step(now);
  look_soon(entry.state.deadline());
  if (!entry.waiting.empty()) {
    reply = std::move(entry.waiting.front());
    entry.waiting.pop_front();
    entry.kept_bytes -= reply.payload.size();
    kept_bytes_ -= reply.payload.size();
    if (reply.kind != ReplyKind::part) return true;
    ++entry.parts_taken;
    // Told early enough that who sends without a pause is not held.
    if (entry.state.is_live() && entry.parts_taken - entry.parts_told >= parts_max / 2) {
      entry.parts_told = entry.parts_taken;
      tell(entry, wire::RequestActKind::go_on, entry.responder);
      look_soon(now);
    }
    return true;
  }
  if (entry.state.is_live() || entry.end_given) return false;
  entry.end_given = true;
  reply = {ReplyKind::failed, {}, {entry.state.error(), entry.failure_text}};
  return true;
}

Reply RequestDesk::await(std::uint64_t correlation, base::Nanos patience) {
  Reply reply;
  if (agent_.is_forked()) return {ReplyKind::failed, {}, {Error::closed, {}}};
  const base::Nanos until = base::moment_after(agent_.clock().now(), patience);
  while (true) {
    const auto key = agent_.prepare_wait();
    const bool is_taken = take(correlation, reply);
    if (is_taken || is_over(correlation) || agent_.is_closed()) {
      agent_.cancel_wait();
      if (is_taken || !agent_.is_closed()) break;
      return {ReplyKind::failed, {}, {Error::closed, {}}};
    }
    const base::Nanos look = deadline();
    // The deadline of a request is a reason to look again, not to give up waiting.
    if (agent_.wait_for_news(key, look < 0 ? until : std::min(until, look))) continue;
    if (agent_.clock().now() >= until) break;
    agent_.step_now();
  }
  // What was taken may let its responder go on, and a time limit may have to be told.
  agent_.step_now();
  return reply;
}

bool RequestDesk::is_over(std::uint64_t correlation) {
  if (agent_.is_forked()) return true;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(correlation);
  return found == entries_.end() || (found->second.end_given && found->second.waiting.empty());
}

std::uint64_t RequestDesk::responder_of(std::uint64_t correlation) {
  if (agent_.is_forked()) return 0;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(correlation);
  return found == entries_.end() ? 0 : found->second.responder;
}

void RequestDesk::cancel(std::uint64_t correlation) {
  if (agent_.is_forked()) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(correlation);
    if (found == entries_.end() || !found->second.state.is_live()) return;
    found->second.state.cancel(agent_.clock().now());
    look_soon(found->second.state.deadline());
  }
  agent_.step_now();
}

void RequestDesk::drop(std::uint64_t correlation) {
  if (agent_.is_forked()) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(correlation);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    entry.state.cancel(agent_.clock().now());
    entry.is_dropped = true;
    kept_bytes_ -= entry.kept_bytes;
    entry.kept_bytes = 0;
    entry.waiting.clear();
    --live_;
    look_soon(0);
  }
  agent_.step_now();
}

void RequestDesk::look_soon(base::Nanos when) {
  if (when < 0) return;
  const base::Nanos known = look_at_.hint();
  if (known < 0 || when < known) look_at_.publish(when);
}

void RequestDesk::close() {
  std::map<std::pair<std::string, Lane>, std::shared_ptr<Route>> routes;
  const std::lock_guard lock(mutex_);
  is_open_.publish(false);
  std::swap(routes, routes_);
  for (auto& [correlation, entry] : entries_) {
    entry.state.take_failure(Error::closed);
    entry.route.reset();
  }
}

}  // namespace abuzz::client
