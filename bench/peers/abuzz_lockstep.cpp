#include <optional>

#include "bench/payload.hpp"
#include "bench/peers/abuzz_parts.hpp"
#include "bench/receiver.hpp"
#include "bus/node.hpp"
#include "bus/stats.hpp"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
// Counting begins by request (--instr-atstart=no): without the header nothing is counted, and
// measure_cost says so.
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

// Node, publisher and subscriber in one process, which goes through the messages in lockstep: so
// many leave, and all of them are handled and told before the next leave. What that costs is nearly
// the same each time, whatever the machine does, and callgrind counts it.

namespace abuzz::bench {
namespace {

constexpr std::uint64_t step_messages = 256, warm_up_steps = 8;

class Lockstep {
 public:
  explicit Lockstep(const RoleOptions& options)
      : options_(options), writer_(options.bytes), receiver_(options.bytes, 1, false) {}

  Status open() {
    auto config = abuzz_config(options_);
    if (!config) return config.failure();
    config.value().log.level = "error";
    auto node = Node::start(config.value(), true);
    if (!node) return node.failure();
    node_.emplace(std::move(node).value());
    return join();
  }
  bool run(std::uint64_t steps) {
    for (std::uint64_t step = 0; step < steps; ++step) {
      for (std::uint64_t message = 0; message < step_messages; ++message)
        if (publisher_->publish(writer_.fill(++sent_, false), abuzz_patience) != SendStatus::queued)
          return false;
      if (publisher_->flush(abuzz_patience).delivered != sent_) return false;
    }
    return true;
  }
  // Nothing is handled any more.
  RoleReport finish() {
    subscription_.reset();
    RoleReport report = receiver_.finish({{sent_}});
    report.sent = sent_;
    return report;
  }
  // That the node moved so far, in and out.
  std::uint64_t bytes_moved() const {
    auto stats = read_stats(options_.directory + "/node.counters");
    if (!stats) return 0;
    const RowSnapshot& process = stats.value().rows.front();
    return process.get(ProcessCounter::bytes_in) + process.get(ProcessCounter::bytes_out);
  }

 private:
  Status join() {
    RoleOptions ends = options_;
    ends.role = "subscriber";
    auto sink = abuzz_agent(ends);
    if (!sink) return sink.failure();
    sink_.emplace(std::move(sink).value());
    auto subscription = sink_->subscribe(
        "bench.data", [this](const MessageView& message) { receiver_.take(message.payload()); });
    if (!subscription) return subscription.failure();
    subscription_.emplace(std::move(subscription).value());
    ends.role = "publisher";
    auto source = abuzz_agent(ends);
    if (!source) return source.failure();
    source_.emplace(std::move(source).value());
    auto publisher = source_->publisher("bench.data");
    if (!publisher) return publisher.failure();
    publisher_.emplace(std::move(publisher).value());
    return Done{};
  }

  const RoleOptions options_;
  PayloadWriter writer_;
  Receiver receiver_;
  std::uint64_t sent_ = 0;
  std::optional<Node> node_;
  std::optional<Agent> sink_, source_;
  std::optional<Subscription> subscription_;
  std::optional<Publisher> publisher_;
};

}  // namespace

bool run_abuzz_lockstep(const RoleOptions& options, RoleChannel& channel) {
  Lockstep lockstep(options);
  if (const Status opened = lockstep.open(); !opened) {
    channel.failed(opened.failure().message());
    return false;
  }
  bool is_whole = lockstep.run(warm_up_steps);
  channel.ready();
  if (!channel.await("go")) return false;
  const std::uint64_t bytes_before = lockstep.bytes_moved();
  CALLGRIND_START_INSTRUMENTATION;
  is_whole = lockstep.run(options.messages / step_messages) && is_whole;
  CALLGRIND_STOP_INSTRUMENTATION;
  const std::uint64_t bytes = lockstep.bytes_moved() - bytes_before;
  RoleReport report = lockstep.finish();
  report.measured = options.messages / step_messages * step_messages;
  report.moved_bytes = bytes;
  if (!is_whole) report.text = "not every message was delivered in time";
  channel.done(report);
  return true;
}

}  // namespace abuzz::bench
