#include "bench/scenario.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/histogram.hpp"
#include "bench/run.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

// What several receivers report, as one.
class Sum {
 public:
  void add(const RoleReport& report) {
    for (const auto figure : {&RoleReport::received, &RoleReport::lost, &RoleReport::reordered,
                              &RoleReport::doubled, &RoleReport::corrupt})
      total_.*figure += report.*figure;
    if (total_.first_ns == 0 || report.first_ns < total_.first_ns)
      total_.first_ns = report.first_ns;
    total_.last_ns = std::max(total_.last_ns, report.last_ns);
    for (std::size_t at = 0; at + 1 < report.buckets.size(); at += 2)
      latency_.add(report.buckets[at], report.buckets[at + 1]);
    if (total_.worst_ns.size() < report.worst_ns.size())
      total_.worst_ns.resize(report.worst_ns.size());
    for (std::size_t slot = 0; slot < report.worst_ns.size(); ++slot)
      total_.worst_ns[slot] = std::max(total_.worst_ns[slot], report.worst_ns[slot]);
  }
  RoleReport finish() {
    total_.elapsed_ns = total_.last_ns - total_.first_ns;
    if (latency_.count() > 0) total_.take(latency_);
    return total_;
  }

 private:
  RoleReport total_;
  Histogram latency_;
};

// Some publishers, some subscribers; each subscriber gets and checks everything.
Result<RunResult> run_streams(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  run.start_hub();
  std::vector<std::size_t> subscribers, publishers;
  for (unsigned number = 0; number < plan.subscribers; ++number) {
    subscribers.push_back(run.start("subscriber", number));
    run.await_ready(subscribers.back());
  }
  for (unsigned number = 0; number < plan.publishers; ++number) {
    publishers.push_back(run.start("publisher", number));
    run.await_ready(publishers.back());
  }
  for (const std::size_t publisher : publishers) run.tell(publisher, "go");
  Totals totals;
  for (const std::size_t publisher : publishers)
    totals.of_source.push_back(run.await_sent(publisher));
  for (const std::size_t subscriber : subscribers) run.tell(subscriber, encode(totals));
  Sum sum;
  for (const std::size_t subscriber : subscribers) sum.add(run.await_done(subscriber));
  RoleReport figures = sum.finish();
  figures.sent = totals.sum();
  for (const std::size_t publisher : publishers) {
    run.tell(publisher, "stop");
    const RoleReport sent = run.await_done(publisher);
    figures.back_pressured += sent.back_pressured;
    figures.sending_ns = std::max(figures.sending_ns, sent.sending_ns);
  }
  run.stop_hub();
  return run.result(figures, totals.sum() * plan.subscribers);
}

// One message in flight, there and back.
Result<RunResult> run_pingpong(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  run.start_hub();
  const std::size_t ponger = run.start("ponger");
  run.await_ready(ponger);
  const std::size_t pinger = run.start("pinger");
  run.await_ready(pinger);
  run.tell(pinger, "go");
  const RoleReport figures = run.await_done(pinger, 2 * plan.duration_ns);
  run.tell(ponger, "stop");
  run.await_done(ponger);
  run.stop_hub();
  return run.result(figures, figures.sent);
}

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
  run.tell(stream.source, "stop");
  const RoleReport sent = run.await_done(stream.source);
  report.sent = totals.sum();
  report.sending_ns = sent.sending_ns;
  report.back_pressured = sent.back_pressured;
  return report;
}

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
  if (!result || other.elapsed_ns == 0) return result;
  const double rate =
      static_cast<double>(other.received) * 1e9 / static_cast<double>(other.elapsed_ns);
  result.value().beside_rate = rate;
  char text[96];
  std::snprintf(text, sizeof text, "beside %.0f messages of bulk a second, %.0f MB/s", rate,
                rate * static_cast<double>(plan.bytes) / 1e6);
  result.value().note += (result.value().note.empty() ? "" : "; ") + std::string(text);
  return result;
}

bool fits_always(const System&) {
  return true;
}

constexpr Scenario scenarios[] = {
    {"pubsub", "one publisher to one subscriber", false, run_streams, fits_always},
    {"fanout", "one publisher to several subscribers, each of which gets everything", false,
     run_streams, [](const System& system) { return system.has_fanout; }},
    {"fanin", "several publishers to one subscriber", false, run_streams,
     [](const System& system) { return system.has_fanin; }},
    {"pingpong", "one message in flight, there and back: round-trip percentiles", true,
     run_pingpong, fits_always},
    {"lanes", "64 B on the lane high beside saturating bulk of --size, or a raw pair as busy",
     false, run_lanes,
     [](const System& system) { return &system == &abuzz_system || system.hub == nullptr; }},
};

}  // namespace

bool RunResult::is_verified() const noexcept {
  return figures.received != 0 && figures.received == expected && figures.lost == 0 &&
         figures.reordered == 0 && figures.doubled == 0 && figures.corrupt == 0 &&
         figures.elapsed_ns != 0;
}

double RunResult::rate() const noexcept {
  if (!is_verified()) return 0;
  const std::uint64_t count = figures.measured != 0 ? figures.measured : figures.received;
  return static_cast<double>(count) * 1e9 / static_cast<double>(figures.elapsed_ns);
}

double RunResult::achieved_rate() const noexcept {
  if (figures.sending_ns == 0) return 0;
  return static_cast<double>(figures.sent) * 1e9 / static_cast<double>(figures.sending_ns);
}

double RunResult::cpu_ns_per_message() const noexcept {
  std::uint64_t cpu_ns = 0;
  for (const ProcessCost& process : processes) cpu_ns += process.cpu_ns;
  if (figures.received == 0) return 0;
  return static_cast<double>(cpu_ns) / static_cast<double>(figures.received);
}

const Scenario* find_scenario(std::string_view name) noexcept {
  for (const Scenario& scenario : scenarios) {
    if (name == scenario.name) return &scenario;
  }
  return nullptr;
}

std::string scenario_names() {
  std::string names;
  for (const Scenario& scenario : scenarios) {
    if (!names.empty()) names += ", ";
    names += scenario.name;
  }
  return names;
}

Result<RunResult> run_once(const RunPlan& plan, int& signal) {
  return find_scenario(plan.scenario)->run(plan, signal);
}

}  // namespace abuzz::bench
