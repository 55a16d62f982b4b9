#pragma once

#include <string>

#include "bench/bench.hpp"
#include "bench/histogram.hpp"

namespace abuzz::bench {

// The whole report as one HTML page that needs nothing from elsewhere: charts as inline SVG, a
// table of every figure, the raw document inside. Readable in light and in dark.
std::string html_of(const BenchReport& report);

// A distribution of latency in the format of HdrHistogram's percentile files (.hgrm), in
// microseconds: five lines each time the distance to 100 % halves.
std::string hgrm_of(const Histogram& histogram);
// All of a report, one after the other, each behind a line that names it with '#'.
std::string hgrm_of(const BenchReport& report);

}  // namespace abuzz::bench
