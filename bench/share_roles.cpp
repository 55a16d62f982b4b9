#include <time.h>

#include <cstdint>

#include "bench/arrivals.hpp"
#include "bench/payload.hpp"
#include "bench/receiver.hpp"
#include "bench/roles.hpp"
#include "bench/share_check.hpp"

// Those who do not get everything and so cannot know by themselves when they are done: they end
// when they are told.

namespace abuzz::bench {
namespace {

constexpr std::int64_t lag_ns = 100'000;  // of a laggard, for each message

// Receives until "stop" is read. False when the role failed.
bool receive_until_stop(Driver& driver, RoleChannel& channel) {
  while (!channel.line(0)) {
    if (channel.is_ended()) return false;
    if (!driver.receive(look_ns)) return fail_role(driver, channel);
  }
  return true;
}

}  // namespace

bool run_worker(Driver& driver, const RoleOptions& options, RoleChannel& channel) {
  ShareCheck share(options.sources);
  Arrivals arrivals(options.rate > 0);
  std::uint64_t corrupt = 0;
  const Driver::Sink sink = [&](std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, options.bytes);
    if (!facts.is_intact || facts.source >= options.sources) {
      ++corrupt;
      return;
    }
    share.take(facts.source, facts.sequence);
    arrivals.take(facts);
  };
  if (!driver.open(sink)) return fail_role(driver, channel);
  channel.ready();
  if (!receive_until_stop(driver, channel)) return false;
  driver.close_input();
  RoleReport report;
  share.report(report);
  arrivals.report(report);
  report.corrupt = corrupt;
  channel.done(report);
  return true;
}

bool run_laggard(Driver& driver, const RoleOptions& options, RoleChannel& channel) {
  Receiver receiver(options.bytes, options.sources, false);
  const Driver::Sink sink = [&](std::span<const std::byte> payload) {
    receiver.take(payload);
    const timespec pause{0, lag_ns};
    nanosleep(&pause, nullptr);
  };
  if (!driver.open(sink)) return fail_role(driver, channel);
  channel.ready();
  if (!receive_until_stop(driver, channel)) return false;
  driver.close_input();
  channel.done(receiver.finish({}));
  return true;
}

}  // namespace abuzz::bench
