#include "bus/node/node_threads.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "bus/base/idle_strategy.hpp"
#include "bus/base/quiet_thread.hpp"
#include "bus/base/units.hpp"
#include "bus/link/unix_door.hpp"
#include "bus/mem/budget.hpp"
#include "bus/node/descriptors.hpp"
#include "bus/place/affinity.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::node {

NodeThreads::NodeThreads(const Config& config, RuntimeDirectory&& directory)
    : config_(config), directory_(std::move(directory)), host_(directory_.paths()) {}

Result<std::unique_ptr<NodeThreads>> NodeThreads::start(const Config& config, bool managed,
                                                        LogSink log) {
  raise_descriptor_limit();
  const std::size_t left = count_descriptors_left();
  const std::size_t more_shards = std::max<std::size_t>(config.place.shards, 1) - 1;
  const std::size_t needed = descriptors_for_start + more_shards * descriptors_per_shard;
  if (left < needed) {
    return Failure{Error::descriptors, "a node needs " + std::to_string(needed) + ", " +
                                           std::to_string(left) + " are left"};
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
  if (!door_bell_.is_open() || !wait_bell_.is_open()) return Failure{Error::descriptors, "eventfd"};
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
  const Plan& plan = places_->plan();
  if (plan.shard_count < config_.place.shards && log)
    log("warn shards that will run: " + std::to_string(plan.shard_count) + ", because " +
        plan.shard_reason);
  // Not of a shard's thread, which may be pinned: who brings it work is elsewhere.
  processors_ = static_cast<std::uint32_t>(place::read_affinity().size());
  for (std::uint32_t index = 0; index < places_->plan().shard_count; ++index) {
    const Status opened = open_worker(index);
    if (!opened.ok()) return opened.failure();
  }

  link::UnixDoorOptions options;
  options.callers_max = config_.node.links_max + std::size_t{64};  // some on their way in or out
  // Reception keeps more back, so that it still can say why it refuses.
  options.descriptors_spare = descriptors_kept_back / 2;
  options.greeting_timeout_ms = static_cast<int>(config_.node.handshake.count());
  Result<std::unique_ptr<link::DoorListener>> door =
      link::listen_unix_door(directory_.paths().door, options);
  if (!door.ok()) return door.failure();
  door_ = std::move(door).value();
  std::vector<NodeCore::Parts::Place> places;
  for (const auto& worker : workers_)
    places.push_back({worker->hub.get(), places_->cache_of_shard(worker->index)});
  stats.value()->process().set(ProcessCounter::waiting,
                               base::waiting_number(config_.place.waiting));
  std::vector<std::string> movable;
  if (workers_.size() == 1) movable = {"abz-shard-0", workers_.front()->context->io_thread_name()};
  meeting_ = std::make_unique<Meeting>(config_, stats.value()->process(), std::move(movable), log);
  core_ = std::make_unique<NodeCore>(
      NodeCore::Parts{config_, directory_.identity(), *door_, std::move(places), *pool_, host_,
                      std::move(stats).value(), managed, std::move(log), directory_.take_owed(),
                      &clock_, [this](std::uint32_t shard) { workers_[shard]->bell.ring(); }},
      clock_.now());
  return Done{};
}

Status NodeThreads::open_worker(std::uint32_t index) {
  auto worker = std::make_unique<Worker>();
  worker->node = this;
  worker->index = index;
  if (!worker->bell.is_open()) return Failure{Error::descriptors, "eventfd"};
  // A context each, because all I/O threads of one would have one place.
  Result<std::unique_ptr<link::ZmqContext>> context = Error::internal;
  places_->start(ThreadPlaces::Role::io, index, [&] { context = link::ZmqContext::open(); });
  if (!context.ok()) return context.failure();
  worker->context = std::move(context).value();
  Result<std::unique_ptr<link::Hub>> hub = link::bind_zmq_hub(
      *worker->context, *pool_, directory_.shard_endpoint(index), wire::frame_part_bytes_max);
  if (!hub.ok()) return hub.failure();
  worker->hub = std::move(hub).value();
  workers_.push_back(std::move(worker));
  return Done{};
}

Status NodeThreads::start_threads() {
  bool is_complete = true;
  for (const auto& worker : workers_) {
    const std::string name = "abz-shard-" + std::to_string(worker->index);
    places_->start(ThreadPlaces::Role::shard, worker->index, [&] {
      worker->row = places_->row();
      worker->has_thread =
          base::start_quiet_thread(worker->thread, shard_main, worker.get(), name.c_str());
    });
    is_complete = is_complete && worker->has_thread;
  }
  places_->start(ThreadPlaces::Role::door, 0, [&] {
    has_door_thread_ =
        is_complete && base::start_quiet_thread(door_thread_, door_main, this, "abz-door");
  });
  if (has_door_thread_) return Done{};
  end_workers();
  return Failure{Error::system, "pthread_create"};
}

void NodeThreads::end_workers() noexcept {
  shards_end_.publish(true);
  for (const auto& worker : workers_) worker->bell.ring();
  for (const auto& worker : workers_) {
    if (worker->has_thread) pthread_join(worker->thread, nullptr);
    worker->has_thread = false;
  }
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

bool NodeThreads::move(const std::string& agent, std::uint32_t shard) {
  const bool is_taken = wish_producer_.try_push(Wish{agent, shard});
  door_bell_.ring();
  return is_taken;
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

}  // namespace abuzz::node
