#include "bus/client/agent_core.hpp"

#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

// Stepping and waiting.

namespace abuzz::client {

namespace {

constexpr std::size_t deliveries_per_run = 16;
constexpr unsigned steps_of_others_max = 8;
// A waiting caller looks again at least this often, because the thread that would tell it may be
// inside a handler.
constexpr base::Nanos look_again_busy = 2 * base::millisecond;
constexpr base::Nanos look_again = 100 * base::millisecond;

}  // namespace

AgentCore::AgentCore(Parts parts)
    : parts_(std::move(parts)),
      random_(parts_.seed),
      intake_(parts_.config.agent.publications_max),
      session_({parts_.network, parts_.pool, parts_.config, parts_.stats, intake_, executor_,
                parts_.clock, random_, parts_.identity}),
      requests_(*this, random_.next()),
      answers_(*this) {}

// `looks`: what was sent may have consumed the link's wake-up for what arrived meanwhile, and the
// thread that would look for it sleeps.
std::size_t AgentCore::step_inside(bool looks) {
  const std::size_t done = session_.step();
  if (session_.has_noted_input() || (looks && session_.has_input())) combiner_.raise();
  return done;
}

// `wakes_for_workers`: the caller does not see to what came for the pool.
void AgentCore::step_now(bool wakes_for_workers) {
  if (is_forked()) return;
  bool has_deliveries = false;  // or a deadline: something for the agent's thread
  bool has_news = false;
  bool has_shared = false;  // something for workers
  // The agent's own thread looks before it sleeps.
  const bool looks = !executor_.is_inside();
  const auto step = [&] {
    // Held publishers wait for what the link brings; do not leave that to a thread that has to
    // wake.
    if (looks && session_.awaits_credit()) (void)session_.has_input();
    step_inside(looks);
    has_news = has_news || session_.news.hint() != news_told_;
    news_told_ = session_.news.hint();
    has_deliveries = has_deliveries || executor_.queue().pushed() != pushed_seen_;
    pushed_seen_ = executor_.queue().pushed();
    has_shared = has_shared || session_.shared_pushed() != shared_seen_;
    shared_seen_ = session_.shared_pushed();
    // The agent's thread sleeps until a deadline that it read earlier.
    const base::Nanos deadline = session_.next_deadline();
    has_deliveries = has_deliveries || (deadline >= 0 && deadline != deadline_seen_);
  };
  // What goes on without an end is the agent's thread's, and not whose who only publishes. That one
  // is rung, or, while it is in a handler, the keeper looks soon.
  bool is_left = false;
  for (unsigned rounds = 0; !is_left; ++rounds) {
    const bool was_inside = combiner_.run(step, steps_of_others_max);
    const bool has_replies = serve_requests(has_news);
    is_left =
        (was_inside && combiner_.is_raised()) || (has_replies && rounds >= steps_of_others_max);
    if (!has_replies) break;
  }
  has_deliveries = has_deliveries || is_left;
  if (is_left && executor_.is_busy()) note_long_handler();
  if (has_news) events_.notify_all();
  WorkPool* const pool = has_shared && wakes_for_workers ? work_pool() : nullptr;
  if (pool != nullptr && executor_.is_busy()) pool->knock();
  if (has_deliveries || pool != nullptr) doorbell_.ring();
}

std::size_t AgentCore::do_work(Readable& readable) {
  if (is_forked()) return 0;
  std::size_t done = 0;
  bool has_news = false;
  const auto step = [&] {
    // Much was handled since the link was last asked: something of a higher lane may have come.
    const bool looks = executor_.was_cut_short();
    if (std::exchange(readable.link, false) || looks) session_.note_link();
    if (std::exchange(readable.door, false)) session_.note_door();
    done += step_inside(false);
    has_news = has_news || session_.news.hint() != news_told_;
    news_told_ = session_.news.hint();
    pushed_seen_ = executor_.queue().pushed();
    shared_seen_ = session_.shared_pushed();
  };
  do {
    combiner_.run(step);
  } while (serve_requests(has_news));
  if (has_news) events_.notify_all();
  step_workers();
  const std::size_t handled = executor_.run(deliveries_per_run, work_pool());
  if (is_starved() || take_pool_miss()) maintain_pool();
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
  if (!combiner_.try_enter()) return parts_.clock.now() + inside_span;
  deadline = session_.next_deadline();
  deadline_seen_ = deadline;
  combiner_.leave();
  if (combiner_.is_raised()) return parts_.clock.now();
  const base::Nanos look = requests_.deadline();
  if (look >= 0) deadline = deadline < 0 ? look : std::min(deadline, look);
  if (const WorkPool* const pool = work_pool()) {
    const base::Nanos due = pool->deadline();
    pool_deadline_seen_.publish(due);
    if (due >= 0) deadline = deadline < 0 ? due : std::min(deadline, due);
  }
  return deadline;
}

AgentCore::Input AgentCore::look_for_input() {
  if (!combiner_.try_enter()) return Input::unknown;
  const bool found = session_.has_input();
  combiner_.leave();
  return found || combiner_.is_raised() ? Input::some : Input::none;
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

Failure AgentCore::failure_of(std::uint16_t number, const std::string& detail) {
  const ErrorInfo* info = find_error(number);
  return {info != nullptr ? info->error : Error::internal, detail};
}

}  // namespace abuzz::client
