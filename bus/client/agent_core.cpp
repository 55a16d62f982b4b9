#include "bus/client/agent_core.hpp"

#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "bus/topic.hpp"

namespace abuzz::client {

namespace {

constexpr std::size_t deliveries_per_run = 16;
// A waiting caller looks again at least this often, because the thread that would tell it may be
// inside a handler.
constexpr base::Nanos look_again_busy = 2 * base::millisecond;
constexpr base::Nanos look_again = 100 * base::millisecond;
// A node that has no room is asked so often, 10 ms apart at first and then doubling: some 200 ms.
constexpr std::uint32_t refusals_full_max = 5;

Failure failure_of(std::uint16_t number, const std::string& detail) {
  const ErrorInfo* info = find_error(number);
  return {info != nullptr ? info->error : Error::internal, detail};
}

}  // namespace

AgentCore::AgentCore(Parts parts)
    : parts_(std::move(parts)),
      random_(parts_.seed),
      intake_(parts_.config.agent.publications_max),
      session_({parts_.network, parts_.pool, parts_.config, parts_.stats, intake_, executor_,
                parts_.clock, random_, parts_.identity}) {}

// `looks`: what was sent may have consumed the link's wake-up for what arrived meanwhile, and the
// thread that would look for it sleeps.
std::size_t AgentCore::step_inside(bool looks) {
  const std::size_t done = session_.step();
  if (session_.has_noted_input() || (looks && session_.has_input())) combiner_.raise();
  return done;
}

void AgentCore::step_now() {
  if (is_forked()) return;
  bool has_deliveries = false;  // or a deadline: something for the agent's thread
  bool has_news = false;
  // The agent's own thread looks before it sleeps.
  const bool looks = !executor_.is_inside();
  combiner_.run([&] {
    // Held publishers wait for what the link brings; do not leave that to a thread that has to
    // wake.
    if (looks && session_.awaits_credit()) (void)session_.has_input();
    step_inside(looks);
    has_news = has_news || session_.news.hint() != news_told_;
    news_told_ = session_.news.hint();
    has_deliveries = has_deliveries || executor_.queue().pushed() != pushed_seen_;
    pushed_seen_ = executor_.queue().pushed();
    // The agent's thread sleeps until a deadline that it read earlier.
    const base::Nanos deadline = session_.next_deadline();
    has_deliveries = has_deliveries || (deadline >= 0 && deadline != deadline_seen_);
  });
  if (has_news) events_.notify_all();
  if (has_deliveries) doorbell_.ring();
}

std::size_t AgentCore::do_work(Readable& readable) {
  if (is_forked()) return 0;
  std::size_t done = 0;
  bool has_news = false;
  combiner_.run([&] {
    if (std::exchange(readable.link, false)) session_.note_link();
    if (std::exchange(readable.door, false)) session_.note_door();
    done += step_inside(false);
    has_news = has_news || session_.news.hint() != news_told_;
    news_told_ = session_.news.hint();
    pushed_seen_ = executor_.queue().pushed();
  });
  if (has_news) events_.notify_all();
  const std::size_t handled = executor_.run(deliveries_per_run);
  if (executor_.is_starved() || take_pool_miss()) maintain_pool();
  return done + handled;
}

std::size_t AgentCore::maintain_pool() {
  if (!maintenance_.try_enter()) return 0;
  const std::size_t changes = parts_.pool.maintain(parts_.clock.now());
  maintenance_.leave();
  return changes;
}

// A quarter of a class is kept for what is under way.
bool AgentCore::has_blocks_for_all(std::size_t block_bytes) const noexcept {
  const std::uint32_t count_max = parts_.pool.count_max_for(block_bytes);
  return publisher_count_.hint() <= count_max - count_max / 4;
}

base::Nanos AgentCore::next_deadline() {
  base::Nanos deadline = -1;
  if (!combiner_.try_enter()) return parts_.clock.now();
  deadline = session_.next_deadline();
  deadline_seen_ = deadline;
  combiner_.leave();
  if (combiner_.is_raised()) return parts_.clock.now();
  return deadline;
}

bool AgentCore::has_input() {
  if (!combiner_.try_enter()) return true;
  const bool found = session_.has_input();
  combiner_.leave();
  return found || combiner_.is_raised();
}

void AgentCore::inside(const std::function<void(Session&)>& act) {
  if (is_forked()) return;
  while (!combiner_.try_enter()) std::this_thread::yield();
  act(session_);
  combiner_.leave();
  step_now();
}

void AgentCore::note_door() {
  if (is_forked()) return;
  while (!combiner_.try_enter()) std::this_thread::yield();
  session_.note_door();
  combiner_.leave();
}

void AgentCore::note_pool_miss() noexcept {
  misses_.publish(misses_.hint() + 1);
}

bool AgentCore::take_pool_miss() noexcept {
  const std::uint32_t now = misses_.read();
  const bool found = now != misses_taken_;
  misses_taken_ = now;
  return found;
}

bool AgentCore::wait_for_news(Key key, base::Nanos deadline) {
  const base::Nanos now = parts_.clock.now();
  if (now >= deadline || is_closed()) {
    events_.cancel();
    return false;
  }
  const base::Nanos span =
      std::min(executor_.is_busy() ? look_again_busy : look_again, deadline - now);
  if (executor_.is_inside()) {
    // The agent's own thread is the one that waits: it polls for itself.
    events_.cancel();
    pollfd descriptors[2] = {{session_.link_descriptor.read(), POLLIN, 0},
                             {session_.door_descriptor.read(), POLLIN, 0}};
    if (!has_input()) ::poll(descriptors, 2, static_cast<int>(span / base::millisecond) + 1);
    if (descriptors[1].revents != 0) note_door();
    (void)has_input();
    step_now();
    return true;
  }
  if (!events_.wait(key, span)) step_now();
  return true;
}

Failure AgentCore::refusal() {
  Failure failure;
  inside([&](Session& session) {
    const std::uint16_t number = session.refusal.hint();
    if (number != 0) {
      failure = failure_of(number, session.refusal_text());
    } else if (session.state.hint() == SessionState::closed) {
      failure = {Error::closed, {}};
    } else {
      failure = {session.wants_launch.hint() ? Error::no_node : Error::handshake_timeout,
                 runtime_directory(parts_.config)};
    }
  });
  return failure;
}

Status AgentCore::wait_connected(base::Nanos deadline) {
  while (true) {
    const Key key = prepare_wait();
    const SessionState state = session_.state.read();
    const bool is_over =
        state == SessionState::closed || session_.refusals_full.read() >= refusals_full_max;
    if (state == SessionState::live || is_over) {
      cancel_wait();
      if (!is_over) return Done{};
      return refusal();
    }
    if (!wait_for_news(key, deadline)) return refusal();
  }
}

Result<std::shared_ptr<PublisherCore>> AgentCore::open_publisher(std::shared_ptr<AgentCore> self,
                                                                 std::string_view topic,
                                                                 Lane lane) {
  if (is_closed()) return Error::closed;
  if (const TopicFault fault = check_topic(topic); fault != TopicFault::none)
    return Failure{Error::bad_topic, std::string(topic) + ": " + topic_fault_text(fault)};
  if (is_reserved(topic)) return Failure{Error::reserved_topic, std::string(topic)};
  StagedIntake::Producer producer = intake_.producer();
  Stream* stream = nullptr;
  inside([&](Session& session) {
    if (session.stream_count() < parts_.config.agent.publications_max)
      stream = &session.add_stream(std::string(topic), lane);
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
                                                                std::string_view topic, Lane lane,
                                                                base::Nanos deadline) {
  auto opened = open_publisher(self, topic, lane);
  while (!opened.ok() && opened.error() == Error::publications_limit) {
    // A place that was given up is free when the node has accepted what was published from it.
    const Key key = prepare_wait();
    bool is_departing = false;
    inside([&](Session& session) { is_departing = session.has_departing_stream(); });
    opened = open_publisher(self, topic, lane);
    if (opened.ok() || !is_departing) {
      cancel_wait();
    } else if (wait_for_news(key, deadline)) {
      continue;
    }
    break;
  }
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

Result<SubscribeOptions> AgentCore::complete(const SubscribeOptions& options) const {
  const SubscriptionConfig& defaults = parts_.config.subscription;
  SubscribeOptions full = options;
  if (full.stall_limit.count() == 0) full.stall_limit = defaults.stall_limit;
  if (full.queue_messages == 0)
    full.queue_messages =
        full.policy == Policy::lossless ? defaults.queue_messages : defaults.drop_queue_messages;
  if (full.queue_bytes == 0) full.queue_bytes = defaults.queue_bytes;
  const std::uint64_t least = parts_.config.limits.payload_bytes_max + 64 * base::kib;
  if (full.policy > Policy::latest) return Failure{Error::bad_bound, "policy"};
  if (full.policy != Policy::latest && full.latest_messages != 0)
    return Failure{Error::bad_bound, "latest_messages is for the policy latest"};
  if (full.policy == Policy::latest &&
      (full.latest_messages == 0 || full.latest_messages > full.queue_messages))
    return Failure{Error::bad_bound,
                   "latest_messages must be 1 to " + std::to_string(full.queue_messages)};
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
    std::string_view pattern, Handler handler, const SubscribeOptions& options) {
  if (is_closed()) return Error::closed;
  if (const TopicFault fault = check_pattern(pattern); fault != TopicFault::none)
    return Failure{Error::bad_pattern, std::string(pattern) + ": " + topic_fault_text(fault)};
  if (is_reserved(pattern) && !is_about_agents(pattern))
    return Failure{Error::reserved_topic, std::string(pattern)};
  Result<SubscribeOptions> full = complete(options);
  if (!full.ok()) return full.failure();
  std::shared_ptr<SubscriptionCore> core;
  inside([&](Session& session) {
    if (session.subscription_count() >= parts_.config.agent.subscriptions_max) return;
    const std::uint64_t ids[] = {session.agent_id.hint(), session.subscription_count() + 1};
    StatsRow* row = parts_.stats.add_row(RowKind::subscription, ids, pattern);
    if (row == nullptr) return;
    // Shared: the public handle and the session both hold it.
    core =
        std::make_shared<SubscriptionCore>(std::string(pattern), full.value(), std::move(handler),
                                           parts_.clock, parts_.pool, wire::VerifyLimits{}, row);
    session.add_subscription(core);
  });
  if (!core)
    return Failure{
        Error::subscriptions_limit,
        "agent.subscriptions_max is " + std::to_string(parts_.config.agent.subscriptions_max)};
  return core;
}

Result<std::shared_ptr<SubscriptionCore>> AgentCore::add_subscription(
    std::string_view pattern, Handler handler, const SubscribeOptions& options,
    base::Nanos deadline) {
  auto opened = open_subscription(pattern, handler, options);
  while (!opened.ok() && opened.error() == Error::subscriptions_limit) {
    // A place that was given up is free when the node has said so.
    const Key key = prepare_wait();
    bool is_departing = false;
    inside([&](Session& session) { is_departing = session.has_departing_subscription(); });
    opened = open_subscription(pattern, handler, options);
    if (opened.ok() || !is_departing) {
      cancel_wait();
    } else if (wait_for_news(key, deadline)) {
      continue;
    }
    break;
  }
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
  // Nobody else consumes it now: it is polled by the caller, or its handler is the caller.
  const bool is_handler = executor_.is_inside() && executor_.running() == &subscription;
  if (subscription.queue || is_handler) subscription.note_handled();
  if (!is_closed() || session_.state.read() != SessionState::closed)
    inside([&](Session& session) { session.remove_subscription(subscription); });
}

void AgentCore::release_stream(Stream& stream, StagedIntake::Producer producer) {
  inside([&](Session& session) {
    session.close_stream(stream, std::move(producer));
    publisher_count_.publish(static_cast<std::uint32_t>(session.stream_count()));
  });
}

std::size_t AgentCore::poll(SubscriptionCore& subscription, const Handler& handler, std::size_t max,
                            base::Nanos patience) {
  if (!subscription.queue || is_closed()) return 0;
  const base::Nanos deadline = base::moment_after(parts_.clock.now(), patience);
  std::size_t handled = 0;
  while (true) {
    const Key key = prepare_wait();
    while (handled < max && !subscription.is_closing.hint() && !is_closed()) {
      if (!subscription.has_messages()) {
        Delivery& next = subscription.held;
        if (next.subscription == nullptr && subscription.queue->pop(&next, 1) == 0) break;
        if (!subscription.begin(next)) {
          maintain_pool();
          break;
        }
        next = {};
      }
      handled += subscription.handle_some(handler, max - handled);
    }
    if (handled > 0 || patience <= 0 || subscription.state.hint() > SubscriptionState::live) {
      cancel_wait();
      // Credit goes back with the next step of the agent's thread; a large share goes at once.
      if (handled > 0) step_now();
      return handled;
    }
    if (!wait_for_news(key, deadline)) return 0;
  }
}

FlushReport AgentCore::flush(base::Nanos patience) {
  const base::Nanos deadline = base::moment_after(parts_.clock.now(), patience);
  const auto collect = [&](bool ask) {
    FlushReport sum;
    std::uint64_t pushed = 0;
    inside([&](Session& session) {
      session.for_each_stream([&](Stream& stream) {
        const std::uint64_t count =
            stream.row != nullptr ? stream.row->get(PublicationCounter::pushed) : stream.last_seq;
        if (ask) stream.news->flush_to.publish_fenced(count);
        pushed += count;
        sum.delivered += stream.news->delivered.hint();
        sum.no_subscriber += stream.news->no_subscriber.hint();
        sum.dropped += stream.news->dropped.hint();
        sum.unknown += stream.news->unknown.hint();
      });
    });
    const std::uint64_t known = sum.delivered + sum.no_subscriber + sum.dropped + sum.unknown;
    sum.pending = pushed > known ? pushed - known : 0;
    return sum;
  };
  FlushReport now = collect(true);
  while (now.pending > 0) {
    const Key key = prepare_wait();
    now = collect(false);
    if (now.pending == 0 || is_closed()) {
      cancel_wait();
      break;
    }
    if (!wait_for_news(key, deadline)) break;
  }
  return now;
}

std::uint64_t AgentCore::leave(base::Nanos deadline) {
  inside([&](Session& session) { session.leave(deadline); });
  while (session_.state.read() != SessionState::closed) {
    // Its threads may have ended before: it still is not stalled.
    parts_.stats.process().set(ProcessCounter::beat_ns,
                               static_cast<std::uint64_t>(parts_.clock.now()));
    const Key key = events_.prepare();
    // Read once: a span that has become negative since would be a wait without an end.
    const base::Nanos now = parts_.clock.now();
    if (session_.state.read() == SessionState::closed || now >= deadline) {
      events_.cancel();
      break;
    }
    events_.wait(key, std::min(look_again_busy, deadline - now));
    inside([](Session& session) {
      session.note_link();
      session.note_door();
    });
  }
  std::uint64_t unsent = 0;
  inside([&](Session& session) { unsent = session.unaccepted_messages(); });
  return unsent;
}

std::uint64_t AgentCore::unhandled_messages() {
  std::uint64_t unhandled = 0;
  inside([&](Session& session) { unhandled = session.unhandled_messages(); });
  return unhandled;
}

void AgentCore::abandon() {
  inside([](Session& session) { session.abandon(); });
  events_.notify_all();
}

}  // namespace abuzz::client
