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
  return {{"figure", judge.figure()},
          {"ratio", ratio.middle},
          {"low", ratio.low},
          {"high", ratio.high},
          {"pairs", judge.pairs()}};
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

std::vector<Cost> read_costs(const std::string& path) {
  std::ifstream file(path);
  const auto document = Json::parse(file, nullptr, false);
  std::vector<Cost> costs;
  if (!document.is_object() || document.value("kind", "") != "cost") return costs;
  try {
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
  return costs;
}

std::string encode(const BenchOptions& options, const Comparison& comparison) {
  Json document = {{"v", 1},
                   {"kind", "comparison"},
                   {"command", options.command},
                   {"against", options.against},
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
