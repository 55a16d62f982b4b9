#include <algorithm>
#include <charconv>
#include <functional>
#include <sstream>
#include <string_view>

#include "bus/base/runtime_paths.hpp"
#include "bus/place/affinity.hpp"
#include "bus/place/text_file.hpp"
#include "bus/placement.hpp"

// What was measured, in a file of the runtime directory for each set of processors. It is true for
// one boot, as a virtual machine may wake up elsewhere.

namespace abuzz {
namespace {

constexpr std::string_view title = "abuzz measures 1";
constexpr std::size_t file_bytes_max = 16 << 10;
constexpr std::size_t pairs_max = 64;

std::string boot_id() {
  const std::string text = place::read_text("/proc/sys/kernel/random/boot_id");
  return text.substr(0, text.find('\n'));
}

std::string processors_of(const Topology& topology) {
  place::Processors processors;
  for (const Topology::Core& core : topology.cores) {
    processors.insert(processors.end(), core.processors.begin(), core.processors.end());
  }
  std::ranges::sort(processors);
  return place::processors_text(processors);
}

// For which machine it holds: the first lines of the file.
std::string heading(const Topology& topology) {
  return std::string(title) + "\nboot " + boot_id() + "\nprocessors " + processors_of(topology) +
         "\n";
}

// Whoever may use fewer processors does not overwrite what holds for more of them.
std::string path_of(const base::RuntimePaths& paths, const Topology& topology) {
  return paths.measures + "." + std::to_string(std::hash<std::string>{}(processors_of(topology)));
}

// Under a tight quota there may have been no time for all of it.
bool is_complete(const Measures& measures) {
  return measures.wake_same_us > 0 && std::ranges::all_of(measures.pairs, [](const auto& pair) {
           return pair.line_ns > 0 && pair.wake_us > 0;
         });
}

std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number, std::chars_format::fixed, 3).ptr};
}

// The next word, if it is a number and nothing else.
template <class Number>
bool take(std::istringstream& words, Number& number) {
  std::string word;
  if (!(words >> word)) return false;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (read.ec != std::errc() || read.ptr != word.data() + word.size()) return false;
  // Not a number compares as false.
  return number >= Number{0} && number <= Number{1'000'000'000};
}

bool take_line(const std::string& line, Measures& measures) {
  std::istringstream words(line);
  std::string name;
  words >> name;
  if (name == "pair") {
    Measures::Pair pair;
    const bool is_whole = take(words, pair.left) && take(words, pair.right) &&
                          take(words, pair.line_ns) && take(words, pair.wake_us);
    measures.pairs.push_back(pair);
    return measures.pairs.size() <= pairs_max && is_whole;
  }
  if (name == "wake_same_us") return take(words, measures.wake_same_us);
  if (name == "timer_late_us") return take(words, measures.timer_late_us);
  if (name == "timer_late_most_us") return take(words, measures.timer_late_most_us);
  return false;
}

}  // namespace

std::optional<Measures> kept_measures(const Config& config, const Topology& topology) {
  const base::RuntimePaths paths(runtime_directory(config));
  if (!check_runtime_directory(paths).ok()) return std::nullopt;
  const std::string text = base::read_small_file(path_of(paths, topology), file_bytes_max);
  const std::string head = heading(topology);
  if (!text.starts_with(head) || !text.ends_with("\nend\n")) return std::nullopt;
  std::istringstream lines(text.substr(head.size(), text.size() - head.size() - 4));
  Measures measures;
  for (std::string line; std::getline(lines, line);) {
    if (!take_line(line, measures)) return std::nullopt;
  }
  return measures;
}

Status keep_measures(const Config& config, const Topology& topology, const Measures& measures) {
  if (!is_complete(measures)) return Done{};
  const base::RuntimePaths paths(runtime_directory(config));
  if (Status prepared = prepare_runtime_directory(paths); !prepared.ok()) return prepared;
  std::string text = heading(topology);
  text += "wake_same_us " + number_text(measures.wake_same_us) + "\n";
  text += "timer_late_us " + number_text(measures.timer_late_us) + "\n";
  text += "timer_late_most_us " + number_text(measures.timer_late_most_us) + "\n";
  for (const Measures::Pair& pair : measures.pairs) {
    text += "pair " + std::to_string(pair.left) + " " + std::to_string(pair.right) + " " +
            number_text(pair.line_ns) + " " + number_text(pair.wake_us) + "\n";
  }
  return base::replace_small_file(path_of(paths, topology), text + "end\n");
}

}  // namespace abuzz
