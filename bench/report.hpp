#pragma once

#include <string>

#include "bench/bench.hpp"

namespace abuzz::bench {

// What is about to be measured, where, and how the systems wait.
void print_heading(const BenchReport& report);
// For each size: the spread of each figure over the runs of each system, then the ratios.
void print_tables(const BenchReport& report);
// {"v":1,"runs":[...],"ratio":[...]}: every run as it was, in the order in which it was made.
std::string document_of(const BenchReport& report);

}  // namespace abuzz::bench
