#pragma once

#include <string>

#include "bench/bench.hpp"

namespace abuzz::bench {

// The whole report as one HTML page that needs nothing from elsewhere: charts as inline SVG, a
// table of every figure, the raw document inside. Readable in light and in dark.
std::string html_of(const BenchReport& report);

// The distributions of latency in the format of HdrHistogram's percentile files (.hgrm), one after
// the other, each behind a line that names it with '#'.
std::string hgrm_of(const BenchReport& report);

}  // namespace abuzz::bench
