#include "bus/client/agent_threads.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bus/base/quiet_thread.hpp"

namespace abuzz::client {

namespace {

constexpr base::Nanos beat_interval = base::second;
// After this long everything is looked at again, so that a wake-up that a fault of ours or of the
// network library lost costs a moment, and nothing stands still for ever.
constexpr base::Nanos sleep_max = base::second;

// How often the keeper looks whether a handler takes long, where that is to be expected.
constexpr base::Nanos attentive_span = 2 * base::millisecond;

// Batches wait for less than the milliseconds of poll(2).
timespec to_sleep(base::Nanos span) noexcept {
  const base::Nanos bounded = std::clamp<base::Nanos>(span, 0, sleep_max);
  return {static_cast<time_t>(bounded / base::second), static_cast<long>(bounded % base::second)};
}

}  // namespace

struct AgentThreads::RunnerTask {
  AgentThreads* threads;
  std::shared_ptr<void> keep_alive;
};

AgentThreads::AgentThreads(AgentCore& core, std::function<void()> launch,
                           std::function<void()> tend)
    : core_(core),
      launch_(std::move(launch)),
      tend_(std::move(tend)),
      workers_(core),
      idle_(base::idle_budget(core.config().place.waiting,
                              static_cast<std::uint32_t>(place::read_affinity().size()))) {
  core_.set_worker_host(workers_);
}

AgentThreads::~AgentThreads() {
  stop();
  // The runner itself was the last to hold the agent: nobody is left to join it.
  if (has_runner_) pthread_detach(runner_);
}

bool AgentThreads::start(std::shared_ptr<void> keep_alive) {
  beat();
  core_.stats().process().set(ProcessCounter::waiting,
                              base::waiting_number(core_.config().place.waiting));
  workers_.bind(keep_alive);
  auto task = std::make_unique<RunnerTask>(RunnerTask{this, std::move(keep_alive)});
  has_runner_ = base::start_quiet_thread(runner_, run_thread, task.get(), "abz-agent");
  if (has_runner_) (void)task.release();
  has_keeper_ = has_runner_ && base::start_quiet_thread(keeper_, keep_thread, this, "abz-keeper");
  return has_keeper_;
}

bool AgentThreads::is_runner() const noexcept {
  return has_runner_ && pthread_equal(pthread_self(), runner_) != 0;
}

void AgentThreads::stop() {
  stopping_.publish_fenced(true);
  core_.doorbell().ring_always();
  core_.keeper_events().notify_all();
  if (has_keeper_) pthread_join(keeper_, nullptr);
  has_keeper_ = false;
  const bool is_handler = core_.is_inside_handler();
  workers_.stop(!is_handler);
  if (!has_runner_ || is_handler || is_runner()) return;
  pthread_join(runner_, nullptr);
  has_runner_ = false;
}

void* AgentThreads::run_thread(void* task) {
  const std::unique_ptr<RunnerTask> own(static_cast<RunnerTask*>(task));
  own->threads->run();
  return nullptr;
}

void* AgentThreads::keep_thread(void* self) {
  static_cast<AgentThreads*>(self)->keep();
  return nullptr;
}

void AgentThreads::run() {
  runner_id_.publish(::gettid());
  // A handler that forked returns in the child too: there this is the only thread.
  while (!stopping_.read() && !core_.is_forked()) {
    cycles_.publish(cycles_.hint() + 1);
    if (core_.do_work(readable_) > 0) continue;
    if (core_.session().wants_launch.read() && launch_) launch_();
    if (!look_around()) sleep();
  }
}

// Whether something came while the budget of this profile lasted.
bool AgentThreads::look_around() {
  const bool has_found = idle_.find(core_.clock(), [&] {
    return core_.look_for_input() == AgentCore::Input::some || core_.do_work(readable_) > 0;
  });
  if (idle_.spent() > 0)
    core_.stats().process().add_shared(ProcessCounter::waiting_ns,
                                       static_cast<std::uint64_t>(idle_.spent()));
  return has_found || stopping_.read();
}

// Sleeps until the link, the door or another thread has something, or a deadline comes.
void AgentThreads::sleep() {
  base::Doorbell& bell = core_.doorbell();
  bell.arm();
  // Looked at again after arming: what came before the arming rings nobody.
  const bool has_worked = core_.do_work(readable_) > 0;
  const AgentCore::Input input = core_.look_for_input();
  if (has_worked || input == AgentCore::Input::some || stopping_.read()) {
    bell.disarm(false);
    return;
  }
  const base::Nanos deadline = core_.next_deadline();
  base::Nanos span = deadline < 0 ? sleep_max : deadline - core_.clock().now();
  if (core_.is_starved()) span = std::min(span, base::millisecond);
  // What comes is seen to by who is inside, and would only keep this thread from sleeping.
  const bool sees_to_input = input != AgentCore::Input::unknown;
  if (!sees_to_input) span = std::min(span, AgentCore::inside_span);
  pollfd descriptors[3] = {
      {bell.fd(), POLLIN, 0},
      {sees_to_input ? core_.session().link_descriptor.read() : -1, POLLIN, 0},
      {sees_to_input ? core_.session().door_descriptor.read() : -1, POLLIN, 0}};
  const timespec sleep = to_sleep(span);
  const bool is_over = span > 0 && ::ppoll(descriptors, 3, &sleep, nullptr) == 0;
  bell.disarm(descriptors[0].revents != 0);
  readable_ = {is_over || descriptors[1].revents != 0, is_over || descriptors[2].revents != 0};
}

void AgentThreads::beat() {
  core_.stats().process().set(ProcessCounter::beat_ns,
                              static_cast<std::uint64_t>(core_.clock().now()));
}

void AgentThreads::keep() {
  std::uint64_t cycles_seen = 0;
  base::Nanos beat_at = 0;
  bool stands_in = false;
  while (!stopping_.read()) {
    const base::Nanos now = core_.clock().now();
    if (now >= beat_at) {
      beat();
      core_.maintain_pool();
      if (tend_) tend_();
      beat_at = now + beat_interval;
    }
    // A runner that did not come around since the last look is inside a long handler.
    const std::uint64_t cycles = cycles_.read();
    stands_in = core_.executor().is_busy() && cycles == cycles_seen;
    cycles_seen = cycles;
    if (stands_in) {
      pollfd descriptors[2] = {{core_.session().link_descriptor.read(), POLLIN, 0},
                               {core_.session().door_descriptor.read(), POLLIN, 0}};
      if (!core_.has_input()) ::poll(descriptors, 2, 2);
      if (descriptors[1].revents != 0) core_.note_door();
      core_.step_now();
      core_.step_workers();
      continue;
    }
    const base::EventCount::Key key = core_.keeper_events().prepare();
    if (stopping_.read()) {
      core_.keeper_events().cancel();
      break;
    }
    const bool is_attentive = now < core_.attentive_until();
    core_.keeper_events().wait(key, is_attentive
                                        ? attentive_span
                                        : std::max<base::Nanos>(beat_at - now, base::millisecond));
  }
}

}  // namespace abuzz::client
