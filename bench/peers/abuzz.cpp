#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "bench/driver.hpp"
#include "bench/peers/abuzz_parts.hpp"
#include "bench/systems.hpp"
#include "bus/agent.hpp"

// Abuzz as a user writes it: one try_publish a message.

namespace abuzz::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t poll_messages_max = 1024;

Lane lane_of(const RoleOptions& options) {
  if (options.lane == "high") return Lane::high;
  return options.lane == "bulk" ? Lane::bulk : Lane::normal;
}

class AbuzzDriver final : public Driver {
 public:
  explicit AbuzzDriver(const RoleOptions& options) : options_(options), ends_(ends_of(options)) {}

  bool open(const Sink& sink) override {
    auto agent = abuzz_agent(options_);
    if (!agent) return fail(agent.failure().message());
    agent_.emplace(std::move(agent).value());
    if (!ends_.out.empty()) {
      auto publisher = agent_->publisher("bench." + ends_.out, {.lane = lane_of(options_)});
      if (!publisher) return fail(publisher.failure().message());
      publisher_.emplace(std::move(publisher).value());
    }
    return ends_.in.empty() || open_input(sink);
  }

  // One try_publish; when there is no room, the same message waits for some. At a rate, what is due
  // at the same time leaves together.
  bool send(std::span<const std::byte> payload) override {
    const MessageOptions options{.more = options_.rate > 0};
    SendStatus status = publisher_->try_publish(payload, options);
    if (status == SendStatus::back_pressured) {
      ++refusals_;
      status = publisher_->publish(payload, abuzz_patience, options);
    }
    if (status == SendStatus::queued) return true;
    return fail("a message was not taken for 10 s");
  }
  bool flush() override {
    if (publisher_) publisher_->push();
    return true;
  }

  bool receive(std::int64_t patience_ns) override {
    if (options_.is_polling) {
      taken_ += subscription_->poll(handler_, poll_messages_max, nanoseconds(patience_ns));
      return true;
    }
    // Handlers run by themselves: this only passes the time.
    std::this_thread::sleep_for(nanoseconds(patience_ns));
    return true;
  }
  void close_input() override {
    taken_ = taken();
    subscription_.reset();
  }
  std::uint64_t taken() const noexcept override {
    return options_.is_polling || !subscription_ ? taken_ : subscription_->report().handled;
  }
  std::uint64_t refusals() const noexcept override { return refusals_; }
  std::string link() override { return agent_->link(); }
  std::string remark() override {
    if (!publisher_) return {};
    const FlushReport flushed = publisher_->flush(abuzz_patience);
    if (flushed.delivered == publisher_->last_sequence()) return {};
    return "flush: " + std::to_string(flushed.delivered) + " delivered, " +
           std::to_string(flushed.pending) + " pending, " +
           std::to_string(flushed.no_subscriber + flushed.dropped + flushed.unknown) + " otherwise";
  }

 private:
  bool open_input(const Sink& sink) {
    handler_ = [sink](const MessageView& message) { sink(message.payload()); };
    SubscribeOptions wishes;
    if (options_.role == "laggard") wishes.policy = Policy::drop_old;
    if (options_.role == "worker") {
      wishes.group = "workers";
      wishes.ack = AckMode::manual;
      handler_ = [sink](const MessageView& message) {
        sink(message.payload());
        (void)message.ack();
      };
    }
    const std::string pattern = "bench." + ends_.in;
    auto subscription = options_.is_polling ? agent_->subscribe(pattern, wishes)
                                            : agent_->subscribe(pattern, handler_, wishes);
    if (!subscription) return fail(subscription.failure().message());
    subscription_.emplace(std::move(subscription).value());
    return true;
  }

  const RoleOptions options_;
  const Ends ends_;
  Handler handler_;
  std::optional<Agent> agent_;
  std::optional<Publisher> publisher_;
  std::optional<Subscription> subscription_;
  std::uint64_t taken_ = 0, refusals_ = 0;
};

}  // namespace

Result<Config> abuzz_config(const RoleOptions& options) {
  auto config = config_from_environment();
  if (!config) return config;
  config.value().node.runtime_directory = options.directory;
  config.value().agent.start_node = false;  // the hub of this run is there, or the run has failed
  // Two for each of the logical agents that share a connection.
  if (!options.load.empty()) config.value().agent.subscriptions_max = 4096;
  return config;
}

Result<Agent> abuzz_agent(const RoleOptions& options) {
  auto config = abuzz_config(options);
  if (!config) return config.failure();
  const std::string name = options.role + options.lane + "-" + std::to_string(options.source);
  return Agent::connect({.name = name, .kind = "bench"}, config.value());
}

const System abuzz_system = {
    .name = "abuzz",
    .route =
        "agent - node - agent over ZeroMQ ipc, one try_publish a message; at a rate, what is due"
        " together leaves together",
    .waiting = "as its config says",
    .hub = run_abuzz_hub,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      if (options.role == "requester" || options.role == "responder")
        return make_abuzz_request_driver(options);
      return std::make_unique<AbuzzDriver>(options);
    },
    .has_request = true,
    .has_queue = true,
    .counts_drops = true,
    .crowd = run_abuzz_crowd,
    .lockstep = run_abuzz_lockstep,
};

}  // namespace abuzz::bench
