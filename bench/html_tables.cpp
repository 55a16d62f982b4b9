#include "bench/html_tables.hpp"

#include <cstdio>

#include "bench/figures.hpp"
#include "bench/heritage.hpp"
#include "bench/repeat.hpp"
#include "bench/svg.hpp"

namespace abuzz::bench {
namespace {

std::string cell(const std::string& text, bool is_bad = false) {
  return (is_bad ? "<td class=\"bad\">" : "<td>") + escape_html(text) + "</td>";
}
// "190 / 204 / 231"
std::string spread_cell(const Spread& spread, std::string (*text)(double)) {
  return cell(text(spread.min) + " / " + text(spread.median) + " / " + text(spread.max));
}
// Three digits, without exponents.
std::string plain(double value) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*f", value >= 100 ? 0 : value >= 10 ? 1 : 2, value);
  return buffer;
}

std::string latency_cells(const RunGroup& group) {
  std::string out;
  for (const Percentile& percentile : percentiles) {
    const bool is_there = is_about_latency(group.plan()) && group.verified_count() > 0 &&
                          is_resolved(percentile, group.runs.front()->figures.timed);
    out += is_there ? spread_cell(group.spread([&](const RunResult& run) {
      return micros(run.figures.*percentile.value);
    }),
                                  plain)
                    : cell("");
  }
  return out;
}

std::string row(const RunGroup& group, const BenchOptions& options) {
  const RunPlan& plan = group.plan();
  const bool is_whole = group.verified_count() == group.runs.size();
  std::string out =
      "<tr>" + cell(plan.title() + ", " + std::to_string(plan.bytes) + " B") + cell(group.name()) +
      cell(std::to_string(group.verified_count()) + " of " + std::to_string(group.runs.size()),
           !is_whole);
  const bool has_rate = group.verified_count() > 0;
  out += plan.rate > 0 && has_rate
             ? spread_cell(group.spread([](const RunResult& run) { return run.achieved_rate(); }),
                           rate_text)
             : cell("");
  out += has_rate
             ? spread_cell(group.spread([](const RunResult& run) { return run.rate(); }), rate_text)
             : cell("no rate", true);
  out += latency_cells(group);
  out += has_rate ? spread_cell(group.spread([](const RunResult& run) {
    return run.cpu_ns_per_message() / 1e3;
  }),
                                plain)
                  : cell("");
  for (const auto figure : {&RoleReport::sent, &RoleReport::received, &RoleReport::lost,
                            &RoleReport::doubled, &RoleReport::reordered, &RoleReport::corrupt}) {
    std::uint64_t sum = 0;
    for (const RunResult* run : group.runs) sum += run->figures.*figure;
    const bool is_fault = figure != &RoleReport::sent && figure != &RoleReport::received;
    out += cell(std::to_string(sum), is_fault && sum > 0);
  }
  const RunResult& first = *group.runs.front();
  out += cell(first.link) + cell(first.placement) +
         cell(first.fault.empty() ? first.note : first.fault);
  return out + "<td><code>" + escape_html(command_for(plan, options)) + "</code></td></tr>\n";
}

}  // namespace

std::string number(double value, int digits) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

std::string rate_text(double a_second) {
  if (a_second >= 1e6) return number(a_second / 1e6, 3) + "M/s";
  return a_second >= 1e3 ? number(a_second / 1e3, 3) + "k/s" : number(a_second, 3) + "/s";
}

std::string figures_table(const std::vector<RunGroup>& groups, const BenchOptions& options) {
  std::string out =
      "<div class=\"wide\"><table><tr><th>scenario</th><th>system</th><th>runs verified</th>"
      "<th>sent a second</th><th>received a second</th><th>p50 us</th><th>p90 us</th><th>p99 "
      "us</th>"
      "<th>p99.9 us</th><th>p99.99 us</th><th>max us</th><th>CPU us/msg</th><th>sent</th>"
      "<th>received</th><th>lost</th><th>doubled</th><th>reordered</th><th>corrupt</th>"
      "<th>link</th><th>threads</th><th>note</th><th>again</th></tr>\n";
  for (const RunGroup& group : groups) out += row(group, options);
  return out + "</table></div>\n";
}

std::string floors_table(const std::vector<RunGroup>& groups) {
  std::string rows;
  for (const RunGroup& group : groups) {
    const RunPlan& plan = group.plan();
    if (plan.load == nullptr) continue;
    std::uint64_t unaccounted = 0;
    for (const RunResult* run : group.runs) unaccounted += run->unaccounted();
    const double p95 = micros(group.latency().at(0.95));
    rows += "<tr>" + cell(plan.load->name) + cell(std::to_string(plan.load->agents)) +
            cell(std::to_string(heritage_processes)) + cell(std::to_string(plan.load->messages)) +
            cell(std::to_string(plan.load->tasks)) +
            cell(std::to_string(unaccounted), unaccounted > 0) +
            cell(number(p95), !(p95 > 0 && p95 < heritage_p95_us_max)) + "</tr>\n";
  }
  if (rows.empty()) return {};
  return "<h2>Heritage loads and their floors</h2>\n<p class=\"soft\">Nothing may be unaccounted "
         "for, and p95 is to be under " +
         number(heritage_p95_us_max) +
         " us.</p>\n<div class=\"wide\"><table><tr><th>load</th><th>logical agents</th>"
         "<th>processes</th><th>messages</th><th>tasks</th><th>unaccounted</th><th>p95 us</th>"
         "</tr>\n" +
         rows + "</table></div>\n";
}

std::string ratio_table(const std::vector<Ratio>& ratios) {
  if (ratios.empty()) return {};
  std::string out =
      "<h2>Abuzz over the others</h2>\n<p class=\"soft\">Of each round, in which every system has "
      "a turn. "
      "Rates: "
      "higher is better; latencies: lower.</p>\n<div class=\"wide\"><table><tr><th>scenario</th>"
      "<th>over</th><th>figure</th><th>min</th><th>median</th><th>max</th><th>pairs</th></tr>\n";
  for (const Ratio& ratio : ratios) {
    const bool is_latency = ratio.p99.median > 0;
    const std::string kind = ratio.scenario + ", " + std::to_string(ratio.bytes) + " B" +
                             (ratio.rate > 0 ? " at " + rate_text(ratio.rate) : "");
    const auto add = [&](const char* figure, const Spread& spread) {
      out += "<tr>" + cell(kind) + cell(ratio.system) + cell(figure) + cell(number(spread.min, 3)) +
             cell(number(spread.median, 3)) + cell(number(spread.max, 3)) +
             cell(std::to_string(ratio.pairs)) + "</tr>\n";
    };
    add(is_latency ? "p50" : "rate", ratio.main);
    if (is_latency) add("p99", ratio.p99);
  }
  return out + "</table></div>\n";
}

}  // namespace abuzz::bench
