#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/figures.hpp"
#include "bench/heritage.hpp"
#include "bench/histogram.hpp"
#include "bench/repeat.hpp"
#include "bench/report.hpp"

namespace abuzz::bench {
namespace {

using Json = nlohmann::ordered_json;

// The latency that so many of the messages do not exceed, from 0 to five nines: what a curve needs.
Json curve_of(const RoleReport& figures) {
  Histogram histogram;
  for (std::size_t at = 0; at + 1 < figures.buckets.size(); at += 2)
    histogram.add(figures.buckets[at], figures.buckets[at + 1]);
  Json curve = Json::array();
  for (double place = 0; place <= 5.0001; place += 0.1) {
    const double share = 1 - std::pow(10, -place);
    if (static_cast<double>(histogram.count()) * (1 - share) < 1) break;
    curve.push_back({share, micros(histogram.at(share))});
  }
  return curve;
}

void add_latency(Json& row, const RoleReport& figures) {
  for (const Percentile& percentile : percentiles) {
    const std::string key = std::string(percentile.name) + "_us";
    row[key] = is_resolved(percentile, figures.timed) ? Json(micros(figures.*percentile.value))
                                                      : Json(nullptr);
  }
  row["latency_us"] = curve_of(figures);
  for (const std::uint64_t worst : figures.worst_ns)
    row["worst_us_each_50ms"].push_back(micros(worst));
}

Json row_of(const RunResult& run, const BenchReport& report) {
  const RoleReport& figures = run.figures;
  Json row;
  row["system"] = run.plan.system->name;
  row["scenario"] = run.plan.scenario;
  if (run.plan.load != nullptr) {
    row["load"] = run.plan.load->name;
    row["agents"] = run.plan.load->agents;
    row["messages"] = run.plan.load->messages;
    row["tasks"] = run.plan.load->tasks;
  }
  row["bytes"] = run.plan.bytes;
  row["sent"] = figures.sent;
  row["received"] = figures.received;
  row["lost"] = figures.lost;
  row["reordered"] = figures.reordered;
  // No number without proof.
  row["rate"] = run.is_verified() ? Json(run.rate()) : Json(nullptr);
  row["verified"] = run.is_verified();
  row["doubled"] = figures.doubled;
  row["corrupt"] = figures.corrupt;
  row["expected"] = run.expected;
  row["publishers"] = run.plan.publishers;
  row["subscribers"] = run.plan.subscribers;
  if (run.plan.rate > 0) {
    row["offered_rate"] = run.plan.rate;
    row["achieved_rate"] = run.achieved_rate();
  }
  row["seconds"] = static_cast<double>(figures.elapsed_ns) / 1e9;
  row["back_pressured"] = figures.back_pressured;
  row["cpu_ns_per_message"] = run.cpu_ns_per_message();
  if (figures.timed != 0) add_latency(row, figures);
  for (const ProcessCost& process : run.processes) {
    row["processes"].push_back({{"role", process.role},
                                {"cpu_ns", process.cpu_ns},
                                {"resident_kib_max", process.resident_kib}});
  }
  if (run.beside_rate > 0) row["bulk_rate"] = run.beside_rate;
  if (!run.note.empty()) row["note"] = run.note;
  if (!run.link.empty()) row["link"] = run.link;
  if (!run.placement.empty()) row["placement"] = run.placement;
  if (!run.fault.empty()) row["fault"] = run.fault;
  row["again"] = command_for(run.plan, report.options);
  row["command"] = report.options.command;
  row["machine"] = report.environment.line();
  return row;
}

}  // namespace

std::string document_of(const BenchReport& report) {
  Json document = {
      {"v", 1}, {"systems", Json::array()}, {"runs", Json::array()}, {"ratio", Json::array()}};
  for (const std::string& name : report.options.systems) {
    const System& system = *find_system(name);
    Json row = {{"system", name}, {"route", system.route}, {"waits", system.waiting}};
    if (system.versions != nullptr) row["versions"] = system.versions();
    document["systems"].push_back(std::move(row));
  }
  for (const RunResult& run : report.runs) document["runs"].push_back(row_of(run, report));
  for (const Ratio& ratio : report.ratios) {
    if (ratio.pairs == 0) continue;
    Json row = {{"system", ratio.system}, {"scenario", ratio.scenario},  {"bytes", ratio.bytes},
                {"min", ratio.main.min},  {"median", ratio.main.median}, {"max", ratio.main.max},
                {"pairs", ratio.pairs}};
    if (ratio.rate > 0) row["offered_rate"] = ratio.rate;
    if (ratio.p99.median > 0) {
      row["p99_min"] = ratio.p99.min;
      row["p99_median"] = ratio.p99.median;
      row["p99_max"] = ratio.p99.max;
    }
    document["ratio"].push_back(std::move(row));
  }
  return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace abuzz::bench
