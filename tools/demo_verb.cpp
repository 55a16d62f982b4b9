#include "tools/demo_verb.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// tidy: the verb and its agents read one list of texts.
#include "agents/texts.hpp"
#include "bus/error.hpp"
#include "tools/arguments.hpp"
#include "tools/complaint.hpp"
#include "tools/demo_team.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

constexpr const char* summary =
    "Set a small team of agents to work: a reader publishes the lines of texts, indexers count\n"
    "their words, a collector merges the counts. Each is a process; all they share is the bus.\n"
    "The result is compared with a count by one process alone.";

// Paths may stand anywhere among the flags; behind "--" everything is one.
std::vector<std::string> take_paths(const std::vector<std::string>& words,
                                    std::vector<std::string>& paths) {
  std::vector<std::string> flags;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      paths.insert(paths.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
      break;
    }
    const bool has_value = word == "--indexers" || word == "--top" || word == "--timeout";
    if (!word.starts_with('-')) {
      paths.push_back(word);
      continue;
    }
    flags.push_back(word);
    if (has_value && at + 1 < words.size()) flags.push_back(words[++at]);
  }
  return flags;
}

std::optional<int> read_options(const std::vector<std::string>& words, DemoOptions& options) {
  Arguments arguments("demo", summary);
  std::string none;  // take_paths has them all
  arguments.optional("PATH", none,
                     "Files and folders, any number; default /usr/share/common-licenses");
  arguments.count("--indexers", options.indexers, "How many agents count; default 3", 1, 64);
  arguments.count("--top", options.top, "How many words to show; default 10", 0, 1000);
  arguments.duration("--timeout", options.timeout,
                     "Give up (exit 5) after this long without progress, 0s: at once; default 30s");
  arguments.flag("--json", options.is_json, "Print the result as JSON");
  SharedFlags taken;  // for the help: main() has taken them out of the words
  add_config_flags(arguments, taken);
  arguments.note(
      "Exit codes: 0 the counts are equal and nothing was lost, 6 they are not. Examples:");
  arguments.note("  abuzz demo");
  arguments.note("  abuzz demo ~/texts notes.txt --top 20");
  const auto code = arguments.parse(take_paths(words, options.paths));
  if (options.paths.empty()) options.paths.emplace_back("/usr/share/common-licenses");
  return code;
}

// A short name that two demos at once do not share.
std::string make_run_name() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device device;
  std::string name = "r";
  for (int i = 0; i < 6; ++i) name += letters[device() % letters.size()];
  return name;
}

// Holds the list of texts while the demo runs.
class ListFile {
 public:
  explicit ListFile(const demo::Texts& texts) {
    std::string pattern = "/tmp/abuzz-demo-XXXXXX";
    const int descriptor = mkstemp(pattern.data());
    if (descriptor < 0) {
      status_ = Failure{Error::system, std::string("mkstemp in /tmp: ") + std::strerror(errno)};
      return;
    }
    close(descriptor);
    path_ = pattern;
    status_ = demo::write_list(path_, texts);
  }
  ~ListFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  ListFile(const ListFile&) = delete;
  ListFile& operator=(const ListFile&) = delete;
  const Status& status() const noexcept { return status_; }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  Status status_ = Done{};
};

// Folders may be large: a signal ends the search, and nothing is left behind yet.
Result<demo::Texts> find_texts(const std::vector<std::string>& paths) {
  Result<demo::Texts> texts = Error::unreadable_input;
  Signals signals({SIGINT, SIGTERM, SIGHUP});
  signals.end_process_during([&] { texts = demo::find_texts(paths); });
  return texts;
}

}  // namespace

int run_demo(int argc, char** argv) {
  DemoOptions options;
  if (const auto code = read_options({argv + 1, argv + argc}, options)) return *code;
  Result<demo::Texts> texts = find_texts(options.paths);
  if (!texts) return complain(texts.failure());
  const ListFile list(texts.value());
  if (!list.status()) return complain(list.status().failure());

  DemoOutcome outcome;
  outcome.run = make_run_name();
  outcome.files = texts.value().files.size();
  outcome.skipped = texts.value().skipped;
  DemoTeam team(options, outcome.run);
  const Status started = team.start(list.path());
  if (!started) return complain(started.failure());
  const int failed = team.watch(outcome);
  if (failed != 0) return failed;

  const bool is_right = outcome.is_equal() && outcome.lost() == 0;
  if (!is_right) {
    complain(Error::criterion_not_met,
             "the demo lost messages or counted otherwise than one "
             "process alone");
  }
  const int code = is_right ? 0 : error_info(Error::criterion_not_met).exit_code;
  return print_and_end(
      options.is_json ? json_of(outcome) : table_of(outcome, wants_colour(STDOUT_FILENO)), code);
}

}  // namespace abuzz::tools
