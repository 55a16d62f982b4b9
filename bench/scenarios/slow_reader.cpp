#include <cstdio>

#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"

namespace abuzz::bench {

// One publisher at a rate, a subscriber that keeps up, and one that takes a tenth of a millisecond
// for each message. The figures are those of the first; what the second got stands in the note.
// Where the system says what it dropped, everything must be accounted for.
Result<RunResult> run_slow_reader(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  run.start_hub();
  const std::size_t fast = run.start("subscriber", 0);
  run.await_ready(fast);
  const std::size_t slow = run.start("laggard", 1);
  run.await_ready(slow);
  const std::size_t publisher = run.start("publisher");
  run.await_ready(publisher);
  run.tell(publisher, "go");
  const Totals totals{{run.await_sent(publisher)}};
  run.tell(fast, encode(totals));
  RoleReport figures = run.await_done(fast);
  run.tell(slow, "stop");
  const RoleReport behind = run.await_done(slow);
  figures.sent = totals.sum();
  run.stop_publishers({publisher}, figures);
  const RoleReport hub = run.stop_hub();
  figures.reordered += behind.reordered;
  figures.doubled += behind.doubled;
  figures.corrupt += behind.corrupt;
  char text[160];
  const bool is_told = plan.system->counts_drops;
  const std::uint64_t known = behind.received + hub.dropped;
  std::snprintf(text, sizeof text,
                is_told ? "slow reader: %llu of %llu received, %llu dropped and counted, %lld not"
                          " accounted for"
                        : "slow reader: %llu of %llu received by the end; drops are not told",
                static_cast<unsigned long long>(behind.received),
                static_cast<unsigned long long>(totals.sum()),
                static_cast<unsigned long long>(hub.dropped),
                static_cast<long long>(totals.sum() - known));
  run.note(text);
  if (is_told && known != totals.sum())
    figures.lost += known < totals.sum() ? totals.sum() - known : known - totals.sum();
  auto result = run.result(figures, totals.sum());
  if (result) result.value().received_beside = behind.received;
  return result;
}

}  // namespace abuzz::bench
