#include "bus/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

constexpr std::string_view overview = R"(What is set, where it came from, and what it means.

Usage: abuzz config VERB [OPTIONS]

  show      every key with its value; --origin says where each came from
  init      write a commented file with all defaults
  explain   one key, or one section

A config file is read only when --config or ABUZZ_CONFIG names it. Precedence: flag, environment
(ABUZZ_SECTION__KEY), file, default. `abuzz config VERB --help` says more.
)";

void write_key(JsonWriter& json, const ConfigOrigin& origin) {
  json.begin_object().field("key", origin.key).field("value", origin.value);
  json.field("origin", origin.origin).field("comment", origin.comment).end_object();
}

std::string section_of(const std::string& key) {
  return key.substr(0, key.find('.'));
}

int run_show(const Words& words) {
  SharedFlags flags;
  bool with_origin = false;
  Arguments arguments("config show", "Every key with its value.");
  arguments.flag("--origin", with_origin, "Say where each value came from");
  add_shared_flags(arguments, flags);
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  std::string text;
  if (flags.json) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u).key("keys").begin_array();
    for (const ConfigOrigin& origin : loaded.value().origins) write_key(json, origin);
    json.end_array().end_object();
    return print_and_end(text + "\n");
  }
  const bool colour = wants_colour(1);
  std::string section;
  for (const ConfigOrigin& origin : loaded.value().origins) {
    if (section_of(origin.key) != section) {
      if (!section.empty()) text += "\n";
      section = section_of(origin.key);
      text += "[" + section + "]\n";
    }
    std::string line = origin.key.substr(section.size() + 1) + " = " + origin.value;
    if (with_origin) {
      line.resize(std::max<std::size_t>(line.size() + 2, 36), ' ');
      line += shaded("# " + origin.origin, Shade::dim, colour);
    }
    text += line + "\n";
  }
  return print_and_end(text);
}

// What `--force` replaces: a file, also through symbolic links, and nothing else.
Result<std::string> find_target(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return path;
    return Failure{Error::system, "stat " + path + ": " + std::strerror(errno)};
  }
  if (!S_ISREG(facts.st_mode)) {
    return Failure{Error::system, path + " is not a regular file; '-' prints to stdout"};
  }
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return Failure{Error::system, path + ": " + std::strerror(errno)};
  std::string target = resolved;
  std::free(resolved);
  return target;
}

// Writes all of `text` to a file that did not exist, or replaces one at once with `force`.
Status write_new_file(const std::string& path, const std::string& text, bool force) {
  std::string target = path;
  if (force) {
    Result<std::string> found = find_target(path);
    if (!found.ok()) return found.failure();
    target = std::move(found).value();
  }
  // Beside it, under a name that nobody has.
  std::string fresh = force ? target + ".XXXXXX" : target;
  const int file = force ? ::mkostemp(fresh.data(), O_CLOEXEC)
                         : ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_EXCL, 0644);
  if (file < 0 && errno == EEXIST) {
    return Failure{Error::system, path + " exists; --force overwrites it"};
  }
  if (file < 0) return Failure{Error::system, "open " + fresh + ": " + std::strerror(errno)};
  Output output(file);
  output.append(text);
  bool written = output.flush() == Output::State::open;
  if (force) written = ::fchmod(file, 0644) == 0 && written;
  written = ::close(file) == 0 && written;
  if (written && force) written = ::rename(fresh.c_str(), target.c_str()) == 0;
  if (written) return Done{};
  Failure failure{Error::system, "write " + path + ": " + std::strerror(errno)};
  ::unlink(fresh.c_str());
  return failure;
}

int run_init(const Words& words) {
  std::string path = "abuzz.toml";
  bool force = false;
  SharedFlags flags;
  Arguments arguments("config init", "Write a commented file with all defaults.");
  arguments.optional("PATH", path, "Where to; '-' prints it; default: abuzz.toml");
  arguments.flag("--force", force, "Overwrite a file that is there");
  add_shared_flags(arguments, flags);
  arguments.note("No command reads it by itself: name it with --config or ABUZZ_CONFIG.");
  if (const auto code = arguments.parse(words)) return *code;
  if (path == "-") return print_and_end(default_config_file());
  const Status written = write_new_file(path, default_config_file(), force);
  if (!written.ok()) return complain(written.failure());
  if (!flags.json) {
    return print_and_end("wrote " + path + "; use it with `abuzz --config " + path + " VERB`\n");
  }
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field("path", path).end_object();
  return print_and_end(text + "\n");
}

int run_explain(const Words& words) {
  SharedFlags flags;
  std::string key;
  Arguments arguments("config explain", "One key: what it means, its range, its value.");
  arguments.required("KEY", key, "Such as node.idle_exit, or a section such as node");
  add_shared_flags(arguments, flags);
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  std::vector<const ConfigOrigin*> found;
  std::vector<std::string_view> known;
  for (const ConfigOrigin& origin : loaded.value().origins) {
    if (origin.key == key || section_of(origin.key) == key) found.push_back(&origin);
    known.push_back(origin.key);
  }
  if (found.empty()) {
    const std::string_view near = nearest(key, known);
    return complain(Error::config_unknown_key,
                    "there is no config key " + in_quotes(key) +
                        (near.empty() ? std::string("; `abuzz config show` lists them")
                                      : "; did you mean " + std::string(near) + "?"));
  }
  std::string text;
  if (flags.json) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u).key("keys").begin_array();
    for (const ConfigOrigin* origin : found) write_key(json, *origin);
    json.end_array().end_object();
    return print_and_end(text + "\n");
  }
  for (const ConfigOrigin* origin : found) {
    if (!text.empty()) text += "\n";
    text += shaded(origin->key, Shade::bold, wants_colour(1)) + " = " + origin->value + "   (" +
            origin->origin + ")\n";
    if (!origin->comment.empty()) text += "  " + origin->comment + "\n";
  }
  return print_and_end(text);
}

struct Verb {
  std::string_view name;
  int (*run)(const Words& words);
};
constexpr std::array<Verb, 3> verbs{
    {{"show", run_show}, {"init", run_init}, {"explain", run_explain}}};

}  // namespace

int run_config(const Words& words) {
  const VerbLine line = split_verb(words);
  for (const Verb& verb : verbs) {
    if (verb.name == line.verb) return verb.run(line.words);
  }
  if (line.verb == "--help" || line.verb == "-h") return print_and_end(overview);
  if (line.verb.empty()) {
    return complain(Error::missing_argument, "`abuzz config` needs show, init or explain");
  }
  return complain_about_verb("abuzz config", line.verb, {"show", "init", "explain"});
}

}  // namespace abuzz::tools
