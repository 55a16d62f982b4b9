#include "bench/roles.hpp"

#include <algorithm>
#include <utility>

#include "bench/pacer.hpp"
#include "bench/payload.hpp"
#include "bench/receiver.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t quiet_max_ns = 1000 * millisecond_ns;
constexpr std::int64_t straggler_ns = 20 * millisecond_ns;

// As fast as it is let.
bool send_closed(Driver& driver, const RoleOptions& options, RoleReport& report) {
  PayloadWriter writer(options.bytes, options.source);
  const std::int64_t end_ns = now_ns() + options.duration_ns;
  for (bool is_last = false; !is_last; ++report.sent) {
    if (options.messages > 0)
      is_last = report.sent + 1 == options.messages;
    else if (report.sent % 64 == 63)
      is_last = now_ns() >= end_ns;
    if (!driver.send(writer.fill(report.sent + 1, is_last))) return false;
  }
  return true;
}

// At its rate, whatever becomes of the messages: each carries the moment at which it was to leave,
// so that waiting for room, and everything behind it, counts as latency. What cannot be sent in
// twice the time is not: then the offered load was not reached.
bool send_open(Driver& driver, const RoleOptions& options, RoleReport& report) {
  PayloadWriter writer(options.bytes, options.source);
  const auto total = static_cast<std::uint64_t>(
      std::max(1.0, options.rate * static_cast<double>(options.duration_ns) / 1e9));
  const double step_ns = 1e9 / options.rate;
  const std::uint64_t burst = std::max(options.burst, 1u);
  const Pacer pacer(step_ns * static_cast<double>(burst), options.may_spin);
  const std::int64_t start_ns = now_ns() + millisecond_ns;
  const std::int64_t late_ns = start_ns + 2 * options.duration_ns;
  for (bool is_last = false; !is_last; ++report.sent) {
    const std::uint64_t turn = report.sent - report.sent % burst;
    const auto offset = static_cast<std::int64_t>(static_cast<double>(turn) * step_ns);
    const std::int64_t now = now_ns();
    if (now < start_ns + offset) {
      if (!driver.flush()) return false;
      pacer.sleep_until(start_ns + offset);
    }
    is_last = report.sent + 1 == total || now > late_ns;
    if (!driver.send(writer.fill(report.sent + 1, is_last, start_ns + offset))) return false;
  }
  // To the end of the last message's interval.
  const auto whole_ns = static_cast<std::int64_t>(static_cast<double>(report.sent) * step_ns);
  report.sending_ns = static_cast<std::uint64_t>(std::max(now_ns() - start_ns, whole_ns));
  return true;
}

}  // namespace

bool fail_role(Driver& driver, RoleChannel& channel) {
  channel.failed(driver.fault());
  return false;
}

bool run_publisher(Driver& driver, const RoleOptions& options, RoleChannel& channel) {
  if (!driver.open({})) return fail_role(driver, channel);
  channel.ready();
  if (!channel.await("go")) return false;
  RoleReport report;
  const auto send = options.rate > 0 ? send_open : send_closed;
  if (!send(driver, options, report) || !driver.finish_sending()) return fail_role(driver, channel);
  channel.sent(report.sent);
  report.back_pressured = driver.refusals();
  report.text = driver.remark();
  report.link = driver.link();
  if (!channel.await("stop")) return false;
  channel.done(report);
  return true;
}

// Everything that was sent is here, or nothing came for a second.
bool run_subscriber(Driver& driver, const RoleOptions& options, RoleChannel& channel) {
  Receiver receiver(options.bytes, options.sources, options.rate > 0);
  const Driver::Sink sink = [&](std::span<const std::byte> payload) { receiver.take(payload); };
  if (!driver.open(sink)) return fail_role(driver, channel);
  channel.ready();
  std::optional<Totals> totals;
  std::uint64_t seen = 0;
  std::int64_t quiet_since_ns = now_ns();
  while (!totals || (driver.taken() < totals->sum() && now_ns() < quiet_since_ns + quiet_max_ns)) {
    if (!driver.receive(look_ns)) return fail_role(driver, channel);
    const std::uint64_t taken = driver.taken();
    if (taken != seen) quiet_since_ns = now_ns();
    const bool is_idle = std::exchange(seen, taken) == taken;
    if (!totals && is_idle) {
      totals = channel.totals(0);
      if (totals) quiet_since_ns = now_ns();
    }
    if (channel.is_ended()) return false;
  }
  // What comes twice comes after what was counted.
  const std::int64_t end_ns = now_ns() + straggler_ns;
  while (now_ns() < end_ns)
    if (!driver.receive(straggler_ns / 5)) return fail_role(driver, channel);
  driver.close_input();
  RoleReport report = receiver.finish(*totals);
  report.link = driver.link();
  report.text = driver.remark();
  channel.done(report);
  return true;
}

Ends ends_of(const RoleOptions& options) {
  const std::string data = options.lane.empty() ? "data" : options.lane;
  const std::string_view role = options.role;
  if (role == "publisher") return {data, ""};
  if (role == "pinger" || role == "requester") return {"ping", "pong"};
  if (role == "ponger" || role == "responder") return {"pong", "ping"};
  return {"", data};
}

RoleMain find_role(std::string_view role) noexcept {
  if (role == "publisher") return run_publisher;
  if (role == "subscriber") return run_subscriber;
  if (role == "worker") return run_worker;
  if (role == "laggard") return run_laggard;
  if (role == "pinger" || role == "requester") return run_pinger;
  if (role == "ponger" || role == "responder") return run_ponger;
  return nullptr;
}

}  // namespace abuzz::bench
