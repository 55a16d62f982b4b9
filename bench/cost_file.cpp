#include "bench/cost_file.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/bench.hpp"

namespace abuzz::bench {
namespace {

using Json = nlohmann::ordered_json;

// What callgrind calls a function may hold any bytes.
constexpr auto lenient = Json::error_handler_t::replace;

Json row_of(const Judge& judge) {
  const Interval ratio = judge.ratio();
  const auto known = [&](double value) { return ratio.is_known() ? Json(value) : Json(nullptr); };
  return {{"figure", judge.figure()},
          {"ratio", known(ratio.middle)},
          {"low", known(ratio.low)},
          {"high", known(ratio.high)},
          {"pairs", judge.pairs()}};
}

Json row_of(const Comparison::Side& side) {
  return {{"runs", side.runs},
          {"unverified", side.unverified},
          {"sent", side.sum.sent},
          {"received", side.sum.received},
          {"lost", side.sum.lost},
          {"doubled", side.sum.doubled},
          {"reordered", side.sum.reordered},
          {"corrupt", side.sum.corrupt}};
}

}  // namespace

std::string encode_costs(const std::vector<Cost>& costs, const std::string& machine) {
  Json document = {{"v", 1}, {"kind", "cost"}, {"machine", machine}, {"cost", Json::array()}};
  for (const Cost& cost : costs)
    document["cost"].push_back({{"bytes", cost.bytes},
                                {"messages", cost.messages},
                                {"instructions", cost.instructions},
                                {"system_calls", cost.system_calls},
                                {"allocations", cost.allocations},
                                {"moved_bytes", cost.moved_bytes},
                                {"functions", cost.functions},
                                {"others", cost.others}});
  return document.dump(1, ' ', false, lenient) + "\n";
}

StoredCosts read_costs(const std::string& path) {
  std::ifstream file(path);
  const auto document = Json::parse(file, nullptr, false);
  StoredCosts stored;
  std::vector<Cost>& costs = stored.costs;
  if (!document.is_object()) return stored;
  try {
    if (document.at("kind") != "cost") return stored;
    stored.machine = document.at("machine");
    for (const auto& row : document.at("cost")) {
      Cost cost;
      cost.bytes = row.at("bytes");
      cost.messages = row.at("messages");
      cost.instructions = row.at("instructions");
      cost.system_calls = row.at("system_calls");
      cost.allocations = row.at("allocations");
      cost.moved_bytes = row.at("moved_bytes");
      for (const auto& [name, count] : row.at("functions").items()) cost.functions[name] = count;
      for (const auto& name : row.at("others")) cost.others.insert(name.get<std::string>());
      costs.push_back(std::move(cost));
    }
  } catch (const nlohmann::json::exception&) {
    costs.clear();
  }
  return stored;
}

std::string encode(const BenchOptions& options, const std::string& machine,
                   const Comparison& comparison) {
  Json document = {{"v", 1},
                   {"kind", "comparison"},
                   {"command", options.command},
                   {"machine", machine},
                   {"against", options.against},
                   {"scenario", options.scenarios.front()},
                   {"seed", options.seed},
                   {"gate", options.gate},
                   {"this_build", row_of(comparison.our_runs)},
                   {"other", row_of(comparison.their_runs)},
                   {"verdict", verdict_name(comparison.verdict)},
                   {"seconds", comparison.seconds},
                   {"figures", Json::array()}};
  for (const Judge& judge : comparison.judges) document["figures"].push_back(row_of(judge));
  if (comparison.ours)
    document["figures"].push_back(
        {{"figure", "instructions a message"},
         {"ratio", instruction_ratio(*comparison.ours, *comparison.theirs)}});
  return document.dump(1, ' ', false, lenient) + "\n";
}

}  // namespace abuzz::bench
