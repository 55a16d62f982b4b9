#include <chrono>
#include <string>

#include "bench/payload.hpp"
#include "bench/pinger.hpp"
#include "bench/receiver.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"
#include "bus/agent.hpp"
#include "bus/node.hpp"

// Abuzz as a user writes it: public headers, the default config (only the runtime directory is the
// run's own), one try_publish a message.

namespace abuzz::bench {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr const char* data_topic = "bench.data";
constexpr const char* ping_topic = "bench.ping";
constexpr const char* pong_topic = "bench.pong";
constexpr nanoseconds patience = 10s;
constexpr nanoseconds poll_patience = 100ms;
constexpr std::size_t poll_messages_max = 1024;

Config config_of(const RoleOptions& options) {
  Config config;
  config.node.runtime_directory = options.directory;
  config.agent.start_node = false;  // the hub of this run is there, or the run has failed
  return config;
}

Result<Agent> connect(const RoleOptions& options) {
  return Agent::connect({.name = options.role, .kind = "bench"}, config_of(options));
}

bool fail(RoleChannel& channel, const Failure& failure) {
  channel.failed(failure.message());
  return false;
}

// One try_publish; when there is no room, waits for some. False: it was not taken at all.
bool put(Publisher& publisher, std::span<const std::byte> payload, RoleReport& report) {
  const SendStatus status = publisher.try_publish(payload);
  if (status == SendStatus::queued) return true;
  if (status != SendStatus::back_pressured) return false;
  ++report.back_pressured;
  return publisher.publish(payload, patience) == SendStatus::queued;
}

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  Config config = config_of(options);
  config.log.level = "error";
  auto node = Node::start(config, true);
  if (!node) return fail(channel, node.failure());
  channel.ready();
  if (!channel.await("stop")) return false;
  channel.done({});
  node.value().stop(1s);
  return true;
}

bool run_publisher(const RoleOptions& options, RoleChannel& channel) {
  auto agent = connect(options);
  if (!agent) return fail(channel, agent.failure());
  auto publisher = agent.value().publisher(data_topic);
  if (!publisher) return fail(channel, publisher.failure());
  PayloadWriter writer(options.bytes);
  channel.ready();
  if (!channel.await("go")) return false;
  const std::int64_t end_ns = now_ns() + options.duration_ns;
  RoleReport report;
  for (bool is_last = false; !is_last; ++report.sent) {
    if (report.sent % 64 == 63) is_last = now_ns() >= end_ns;
    if (!put(publisher.value(), writer.fill(report.sent + 1, is_last), report)) {
      channel.failed("a message was not taken for 10 s");
      return false;
    }
  }
  channel.sent(report.sent);
  const FlushReport flushed = publisher.value().flush(patience);
  if (flushed.delivered != report.sent) {
    report.text = "flush: " + std::to_string(flushed.delivered) + " delivered, " +
                  std::to_string(flushed.pending) + " pending, " +
                  std::to_string(flushed.no_subscriber + flushed.dropped + flushed.unknown) +
                  " otherwise";
  }
  if (!channel.await("stop")) return false;
  channel.done(report);
  return true;
}

// Until everything that was sent is here, or nothing came for a second.
bool await_total(Subscription& subscription, RoleChannel& channel, std::uint64_t total) {
  std::uint64_t handled = 0;
  for (int quiet = 0; quiet < 10;) {
    const std::uint64_t now = subscription.report().handled;
    quiet = now == handled ? quiet + 1 : 0;
    handled = now;
    if (handled >= total) break;
    channel.line(100 * millisecond_ns);
    if (channel.is_ended()) return false;
  }
  return true;
}

bool subscribe_by_handler(Agent& agent, const RoleOptions& options, RoleChannel& channel) {
  Receiver receiver(options.bytes);
  std::uint64_t total = 0;
  {
    auto subscription = agent.subscribe(
        data_topic, [&receiver](const MessageView& message) { receiver.take(message.payload()); });
    if (!subscription) return fail(channel, subscription.failure());
    channel.ready();
    const auto told = channel.total(-1);
    if (!told) return false;
    total = *told;
    if (!await_total(subscription.value(), channel, total)) return false;
  }  // no handler runs from here on: the receiver is this thread's
  channel.done(receiver.finish(total));
  return true;
}

bool subscribe_by_poll(Agent& agent, const RoleOptions& options, RoleChannel& channel) {
  auto subscription = agent.subscribe(data_topic);
  if (!subscription) return fail(channel, subscription.failure());
  Receiver receiver(options.bytes);
  const Handler take = [&receiver](const MessageView& message) {
    receiver.take(message.payload());
  };
  channel.ready();
  std::optional<std::uint64_t> total;
  for (int quiet = 0; !total || (receiver.received() < *total && quiet < 10);) {
    if (subscription.value().poll(take, poll_messages_max, poll_patience) != 0) {
      quiet = 0;
      continue;
    }
    ++quiet;
    if (!total) total = channel.total(0);
    if (channel.is_ended()) return false;
  }
  channel.done(receiver.finish(*total));
  return true;
}

bool run_subscriber(const RoleOptions& options, RoleChannel& channel) {
  auto agent = connect(options);
  if (!agent) return fail(channel, agent.failure());
  return options.is_polling ? subscribe_by_poll(agent.value(), options, channel)
                            : subscribe_by_handler(agent.value(), options, channel);
}

bool ping_by_handler(Agent& agent, Publisher& publisher, Pinger& pinger, RoleChannel& channel) {
  RoleReport unused;
  auto subscription = agent.subscribe(pong_topic, [&](const MessageView& message) {
    if (!pinger.pong(message.payload()) || !put(publisher, pinger.ping(), unused)) agent.stop();
  });
  if (!subscription) return fail(channel, subscription.failure());
  channel.ready();
  if (!channel.await("go")) return false;
  if (put(publisher, pinger.ping(), unused)) agent.wait();
  return true;
}

bool ping_by_poll(Agent& agent, Publisher& publisher, Pinger& pinger, RoleChannel& channel) {
  auto subscription = agent.subscribe(pong_topic);
  if (!subscription) return fail(channel, subscription.failure());
  bool is_over = false;
  const Handler take = [&](const MessageView& message) {
    is_over = !pinger.pong(message.payload());
  };
  channel.ready();
  if (!channel.await("go")) return false;
  RoleReport unused;
  while (!is_over && put(publisher, pinger.ping(), unused)) {
    while (subscription.value().poll(take, 1, poll_patience) == 0) {
      if (channel.line(0) || channel.is_ended()) return false;
    }
  }
  return true;
}

bool run_pinger(const RoleOptions& options, RoleChannel& channel) {
  auto agent = connect(options);
  if (!agent) return fail(channel, agent.failure());
  auto publisher = agent.value().publisher(ping_topic);
  if (!publisher) return fail(channel, publisher.failure());
  Pinger pinger(options.bytes, options.duration_ns);
  const auto run = options.is_polling ? ping_by_poll : ping_by_handler;
  if (!run(agent.value(), publisher.value(), pinger, channel)) return false;
  channel.done(pinger.finish());
  return true;
}

bool run_ponger(const RoleOptions& options, RoleChannel& channel) {
  auto agent = connect(options);
  if (!agent) return fail(channel, agent.failure());
  auto publisher = agent.value().publisher(pong_topic);
  if (!publisher) return fail(channel, publisher.failure());
  RoleReport report;
  const Handler back = [&](const MessageView& message) {
    if (!put(publisher.value(), message.payload(), report)) agent.value().stop();
  };
  if (!options.is_polling) {
    auto subscription = agent.value().subscribe(ping_topic, back);
    if (!subscription) return fail(channel, subscription.failure());
    channel.ready();
    if (!channel.await("stop")) return false;
  } else {
    auto subscription = agent.value().subscribe(ping_topic);
    if (!subscription) return fail(channel, subscription.failure());
    channel.ready();
    while (subscription.value().poll(back, poll_messages_max, poll_patience) != 0 ||
           !channel.line(0)) {
      if (channel.is_ended()) return false;
    }
  }
  channel.done(report);
  return true;
}

}  // namespace

const System abuzz_system = {
    "abuzz",
    "agent - node - agent, default config, one try_publish a message",
    "the default of the config",
    run_hub,
    run_publisher,
    run_subscriber,
    run_pinger,
    run_ponger,
};

}  // namespace abuzz::bench
