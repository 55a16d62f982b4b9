#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/topic.hpp"

// Publishers and subscriptions: made, confirmed by the node, given up.

namespace abuzz::client {

// Opens; where no place is left but one is being given up, waits for that one.
template <class Open>
auto AgentCore::open_in_place(Open&& open, Error limit,
                              bool (Session::*is_departing)() const noexcept,
                              base::Nanos deadline) {
  auto opened = open();
  while (!opened.ok() && opened.error() == limit) {
    const Key key = prepare_wait();
    bool departs = false;
    inside([&](Session& session) { departs = (session.*is_departing)(); });
    opened = open();
    if (opened.ok() || !departs) {
      cancel_wait();
    } else if (wait_for_news(key, deadline)) {
      continue;
    }
    break;
  }
  return opened;
}

Result<std::shared_ptr<PublisherCore>> AgentCore::open_publisher(std::shared_ptr<AgentCore> self,
                                                                 std::string_view topic,
                                                                 const PublisherOptions& options) {
  if (is_closed()) return Error::closed;
  if (const TopicFault fault = check_topic(topic); fault != TopicFault::none)
    return Failure{Error::bad_topic, std::string(topic) + ": " + topic_fault_text(fault)};
  if (is_reserved(topic) && !is_about_requests(topic))
    return Failure{Error::reserved_topic, std::string(topic)};
  if (options.retain_messages > delivery::RetainedStore::messages_max)
    return Failure{Error::bad_bound, "retain_messages must be at most " +
                                         std::to_string(delivery::RetainedStore::messages_max)};
  return make_publisher(std::move(self), topic, options);
}

Result<std::shared_ptr<PublisherCore>> AgentCore::make_publisher(std::shared_ptr<AgentCore> self,
                                                                 std::string_view topic,
                                                                 const PublisherOptions& options) {
  if (is_closed()) return Error::closed;
  StagedIntake::Producer producer = intake_.producer();
  Stream* stream = nullptr;
  inside([&](Session& session) {
    if (session.stream_count() < parts_.config.agent.publications_max)
      stream = &session.add_stream(std::string(topic), options);
    publisher_count_.publish(static_cast<std::uint32_t>(session.stream_count()));
  });
  if (stream == nullptr)
    return Failure{
        Error::publications_limit,
        "agent.publications_max is " + std::to_string(parts_.config.agent.publications_max)};
  const std::shared_ptr<StreamNews> news = stream->news;
  // Shared: the public handle and this call both hold it.
  return std::make_shared<PublisherCore>(std::move(self), *stream, news, std::move(producer),
                                         parts_.config.limits.payload_bytes_max);
}

Result<std::shared_ptr<PublisherCore>> AgentCore::add_publisher(std::shared_ptr<AgentCore> self,
                                                                std::string_view topic,
                                                                const PublisherOptions& options,
                                                                base::Nanos deadline) {
  // A place that was given up is free when the node has accepted what was published from it.
  auto opened = open_in_place([&] { return open_publisher(self, topic, options); },
                              Error::publications_limit, &Session::has_departing_stream, deadline);
  if (!opened.ok()) return opened;
  const std::shared_ptr<PublisherCore>& core = opened.value();
  const StreamNews* news = &core->news();
  while (true) {
    const Key key = prepare_wait();
    const StreamState state = news->state.read();
    if (state == StreamState::open) {
      cancel_wait();
      return opened;
    }
    const bool is_refused = state == StreamState::refused;
    if (is_refused) cancel_wait();
    if (is_refused || !wait_for_news(key, deadline)) {
      core->release();
      if (is_refused) return failure_of(news->error.read(), std::string(topic));
      return is_closed()
                 ? Failure{Error::closed, {}}
                 : Failure{Error::timed_out, "no answer to publisher " + std::string(topic)};
    }
  }
}

Status AgentCore::complete_group(std::string_view pattern, SubscribeOptions& options) const {
  const SubscriptionConfig& defaults = parts_.config.subscription;
  const bool is_manual = options.ack == AckMode::manual;
  if (options.group.empty()) {
    if (is_manual) return Failure{Error::bad_bound, "manual acknowledgement is for groups"};
    if (options.ack_timeout.count() != 0)
      return Failure{Error::bad_bound, "ack_timeout is for groups"};
    return Done{};
  }
  // That of requests begins with a '$': nobody else's does.
  const bool is_of_responders = options.group == AnswerDesk::group && is_about_requests(pattern);
  if (!is_of_responders && check_agent_name(options.group) != TopicFault::none)
    return Failure{Error::bad_agent_name, "the group " + options.group};
  if (options.policy == Policy::latest)
    return Failure{Error::bad_bound, "the policy latest is not for groups"};
  if (options.ack_timeout.count() == 0) options.ack_timeout = defaults.ack_timeout;
  if (options.attempts_max == 0) options.attempts_max = defaults.attempts_max;
  if (options.ack_timeout.count() < 100 || options.ack_timeout > std::chrono::hours(1))
    return Failure{Error::bad_bound, "ack_timeout must be 100ms to 1h"};
  if (options.attempts_max > 1000)
    return Failure{Error::bad_bound, "attempts_max must be 1 to 1000"};
  return Done{};
}

Result<SubscribeOptions> AgentCore::complete(std::string_view pattern,
                                             const SubscribeOptions& options) const {
  const SubscriptionConfig& defaults = parts_.config.subscription;
  SubscribeOptions full = options;
  if (full.stall_limit.count() == 0) full.stall_limit = defaults.stall_limit;
  if (full.queue_messages == 0)
    full.queue_messages = full.policy == Policy::lossless
                              ? defaults.queue_messages
                              : std::max(defaults.drop_queue_messages, full.latest_messages);
  if (full.queue_bytes == 0) full.queue_bytes = defaults.queue_bytes;
  if (Status fine = complete_group(pattern, full); !fine.ok()) return fine.failure();
  const std::uint64_t least = parts_.config.limits.payload_bytes_max + 64 * base::kib;
  if (full.policy > Policy::latest) return Failure{Error::bad_bound, "policy"};
  if (full.policy != Policy::latest && full.latest_messages != 0)
    return Failure{Error::bad_bound, "latest_messages is for the policy latest"};
  if (full.policy == Policy::latest &&
      (full.latest_messages == 0 || full.latest_messages > full.queue_messages))
    return Failure{Error::bad_bound,
                   "latest_messages must be 1 to " + std::to_string(full.queue_messages)};
  if (full.concurrency == 0 || full.concurrency > 256)
    return Failure{Error::bad_bound, "concurrency must be 1 to 256"};
  if (full.batch_max == 0 || full.batch_max > 4096)
    return Failure{Error::bad_bound, "batch_max must be 1 to 4096"};
  if (full.batch_wait.count() < 0 || full.batch_wait > std::chrono::seconds(1))
    return Failure{Error::bad_bound, "batch_wait must be 0 to 1s"};
  if (full.stall_limit.count() < 100 || full.stall_limit > std::chrono::hours(1))
    return Failure{Error::bad_bound, "stall_limit must be 100ms to 1h"};
  if (full.queue_messages > (1u << 20))
    return Failure{Error::bad_bound, "queue_messages must be 1 to 1048576"};
  if (full.queue_bytes < least || full.queue_bytes > (1ull << 30))
    return Failure{Error::bad_bound,
                   "queue_bytes must be " + std::to_string(least) + " to 1073741824"};
  return full;
}

Result<std::shared_ptr<SubscriptionCore>> AgentCore::open_subscription(
    std::string_view pattern, Handlers handlers, const SubscribeOptions& options,
    const SubscriptionUse& use) {
  if (is_closed()) return Error::closed;
  if (const TopicFault fault = check_pattern(pattern); fault != TopicFault::none)
    return Failure{Error::bad_pattern, std::string(pattern) + ": " + topic_fault_text(fault)};
  if (is_reserved(pattern) && !is_told_by_nodes(pattern) && !is_about_requests(pattern))
    return Failure{Error::reserved_topic, std::string(pattern)};
  Result<SubscribeOptions> full = complete(pattern, options);
  if (!full.ok()) return full.failure();
  const std::shared_ptr<SubscriptionCore> core =
      make_subscription(pattern, std::move(handlers), full.value(), use);
  if (!core)
    return Failure{
        Error::subscriptions_limit,
        "agent.subscriptions_max is " + std::to_string(parts_.config.agent.subscriptions_max)};
  if (core->is_shared() && !open_desk(core)) {
    remove_subscription(*core);
    return Failure{Error::system, "no thread for the handlers of " + core->pattern};
  }
  return core;
}

// nullptr where there is no place for it.
std::shared_ptr<SubscriptionCore> AgentCore::make_subscription(std::string_view pattern,
                                                               Handlers handlers,
                                                               const SubscribeOptions& full,
                                                               const SubscriptionUse& use) {
  std::shared_ptr<SubscriptionCore> core;
  inside([&](Session& session) {
    if (session.subscription_count() >= parts_.config.agent.subscriptions_max) return;
    const std::uint64_t ids[] = {session.agent_id.hint(), session.subscription_count() + 1};
    StatsRow* row = parts_.stats.add_row(RowKind::subscription, ids, pattern);
    if (row == nullptr) return;
    // Shared: the public handle and the session both hold it.
    core = std::make_shared<SubscriptionCore>(std::string(pattern), full, std::move(handlers),
                                              parts_.clock, parts_.pool, wire::VerifyLimits{}, row);
    core->is_for_desk = use.is_for_desk;
    core->asks_last_value = use.asked_key.has_value();
    core->asked_key = use.asked_key.value_or(0);
    // Shared with the leases, which may outlive it.
    if (core->options.ack == AckMode::manual)
      core->lease_desk = std::make_shared<LeaseDesk>(
          *this, use.leases, core, std::chrono::nanoseconds(core->options.ack_timeout).count(),
          core->is_shared());
    session.add_subscription(core);
  });
  return core;
}

Result<std::shared_ptr<SubscriptionCore>> AgentCore::add_subscription(
    std::string_view pattern, const Handlers& handlers, const SubscribeOptions& options,
    base::Nanos deadline, const SubscriptionUse& use) {
  // A place that was given up is free when the node has said so.
  auto opened =
      open_in_place([&] { return open_subscription(pattern, handlers, options, use); },
                    Error::subscriptions_limit, &Session::has_departing_subscription, deadline);
  if (!opened.ok()) return opened;
  const std::shared_ptr<SubscriptionCore>& core = opened.value();
  while (true) {
    const Key key = prepare_wait();
    const SubscriptionState state = core->state.read();
    if (state == SubscriptionState::live) {
      cancel_wait();
      return opened;
    }
    const bool is_refused = state != SubscriptionState::joining;
    if (is_refused) cancel_wait();
    if (is_refused || !wait_for_news(key, deadline)) {
      remove_subscription(*core);
      if (is_refused) return failure_of(core->error.read(), std::string(pattern));
      return is_closed() ? Failure{Error::closed, {}}
                         : Failure{Error::timed_out, "no answer to subscribe " + core->pattern};
    }
  }
}

void AgentCore::remove_subscription(SubscriptionCore& subscription) {
  if (is_forked()) return;
  subscription.is_closing.publish_fenced(true);
  // A handler of it that runs on another thread is waited for, so that what it handled is told
  // before the end is.
  while (executor_.running() == &subscription && !executor_.is_inside()) std::this_thread::yield();
  if (WorkPool* const pool = subscription.is_shared() ? work_pool() : nullptr)
    pool->end(subscription);
  // Nobody else consumes it now: it is polled by the caller, or its handler is the caller.
  const bool is_handler = executor_.is_inside() && executor_.running() == &subscription;
  if (subscription.is_polled() || (is_handler && !subscription.is_shared()))
    subscription.note_handled();
  if (!is_closed() || session_.state.read() != SessionState::closed)
    inside([&](Session& session) {
      session.remove_subscription(subscription);
      if (!subscription.queue) return;
      subscription.queue->clear();
      subscription.return_verdicts();
    });
}

void AgentCore::release_stream(Stream& stream, StagedIntake::Producer producer) {
  inside([&](Session& session) {
    session.close_stream(stream, std::move(producer));
    publisher_count_.publish(static_cast<std::uint32_t>(session.stream_count()));
  });
}

}  // namespace abuzz::client
