#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace abuzz::tools {

// The flags and arguments of one verb: declared, parsed, checked, and explained by --help. CLI11
// stands behind it in arguments.cpp only: its header costs seconds in each file that includes it.
//
// A declared target is written when parse() finds its flag, and must live until then. Of a repeated
// flag the last one counts.
class Arguments {
 public:
  // `verb` as the user types it, "node run"; `summary`: one sentence.
  Arguments(std::string verb, const std::string& summary);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // What is wrong with the text of a flag or an argument; empty if nothing is.
  using Reader = std::function<std::string(const std::string& text)>;

  void flag(const std::string& names, bool& target, const std::string& help);
  void hidden_flag(const std::string& names, bool& target);
  void text(const std::string& names, std::string& target, const std::string& help,
            const std::string& shape);
  // May be given several times.
  void texts(const std::string& names, std::vector<std::string>& target, const std::string& help,
             const std::string& shape);
  void count(const std::string& names, std::uint64_t& target, const std::string& help,
             std::uint64_t min, std::uint64_t max);
  void duration(const std::string& names, std::chrono::nanoseconds& target,
                const std::string& help);
  void value(const std::string& names, Reader reader, const std::string& help,
             const std::string& shape);

  // Positional, in order of declaration; the required ones first.
  void required(const std::string& name, std::string& target, const std::string& help);
  void optional(const std::string& name, std::string& target, const std::string& help);

  // A line below the flags in --help: a note or an example.
  void note(const std::string& line);

  // Nothing: go on. Otherwise the exit code: 0 after --help, 2 after a complaint on stderr.
  std::optional<int> parse(const std::vector<std::string>& words);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace abuzz::tools
