#include <algorithm>

#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"

namespace abuzz::bench {

// Some publishers, some subscribers; each subscriber gets and checks everything.
Result<RunResult> run_streams(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  run.start_hub();
  const std::vector<std::size_t> subscribers = run.start_all("subscriber", plan.subscribers);
  const std::vector<std::size_t> publishers = run.start_all("publisher", plan.publishers);
  for (const std::size_t publisher : publishers) run.tell(publisher, "go");
  Totals totals;
  for (const std::size_t publisher : publishers)
    totals.of_source.push_back(run.await_sent(publisher));
  for (const std::size_t subscriber : subscribers) run.tell(subscriber, encode(totals));
  Sum sum;
  for (const std::size_t subscriber : subscribers) sum.add(run.await_done(subscriber));
  RoleReport figures = sum.finish();
  figures.sent = totals.sum();
  run.stop_publishers(publishers, figures);
  run.stop_hub();
  return run.result(figures, totals.sum() * plan.subscribers);
}

}  // namespace abuzz::bench
