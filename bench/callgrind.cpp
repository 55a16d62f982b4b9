#include "bench/callgrind.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>

namespace abuzz::bench {
namespace {

// "fn=(12) name" defines number 12, "fn=(12)" means it. A line of costs is a position and a number
// for each event; behind "calls=" it is what the called function took, and not the caller's own.
class Reader {
 public:
  void take(const std::string& line) {
    if (line.starts_with("fn=")) {
      function_ = name_of(line.substr(3));
    } else if (line.starts_with("cfn=")) {
      called_ = name_of(line.substr(4));
    } else if (line.starts_with("calls=")) {
      is_call_ = true;
      if (allocators.contains(called_))
        profile.allocations += std::strtoull(line.c_str() + 6, nullptr, 10);
    } else if (!line.empty() && std::string_view("0123456789+-*").find(line[0]) != line.npos) {
      take_costs(line);
    }
  }
  CallgrindProfile profile;

 private:
  static inline const std::set<std::string> allocators{"malloc", "calloc", "realloc",
                                                       "aligned_alloc", "posix_memalign"};

  std::string name_of(const std::string& text) {
    const std::size_t end = text.find(')');
    if (end == text.npos) return text;
    const std::string number = text.substr(0, end + 1);
    if (text.size() > end + 2) names_[number] = text.substr(end + 2);
    return names_[number];
  }
  void take_costs(const std::string& line) {
    if (is_call_) {
      is_call_ = false;
      return;
    }
    const std::size_t blank = line.find(' ');
    if (blank == line.npos) return;
    char* rest = nullptr;
    profile.instructions[function_] += std::strtoull(line.c_str() + blank, &rest, 10);
    profile.system_calls += std::strtoull(rest, nullptr, 10);
  }

  std::map<std::string, std::string> names_;
  std::string function_, called_;
  bool is_call_ = false;
};

}  // namespace

CallgrindProfile read_callgrind(const std::string& path) {
  std::ifstream file(path);
  Reader reader;
  for (std::string line; std::getline(file, line);) reader.take(line);
  return std::move(reader.profile);
}

std::map<std::string, std::uint64_t> repeatable(const std::vector<CallgrindProfile>& runs,
                                                double tolerance) {
  std::map<std::string, std::uint64_t> kept;
  if (runs.empty()) return kept;
  for (const auto& [name, ignored] : runs.front().instructions) {
    std::vector<std::uint64_t> counts;
    for (const CallgrindProfile& run : runs) {
      const auto found = run.instructions.find(name);
      counts.push_back(found == run.instructions.end() ? 0 : found->second);
    }
    std::sort(counts.begin(), counts.end());
    const auto most = static_cast<double>(counts.back());
    if (most - static_cast<double>(counts.front()) <= tolerance * most)
      kept[name] = counts[counts.size() / 2];
  }
  return kept;
}

}  // namespace abuzz::bench
