#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"
#include "bench/share_check.hpp"

namespace abuzz::bench {

// One publisher, and a group of workers that acknowledge: each message goes to one of them. The
// publisher has sent everything only when everything was acknowledged.
Result<RunResult> run_queue(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  run.start_hub();
  const std::vector<std::size_t> workers = run.start_all("worker", plan.subscribers);
  const std::vector<std::size_t> publishers = run.start_all("publisher", plan.publishers);
  for (const std::size_t publisher : publishers) run.tell(publisher, "go");
  Totals totals;
  for (const std::size_t publisher : publishers)
    totals.of_source.push_back(run.await_sent(publisher));
  RoleReport sent;
  run.stop_publishers(publishers, sent);
  Sum sum;
  for (const std::size_t worker : workers) {
    run.tell(worker, "stop");
    sum.add(run.await_done(worker));
  }
  RoleReport figures = sum.finish();
  figures.sent = totals.sum();
  figures.sending_ns = sent.sending_ns;
  figures.back_pressured = sent.back_pressured;
  compare_shares(totals, figures);
  run.stop_hub();
  return run.result(figures, totals.sum());
}

}  // namespace abuzz::bench
