#include "bus/node/node_threads.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bus/base/quiet_thread.hpp"
#include "bus/base/units.hpp"
#include "bus/link/unix_door.hpp"
#include "bus/mem/budget.hpp"
#include "bus/node/descriptors.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::node {
namespace {

// While the shard has work without a break it looks at the pool, and shows its time, this often.
constexpr base::Nanos busy_interval = 10 * base::millisecond;

// Waits until one of two descriptors is readable or the time has come; negative: no such time.
void sleep_on(int left, int right, base::Nanos now, base::Nanos deadline) noexcept {
  pollfd descriptors[2] = {{left, POLLIN, 0}, {right, POLLIN, 0}};
  timespec span{};
  if (deadline >= 0) {
    const base::Nanos left_ns = std::max<base::Nanos>(deadline - now, 0);
    span.tv_sec = static_cast<time_t>(left_ns / base::second);
    span.tv_nsec = static_cast<long>(left_ns % base::second);
  }
  ppoll(descriptors, 2, deadline >= 0 ? &span : nullptr, nullptr);
}

}  // namespace

NodeThreads::NodeThreads(const Config& config, RuntimeDirectory&& directory)
    : config_(config), directory_(std::move(directory)), host_(directory_.paths()) {}

Result<std::unique_ptr<NodeThreads>> NodeThreads::start(const Config& config, bool managed,
                                                        LogSink log) {
  raise_descriptor_limit();
  const std::size_t left = count_descriptors_left();
  if (left < descriptors_for_start) {
    return Failure{Error::descriptors, "a node needs " + std::to_string(descriptors_for_start) +
                                           ", " + std::to_string(left) + " are left"};
  }
  Result<RuntimeDirectory> directory =
      RuntimeDirectory::occupy(abuzz::runtime_directory(config), managed);
  if (!directory.ok()) return directory.failure();
  std::unique_ptr<NodeThreads> node(new NodeThreads(config, std::move(directory).value()));
  Status opened = node->open(managed, std::move(log));
  if (opened.ok()) opened = node->start_threads();
  if (!opened.ok()) {
    node->door_.reset();
    node->directory_.vacate();
    return opened.failure();
  }
  return node;
}

Status NodeThreads::open(bool managed, LogSink&& log) {
  if (!door_bell_.is_open() || !shard_bell_.is_open() || !wait_bell_.is_open()) {
    return Failure{Error::descriptors, "eventfd"};
  }
  const NodeIdentity& identity = directory_.identity();
  Result<std::unique_ptr<StatsFile>> stats =
      StatsFile::create(directory_.paths().counters, {identity.node_id, identity.node_epoch, 0},
                        NodeCore::stats_rows_max(config_));
  if (!stats.ok()) return stats.failure();
  stats.value()->process().set(ProcessCounter::state,
                               static_cast<std::uint64_t>(PeerState::starting));
  pool_ = std::make_unique<mem::Pool>(mem::node_classes(config_.node, config_.limits, config_.link),
                                      memory_);
  places_ = std::make_unique<ThreadPlaces>(plan_node(config_), *stats.value(), log);
  Result<std::unique_ptr<link::ZmqContext>> context = Error::internal;
  places_->start(ThreadPlaces::Role::io, 0, [&] { context = link::ZmqContext::open(); });
  if (!context.ok()) return context.failure();
  context_ = std::move(context).value();
  Result<std::unique_ptr<link::Hub>> hub = link::bind_zmq_hub(
      *context_, *pool_, directory_.shard_endpoint(0), wire::frame_part_bytes_max);
  if (!hub.ok()) return hub.failure();
  hub_ = std::move(hub).value();

  link::UnixDoorOptions options;
  options.callers_max = config_.node.links_max + std::size_t{64};  // some on their way in or out
  // Reception keeps more back, so that it still can say why it refuses.
  options.descriptors_spare = descriptors_kept_back / 2;
  options.greeting_timeout_ms = static_cast<int>(config_.node.handshake.count());
  Result<std::unique_ptr<link::DoorListener>> door =
      link::listen_unix_door(directory_.paths().door, options);
  if (!door.ok()) return door.failure();
  door_ = std::move(door).value();
  core_ = std::make_unique<NodeCore>(
      NodeCore::Parts{config_, directory_.identity(), *door_, *hub_, *pool_, host_,
                      std::move(stats).value(), managed, std::move(log), directory_.take_owed()},
      clock_.now());
  return Done{};
}

Status NodeThreads::start_threads() {
  bool has_shard = false;
  places_->start(ThreadPlaces::Role::shard, 0, [&] {
    has_shard = base::start_quiet_thread(shard_thread_, shard_main, this, "abz-shard-0");
  });
  if (!has_shard) return Failure{Error::system, "pthread_create"};
  places_->start(ThreadPlaces::Role::door, 0, [&] {
    has_door_thread_ = base::start_quiet_thread(door_thread_, door_main, this, "abz-door");
  });
  if (has_door_thread_) return Done{};
  shard_end_.publish(true);
  shard_bell_.ring();
  pthread_join(shard_thread_, nullptr);
  return Failure{Error::system, "pthread_create"};
}

NodeThreads::~NodeThreads() {
  stop(std::chrono::nanoseconds(0));
}

NodeThreads::Departure NodeThreads::stop(std::chrono::nanoseconds patience) {
  if (has_door_thread_) {
    stop_until_ = base::moment_after(clock_.now(), std::max<base::Nanos>(patience.count(), 0));
    stop_wanted_.publish(true);
    door_bell_.ring();
    pthread_join(door_thread_, nullptr);
    has_door_thread_ = false;
  }
  if (core_ == nullptr) return {};
  return {core_->reception().agents_at_stop(), core_->junction().undelivered_messages()};
}

void NodeThreads::drain() noexcept {
  drain_wanted_.publish(true);
  door_bell_.ring();
}

void NodeThreads::request_stop() noexcept {
  leave_wanted_.publish(true);
  wait_bell_.ring_always();
}

void NodeThreads::wait() noexcept {
  while (!leave_wanted_.read()) {
    pollfd descriptor{wait_bell_.fd(), POLLIN, 0};
    poll(&descriptor, 1, -1);
  }
}

void NodeThreads::note_sleep(base::Nanos awake_since) noexcept {
  StatsRow& process = core_->stats().process();
  process.add_shared(ProcessCounter::wakeups);
  process.add_shared(ProcessCounter::busy_ns,
                     static_cast<std::uint64_t>(clock_.now() - awake_since));
}

// --- The door's thread ---

void* NodeThreads::door_main(void* self) noexcept {
  NodeThreads& node = *static_cast<NodeThreads*>(self);
  try {
    node.run_door();
  } catch (...) {
    node.has_failed_.publish(true);  // out of memory: the next node starts afresh
  }
  node.finish();
  return nullptr;
}

void NodeThreads::run_door() {
  Reception& reception = core_->reception();
  base::Nanos now = clock_.now();
  base::Nanos awake_since = now;
  std::uint64_t orders_rung = 0;
  const auto step = [&] {
    now = clock_.now();
    hear_wishes(now);
    std::size_t done = reception.do_work(now);
    core_->tend(now);
    if (reception.orders_posted() != orders_rung) {
      orders_rung = reception.orders_posted();
      shard_bell_.ring();
    }
    return done;
  };
  while (reception.phase() != Reception::Phase::left && !has_failed_.read()) {
    if (step() > 0) continue;
    door_bell_.arm();
    if (step() == 0 && reception.phase() != Reception::Phase::left && !has_failed_.read()) {
      base::Nanos deadline = reception.next_deadline();
      if (deadline < 0 || core_->next_tending() < deadline) deadline = core_->next_tending();
      note_sleep(awake_since);
      sleep_on(door_->wait_descriptor(), door_bell_.fd(), now, deadline);
      awake_since = clock_.now();
    }
    door_bell_.disarm();
  }
}

void NodeThreads::hear_wishes(base::Nanos now) {
  // Pairs with stop: stop_until_ was written before.
  if (stop_wanted_.read()) core_->reception().start_stopping(now, stop_until_);
  if (drain_wanted_.read()) core_->reception().start_draining();
}

// The shard's thread ends, the directory is given up, and who waits is told.
void NodeThreads::finish() noexcept {
  shard_end_.publish(true);
  shard_bell_.ring();
  pthread_join(shard_thread_, nullptr);
  door_->shut();
  directory_.vacate();
  host_.release_start_lock();
  leave_wanted_.publish(true);
  wait_bell_.ring_always();
}

// --- The shard's thread ---

void* NodeThreads::shard_main(void* self) noexcept {
  NodeThreads& node = *static_cast<NodeThreads*>(self);
  try {
    node.run_shard();
  } catch (...) {
    node.has_failed_.publish(true);
    node.door_bell_.ring();
  }
  return nullptr;
}

void NodeThreads::run_shard() {
  Shard& shard = core_->shard();
  base::Nanos awake_since = clock_.now();
  base::Nanos show_at = awake_since + busy_interval;
  for (;;) {
    const base::Nanos now = clock_.now();
    const std::size_t done = shard.do_work(now, clock_.wall_now());
    if (shard.has_reports()) door_bell_.ring();
    if (shard_end_.read()) return;
    if (now >= show_at) {
      show_at = now + busy_interval;
      if (core_->has_new_misses()) door_bell_.ring();
    }
    if (done > 0) continue;
    shard_bell_.arm();
    // Orders that come from now on ring; those that came before, and frames, are seen here. A hub's
    // descriptor is edge-triggered: it must be asked itself.
    if (shard.may_sleep() && !hub_->has_input() && !shard_end_.read()) {
      note_sleep(awake_since);
      sleep_on(hub_->wait_descriptor(), shard_bell_.fd(), now, shard.next_deadline());
      awake_since = clock_.now();
    }
    shard_bell_.disarm();
    shard.note_input();
  }
}

}  // namespace abuzz::node
