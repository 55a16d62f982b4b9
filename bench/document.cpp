#include <nlohmann/json.hpp>

#include "bench/heritage.hpp"
#include "bench/report.hpp"

namespace abuzz::bench {
namespace {

using Json = nlohmann::ordered_json;

double us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
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
  if (figures.p50_ns != 0) {
    row["p50_us"] = us(figures.p50_ns);
    row["p90_us"] = us(figures.p90_ns);
    row["p99_us"] = us(figures.p99_ns);
    row["p99.9_us"] = us(figures.p999_ns);
    row["p99.99_us"] = us(figures.p9999_ns);
    row["max_us"] = us(figures.max_ns);
  }
  for (const ProcessCost& process : run.processes) {
    row["processes"].push_back({{"role", process.role},
                                {"cpu_ns", process.cpu_ns},
                                {"resident_kib_max", process.resident_kib}});
  }
  if (run.beside_rate > 0) row["bulk_rate"] = run.beside_rate;
  if (!run.note.empty()) row["note"] = run.note;
  if (!run.link.empty()) row["link"] = run.link;
  if (!run.placement.empty()) row["placement"] = run.placement;
  row["command"] = report.options.command;
  row["machine"] = report.environment.line();
  return row;
}

}  // namespace

std::string document_of(const BenchReport& report) {
  Json document = {{"v", 1}, {"runs", Json::array()}, {"ratio", Json::array()}};
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
