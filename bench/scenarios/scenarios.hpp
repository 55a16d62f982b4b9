#pragma once

#include "bench/histogram.hpp"
#include "bench/scenario.hpp"

// The functions behind the table of scenario.cpp: each makes one run. They know which processes a
// scenario needs and in which order these are told what; everything else is Run's and the roles'.

namespace abuzz::bench {

Result<RunResult> run_streams(const RunPlan& plan, int& signal);
Result<RunResult> run_pingpong(const RunPlan& plan, int& signal);
Result<RunResult> run_request(const RunPlan& plan, int& signal);
Result<RunResult> run_lanes(const RunPlan& plan, int& signal);
Result<RunResult> run_queue(const RunPlan& plan, int& signal);
Result<RunResult> run_slow_reader(const RunPlan& plan, int& signal);
Result<RunResult> run_heritage(const RunPlan& plan, int& signal);

// What several receivers report, as one. `sent` and what belongs to it is the caller's to fill in.
class Sum {
 public:
  void add(const RoleReport& report);
  RoleReport finish();

 private:
  RoleReport total_;
  Histogram latency_;
};

}  // namespace abuzz::bench
