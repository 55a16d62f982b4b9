#include "bench/role_report.hpp"

#include <nlohmann/json.hpp>

namespace abuzz::bench {
namespace {

struct RoleFigure {
  const char* name;
  std::uint64_t RoleReport::*value;
};
constexpr RoleFigure figures[] = {
    {"sent", &RoleReport::sent},
    {"received", &RoleReport::received},
    {"lost", &RoleReport::lost},
    {"reordered", &RoleReport::reordered},
    {"doubled", &RoleReport::doubled},
    {"corrupt", &RoleReport::corrupt},
    {"shared", &RoleReport::shared},
    {"fingerprint", &RoleReport::fingerprint},
    {"dropped", &RoleReport::dropped},
    {"moved_bytes", &RoleReport::moved_bytes},
    {"measured", &RoleReport::measured},
    {"elapsed_ns", &RoleReport::elapsed_ns},
    {"first_ns", &RoleReport::first_ns},
    {"last_ns", &RoleReport::last_ns},
    {"sending_ns", &RoleReport::sending_ns},
    {"cpu_ns", &RoleReport::cpu_ns},
    {"resident_kib", &RoleReport::resident_kib},
    {"back_pressured", &RoleReport::back_pressured},
    {"timed", &RoleReport::timed},
    {"p50_ns", &RoleReport::p50_ns},
    {"p90_ns", &RoleReport::p90_ns},
    {"p99_ns", &RoleReport::p99_ns},
    {"p999_ns", &RoleReport::p999_ns},
    {"p9999_ns", &RoleReport::p9999_ns},
    {"max_ns", &RoleReport::max_ns},
};

struct Text {
  const char* name;
  std::string RoleReport::*value;
};
constexpr Text texts[] = {{"text", &RoleReport::text},
                          {"link", &RoleReport::link},
                          {"placement", &RoleReport::placement}};

void take_numbers(const nlohmann::json& line, const char* name,
                  std::vector<std::uint64_t>& numbers) {
  const auto found = line.find(name);
  if (found == line.end() || !found->is_array()) return;
  for (const auto& item : *found)
    if (item.is_number_unsigned()) numbers.push_back(item.get<std::uint64_t>());
}

}  // namespace

void RoleReport::take(const Histogram& histogram) {
  timed = histogram.count();
  p50_ns = histogram.at(0.5);
  p90_ns = histogram.at(0.9);
  p99_ns = histogram.at(0.99);
  p999_ns = histogram.at(0.999);
  p9999_ns = histogram.at(0.9999);
  max_ns = histogram.max();
  buckets.clear();
  histogram.for_each([this](std::uint64_t value, std::uint64_t count) {
    buckets.push_back(value);
    buckets.push_back(count);
  });
}

std::string encode(const RoleReport& report) {
  nlohmann::json line = {{"event", report.event}};
  for (const auto& [name, value] : texts)
    if (!(report.*value).empty()) line[name] = report.*value;
  for (const RoleFigure& figure : figures) line[figure.name] = report.*figure.value;
  if (!report.buckets.empty()) line["buckets"] = report.buckets;
  if (!report.worst_ns.empty()) line["worst_ns"] = report.worst_ns;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool decode(std::string_view line, RoleReport& report) {
  const auto parsed = nlohmann::json::parse(line, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("event") || !parsed["event"].is_string()) {
    return false;
  }
  report.event = parsed["event"].get<std::string>();
  for (const auto& [name, value] : texts) {
    const auto text = parsed.find(name);
    if (text != parsed.end() && text->is_string()) report.*value = text->get<std::string>();
  }
  for (const RoleFigure& figure : figures) {
    const auto found = parsed.find(figure.name);
    if (found != parsed.end() && found->is_number_unsigned()) {
      report.*figure.value = found->get<std::uint64_t>();
    }
  }
  take_numbers(parsed, "buckets", report.buckets);
  take_numbers(parsed, "worst_ns", report.worst_ns);
  return true;
}

}  // namespace abuzz::bench
