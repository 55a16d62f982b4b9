#include "bench/slo.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "bench/figures.hpp"
#include "bench/groups.hpp"

namespace abuzz::bench {
namespace {

const Percentile* find_latency(std::string_view name) noexcept {
  for (const Percentile& percentile : percentiles) {
    if (name == percentile.name) return &percentile;
  }
  return nullptr;
}

// 0: not a unit of such a figure.
double factor_of(std::string_view unit, bool is_time) noexcept {
  if (is_time)
    return unit == "ns" ? 1 : unit == "us" ? 1e3 : unit == "ms" ? 1e6 : unit == "s" ? 1e9 : 0;
  return unit.empty() ? 1 : unit == "k" ? 1e3 : unit == "M" ? 1e6 : 0;
}

bool parse_one(std::string_view text, Condition& condition) {
  const std::size_t order = text.find_first_of("<>=");
  if (order == text.npos || order == 0) return false;
  const std::size_t value = text.find_first_not_of("<>=", order);
  if (value == text.npos) return false;
  condition.text = text;
  condition.figure = text.substr(0, order);
  condition.order = text.substr(order, value - order);
  const bool is_time = find_latency(condition.figure) != nullptr || condition.figure == "cpu";
  if (!is_time && condition.figure != "rate" && condition.figure != "loss") return false;
  const std::string_view orders[] = {"<", "<=", "=", ">=", ">"};
  if (std::find(std::begin(orders), std::end(orders), condition.order) == std::end(orders))
    return false;
  const std::string rest(text.substr(value));
  char* end = nullptr;
  const double number = std::strtod(rest.c_str(), &end);
  const double factor = factor_of(end, is_time);
  condition.value = number * factor;
  // strtod takes "inf" and hexadecimal numbers, too.
  const bool is_plain = std::isfinite(number) && rest.find_first_of("xX") == rest.npos;
  return end != rest.c_str() && factor > 0 && is_plain && number >= 0;
}

double found_in(const RunGroup& group, const Condition& condition) {
  if (condition.figure == "loss") {
    double lost = 0;
    for (const RunResult* run : group.runs) lost += static_cast<double>(run->unaccounted());
    return lost;
  }
  if (condition.figure == "rate")
    return group.spread([](const RunResult& run) { return run.rate(); }).median;
  if (condition.figure == "cpu")
    return group.spread([](const RunResult& run) { return run.cpu_ns_per_message(); }).median;
  const auto figure = find_latency(condition.figure)->value;
  return group
      .spread([figure](const RunResult& run) { return static_cast<double>(run.figures.*figure); })
      .median;
}

// Whether the group has the figure at all.
bool is_measured(const RunGroup& group, const Condition& condition) {
  if (condition.figure == "loss") return true;
  if (group.verified_count() == 0) return false;
  const Percentile* percentile = find_latency(condition.figure);
  if (percentile == nullptr) return true;
  return is_about_latency(group.plan()) &&
         is_resolved(*percentile, group.runs.front()->figures.timed);
}

}  // namespace

std::string parse_slo(std::string_view text, std::vector<Condition>& conditions) {
  while (true) {
    const std::size_t comma = text.find(',');
    Condition condition;
    if (!parse_one(text.substr(0, comma), condition))
      return "conditions are such as 'p99<50us,loss=0': p50 p90 p99 p99.9 p99.99 max cpu with ns "
             "us ms"
             " s; rate, loss";
    conditions.push_back(std::move(condition));
    if (comma == text.npos) return {};
    text.remove_prefix(comma + 1);
  }
}

bool holds(double found, std::string_view order, double wanted) noexcept {
  if (order == "<") return found < wanted;
  if (order == "<=") return found <= wanted;
  if (order == "=") return found == wanted;
  return order == ">" ? found > wanted : found >= wanted;
}

std::vector<std::string> unmet(const std::vector<Condition>& conditions,
                               const BenchReport& report) {
  std::vector<std::string> lines;
  for (const RunGroup& group : groups_of(report)) {
    if (group.plan().system != &abuzz_system) continue;
    for (const Condition& condition : conditions) {
      const std::string where = group.plan().title() + " " + std::to_string(group.plan().bytes) +
                                " B: " + condition.text + ", ";
      if (!is_measured(group, condition)) {
        lines.push_back(where + "not measured");
        continue;
      }
      const double found = found_in(group, condition);
      if (holds(found, condition.order, condition.value)) continue;
      char text[64];
      const bool is_time = condition.figure != "loss" && condition.figure != "rate";
      std::snprintf(text, sizeof text, is_time ? "found %.3f us" : "found %.0f",
                    is_time ? found / 1e3 : found);
      lines.push_back(where + text);
    }
  }
  return lines;
}

}  // namespace abuzz::bench
