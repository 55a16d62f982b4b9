#include "bench/run.hpp"
#include "bench/scenarios/scenarios.hpp"

namespace abuzz::bench {
namespace {

Result<RunResult> run_round_trips(const RunPlan& plan, int& signal, const char* answering,
                                  const char* asking) {
  Run run(plan, signal);
  run.start_hub();
  const std::size_t answerer = run.start(answering);
  run.await_ready(answerer);
  const std::size_t asker = run.start(asking);
  run.await_ready(asker);
  run.tell(asker, "go");
  const RoleReport figures = run.await_done(asker, 2 * plan.duration_ns);
  run.tell(answerer, "stop");
  run.await_done(answerer);
  run.stop_hub();
  return run.result(figures, figures.sent);
}

}  // namespace

// One message in flight, there and back.
Result<RunResult> run_pingpong(const RunPlan& plan, int& signal) {
  return run_round_trips(plan, signal, "ponger", "pinger");
}

// The same by what the system has for requests and their replies.
Result<RunResult> run_request(const RunPlan& plan, int& signal) {
  return run_round_trips(plan, signal, "responder", "requester");
}

}  // namespace abuzz::bench
