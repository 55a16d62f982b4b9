#include <algorithm>
#include <utility>

#include "bus/client/agent_core.hpp"

// What callers wait for: a session, messages, outcomes, the end.

namespace abuzz::client {

namespace {

// While an agent leaves, nobody else may look at its link.
constexpr base::Nanos look_interval = 2 * base::millisecond;
// A node that has no room is asked so often, 10 ms apart at first and then doubling: some 200 ms.
constexpr std::uint32_t refusals_full_max = 5;

}  // namespace

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

std::size_t AgentCore::poll(SubscriptionCore& subscription, const Handler& handler, std::size_t max,
                            base::Nanos patience) {
  if (subscription.is_shared() || !subscription.queue || !handler || is_closed()) return 0;
  const base::Nanos deadline = base::moment_after(parts_.clock.now(), patience);
  std::size_t handled = 0;
  while (true) {
    const Key key = prepare_wait();
    while (handled < max && !subscription.is_closing.hint() && !is_closed()) {
      if (!subscription.has_messages()) {
        Delivery* const next = subscription.queue->next(parts_.clock);
        if (next == nullptr) break;
        const std::size_t bytes = next->slice.bytes();
        if (!subscription.begin(*next)) {
          maintain_pool();
          break;
        }
        (void)subscription.queue->take(bytes);
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
        if (ask) session.ask_outcomes(stream, count);
        pushed += count;
        sum.delivered += stream.news->delivered.hint();
        sum.no_subscriber += stream.news->no_subscriber.hint();
        sum.dropped += stream.news->dropped.hint();
        sum.unknown += stream.news->unknown.hint();
        for (std::size_t reason = 0; reason < drop_reason_count; ++reason)
          sum.dropped_by[reason] += stream.news->dropped_by[reason].hint();
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
    events_.wait(key, std::min(look_interval, deadline - now));
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
