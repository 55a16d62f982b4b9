#include <atomic>
#include <utility>

#include "bench/pinger.hpp"
#include "bench/roles.hpp"
#include "bench/time.hpp"

// Who asks and who answers, one message in flight: pinger and ponger, or requester and responder,
// which differ in their drivers only.

namespace abuzz::bench {

bool run_pinger(Driver& driver, const RoleOptions& options, RoleChannel& channel) {
  Pinger pinger(options.bytes, options.duration_ns);
  // The sink may run on another thread; what it leaves is read after close_input.
  std::atomic<bool> is_over{false};
  const auto sink = [&](std::span<const std::byte> payload) {
    if (is_over.load(std::memory_order_relaxed)) return;
    if (!pinger.pong(payload) || !driver.send(pinger.ping()))
      is_over.store(true, std::memory_order_release);  // Pairs with the loop below.
  };
  if (!driver.open(sink)) return fail_role(driver, channel);
  channel.ready();
  if (!channel.await("go")) return false;
  if (!driver.send(pinger.ping())) return fail_role(driver, channel);
  while (!is_over.load(std::memory_order_acquire)) {
    if (!driver.receive(look_ns)) return fail_role(driver, channel);
    if (driver.taken() == 0 && (channel.line(0) || channel.is_ended())) return false;
  }
  driver.close_input();
  RoleReport report = pinger.finish();
  report.link = driver.link();
  channel.done(report);
  return true;
}

bool run_ponger(Driver& driver, const RoleOptions&, RoleChannel& channel) {
  std::atomic<bool> is_over{false};
  const auto sink = [&](std::span<const std::byte> payload) {
    if (!driver.send(payload)) is_over.store(true, std::memory_order_relaxed);
  };
  if (!driver.open(sink)) return fail_role(driver, channel);
  channel.ready();
  std::uint64_t seen = 0;
  while (!is_over.load(std::memory_order_relaxed)) {
    if (!driver.receive(look_ns)) return fail_role(driver, channel);
    const std::uint64_t taken = driver.taken();
    if (std::exchange(seen, taken) == taken && channel.line(0)) break;
    if (channel.is_ended()) return false;
  }
  driver.close_input();
  channel.done({});
  return true;
}

}  // namespace abuzz::bench
