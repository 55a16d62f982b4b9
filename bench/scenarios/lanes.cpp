#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

// Who sends, and who receives and checks.
struct Stream {
  std::size_t source = 0, sink = 0;
};

Stream start_stream(Run& run, RoleOptions options) {
  Stream stream;
  options.role = "subscriber";
  stream.sink = run.start(options);
  run.await_ready(stream.sink);
  options.role = "publisher";
  stream.source = run.start(options);
  run.await_ready(stream.source);
  return stream;
}

RoleReport finish_stream(Run& run, const Stream& stream) {
  const Totals totals{{run.await_sent(stream.source)}};
  run.tell(stream.sink, encode(totals));
  RoleReport report = run.await_done(stream.sink);
  report.sent = totals.sum();
  run.stop_publishers({stream.source}, report);
  return report;
}

}  // namespace

// Small messages on the lane high, at a rate, beside large ones on the lane bulk of the same node
// as fast as they are let; or, on another system, beside a pair of processes that sends as many a
// second without the bus. The figures are those of the lane high.
Result<RunResult> run_lanes(const RunPlan& plan, int& signal) {
  constexpr std::int64_t lead_ns = 200 * millisecond_ns;
  const bool is_inside = plan.system == &abuzz_system;
  if (!is_inside && plan.beside_rate <= 0)
    return Failure{Error::bad_flag_value,
                   "lanes beside another system takes its rate from a run of"
                   " abuzz before it: --vs " +
                       std::string(plan.system->name)};
  Run run(plan, signal);
  run.start_hub(abuzz_system);
  RoleOptions high = run.options_of("");
  high.system = abuzz_system.name;
  high.lane = "high";
  high.bytes = 64;
  RoleOptions bulk = run.options_of("");
  bulk.lane = "bulk";
  bulk.rate = plan.beside_rate;
  bulk.duration_ns += 2 * lead_ns;
  const Stream measured = start_stream(run, high);
  const Stream beside = start_stream(run, bulk);
  run.tell(beside.source, "go");
  std::this_thread::sleep_for(std::chrono::nanoseconds(lead_ns));
  run.tell(measured.source, "go");
  RoleReport figures = finish_stream(run, measured);
  const RoleReport other = finish_stream(run, beside);
  for (const auto figure :
       {&RoleReport::lost, &RoleReport::reordered, &RoleReport::doubled, &RoleReport::corrupt})
    figures.*figure += other.*figure;
  run.stop_hub();
  auto result = run.result(figures, figures.sent);
  if (!result) return result;
  result.value().received_beside = other.received;
  // No number without proof.
  const bool is_whole = other.received == other.sent && other.elapsed_ns != 0 &&
                        other.lost + other.doubled + other.reordered + other.corrupt == 0;
  if (!is_whole) return result;
  const double rate =
      static_cast<double>(other.received) * 1e9 / static_cast<double>(other.elapsed_ns);
  result.value().beside_rate = rate;
  char text[96];
  std::snprintf(text, sizeof text, "beside %.0f messages of bulk a second, %.0f MB/s", rate,
                rate * static_cast<double>(plan.bytes) / 1e6);
  result.value().note += (result.value().note.empty() ? "" : "; ") + std::string(text);
  return result;
}

}  // namespace abuzz::bench
