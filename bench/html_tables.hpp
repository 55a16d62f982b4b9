#pragma once

#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "bench/groups.hpp"

// Parts of the page of html_report.cpp.

namespace abuzz::bench {

// Colours in light and dark, and the classes that charts use.
std::string page_style();
// Every figure, a line a group.
std::string figures_table(const std::vector<RunGroup>& groups, const BenchOptions& options);
// The loads of the scenario heritage beside what they must reach; empty without any.
std::string floors_table(const std::vector<RunGroup>& groups);
// Abuzz over the others; empty without any.
std::string ratio_table(const std::vector<Ratio>& ratios);

std::string number(double value, int digits = 4);
// "714k/s", "2.95M/s"
std::string rate_text(double a_second);

}  // namespace abuzz::bench
