#include "bus/client/agent_host.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "bus/base/random.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/client/launch.hpp"
#include "bus/mem/budget.hpp"
#include "bus/placement.hpp"
#include "bus/topic.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::client {

namespace {

constexpr int linger_ms = 200;

std::string made_up_name() {
  std::uint32_t number = 0;
  base::fill_secret(&number, sizeof(number));
  char name[64];
  std::snprintf(name, sizeof(name), "agent-%d-%08x", static_cast<int>(getpid()), number);
  return name;
}

// What is told about an agent for people.
Status judge(const std::string& what, const std::string& text, TopicFault fault) {
  if (fault == TopicFault::none) return Done{};
  return Failure{Error::bad_agent_name, "the " + what +
                                            (fault == TopicFault::too_long
                                                 ? " has " + std::to_string(text.size()) + " bytes"
                                                 : std::string(" has a control character"))};
}

}  // namespace

AgentHost::AgentHost(AgentOptions options, const Config& config)
    : config_(config), options_(std::move(options)), paths_(runtime_directory(config)) {}

AgentHost::~AgentHost() {
  close(0);
}

Result<std::shared_ptr<AgentHost>> AgentHost::open(AgentOptions options, const Config& config) {
  if (options.name.empty()) options.name = made_up_name();
  if (check_agent_name(options.name) != TopicFault::none)
    return Failure{Error::bad_agent_name, options.name};
  if (Status fine = judge("kind", options.kind, check_agent_kind(options.kind)); !fine.ok())
    return fine.failure();
  const std::string& description = options.description;
  if (Status fine = judge("description", description, check_agent_description(description));
      !fine.ok())
    return fine.failure();
  // Shared: see the class.
  std::shared_ptr<AgentHost> host(new AgentHost(std::move(options), config));
  if (Status prepared = host->prepare(); !prepared.ok()) return prepared.failure();
  if (Status connected = host->connect(); !connected.ok()) {
    host->close(0);
    return connected.failure();
  }
  return host;
}

Status AgentHost::prepare() {
  const std::vector<mem::SizeClass> classes = mem::agent_classes(config_.limits, config_.link);
  pool_ = std::make_unique<mem::Pool>(classes, memory_);
  auto context = link::ZmqContext::open(1);
  if (!context.ok()) return context.failure();
  context_ = std::move(context).value();
  network_ = std::make_unique<link::LocalNetwork>(paths_.door, *context_, *pool_,
                                                  wire::frame_part_bytes_max, linger_ms);
  return Done{};
}

Status AgentHost::connect() {
  const base::Nanos deadline =
      clock_.now() + std::chrono::nanoseconds(config_.agent.connect_timeout).count();
  if (Status safe = base::check_runtime_directory(paths_);
      !safe.ok() && safe.error() != Error::no_node)
    return safe;
  // The first call decides whether a node has to be started.
  auto call = network_->call();
  if (!call.ok() && call.error() == Error::no_node) {
    if (!config_.agent.start_node) return Failure{Error::no_node, paths_.directory};
    Status started = start_node(config_, std::chrono::nanoseconds(deadline - clock_.now()));
    if (!started.ok()) return started;
  } else if (!call.ok()) {
    return call.failure();
  }
  if (call.ok()) std::move(call).value().reset();
  counters_name_ = options_.name + "-" + std::to_string(getpid()) + ".counters";
  auto stats = StatsFile::create(paths_.agents + "/" + counters_name_, {}, 65'536);
  if (!stats.ok()) return stats.failure();
  stats_ = std::move(stats).value();
  std::uint64_t seed = 0;
  base::fill_secret(&seed, sizeof(seed));
  Session::Identity identity;
  identity.name = options_.name;
  identity.kind = options_.kind;
  identity.description = options_.description;
  identity.pid = static_cast<std::uint32_t>(getpid());
  identity.counters_path = counters_name_;
  core_ = std::make_unique<AgentCore>(
      AgentCore::Parts{*network_, *pool_, config_, *stats_, clock_, seed, identity});
  if (!core_->doorbell().is_open()) return Failure{Error::descriptors, "eventfd"};
  threads_ = std::make_unique<AgentThreads>(
      *core_,
      [this] {
        if (config_.agent.start_node)
          (void)start_node(config_, std::chrono::nanoseconds(config_.agent.connect_timeout));
      },
      [this] { tend(); });
  if (pin_wish(config_) == PinWish::automatic)
    company_ = std::make_unique<Company>(paths_.counters, stats_->process());
  {
    const std::lock_guard lock(closing_);
    is_open_ = true;
  }
  if (!threads_->start(shared_from_this())) return Failure{Error::system, "pthread_create"};
  return core_->wait_connected(deadline);
}

// The threads that are ours, and the caller's if it said so.
void AgentHost::tend() {
  const pid_t runner = threads_->runner_id();
  if (!company_ || runner == 0) return;
  if (company_->count() == 0) {
    company_->add(runner);
    company_->add(place::find_thread(context_->io_thread_name()));
    if (options_.moves_caller) company_->add(caller_);
  }
  company_->look(clock_.now());
}

void AgentHost::remove_counters() noexcept {
  if (!counters_name_.empty()) ::unlink((paths_.agents + "/" + counters_name_).c_str());
}

CloseReport AgentHost::close(base::Nanos patience) {
  if (threads_ == nullptr) return {};  // it never came so far
  // The lock, too, may be held by a thread that this process does not have.
  if (core_->is_forked()) return {};
  const bool is_handler = core_->is_inside_handler();
  std::unique_lock lock(closing_, std::defer_lock);
  if (!is_handler) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return {};
  }
  if (is_open_) {
    is_open_ = false;
    report_ = close_once(patience, is_handler);
  } else if (!is_handler) {
    threads_->stop();  // a handler closed, and may still be running
  }
  return report_;
}

CloseReport AgentHost::close_once(base::Nanos patience, bool is_handler) {
  CloseReport report;
  const base::Nanos deadline = base::moment_after(clock_.now(), patience);
  if (!is_handler) core_->drain_workers(deadline);
  core_->end_requests();
  core_->mark_closed();
  core_->executor().stop();
  if (WorkPool* const pool = core_->work_pool()) pool->stop();
  // Inside a handler: what was handed over is still sent, the threads end behind us.
  if (is_handler) report.unsent = core_->leave(deadline);
  threads_->stop();
  company_.reset();
  if (!is_handler) report.unsent = core_->leave(deadline);
  report.unhandled = core_->unhandled_messages();
  core_->abandon();
  core_->requests().close();
  core_->answers().close();
  network_.reset();
  context_.reset();
  remove_counters();
  stopped.notify_all();
  return report;
}

}  // namespace abuzz::client
