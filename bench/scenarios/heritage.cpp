#include "bench/heritage.hpp"

#include <algorithm>
#include <cstdio>

#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"
#include "bench/share_check.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

std::string joined_text(const HeritageLoad& load, std::int64_t started_ns) {
  char text[96];
  std::snprintf(text, sizeof text, "%u agents joined in %.2f s", load.agents,
                static_cast<double>(now_ns() - started_ns) / 1e9);
  return text;
}

}  // namespace

// Every process holds its part of the agents, sends for them at its part of the rate, and receives
// for them; messages are checked agent by agent, tasks over all of them.
Result<RunResult> run_heritage(const RunPlan& plan, int& signal) {
  const HeritageLoad& load = *plan.load;
  Run run(plan, signal);
  run.start_hub();
  const std::int64_t started_ns = now_ns();
  const std::vector<std::size_t> crowds = run.start_all("crowd", heritage_processes);
  run.note(joined_text(load, started_ns));
  for (const std::size_t crowd : crowds) run.tell(crowd, "go");
  std::uint64_t sent = 0;
  for (const std::size_t crowd : crowds) sent += run.await_sent(crowd);
  Totals tasks;
  for (unsigned process = 0; process < heritage_processes; ++process)
    tasks.of_source.push_back(heritage_part(load, process).tasks);
  Sum sum;
  std::uint64_t sending_ns = 0, refusals = 0;
  for (const std::size_t crowd : crowds) {
    run.tell(crowd, "stop");
    const RoleReport done = run.await_done(crowd);
    sending_ns = std::max(sending_ns, done.sending_ns);
    refusals += done.back_pressured;
    sum.add(done);
  }
  RoleReport figures = sum.finish();
  figures.sent = sent;
  figures.sending_ns = sending_ns;
  figures.back_pressured = refusals;
  compare_shares(tasks, figures);
  run.stop_hub();
  return run.result(figures, std::uint64_t{load.messages} + load.tasks);
}

}  // namespace abuzz::bench
