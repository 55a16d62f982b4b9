#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace abuzz::bench {

struct BenchReport;

// One condition of --slo: "p99<50us", "loss=0", "rate>=1M", "cpu<200ns".
struct Condition {
  std::string text;
  std::string figure;  // p50 p90 p99 p99.9 p99.99 max (ns), cpu (ns a message), rate (/s), loss
  std::string order;   // < <= = >= >
  double value = 0;
};

// Fills the conditions; what is wrong with the text, or nothing.
std::string parse_slo(std::string_view text, std::vector<Condition>& conditions);

// Checks what Abuzz did, group by group: medians over the runs, the sum of loss (what was not
// verified counts as lost). Each line is a condition that was not met; a figure that a scenario
// does not have is not met.
std::vector<std::string> unmet(const std::vector<Condition>& conditions, const BenchReport& report);

bool holds(double found, std::string_view order, double wanted) noexcept;

}  // namespace abuzz::bench
