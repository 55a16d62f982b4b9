#include "bus/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

#include "bus/config_keys.hpp"

extern char** environ;

namespace abuzz {
namespace {

using detail::ConfigKey;
using detail::FileEntry;
using detail::FileType;
using detail::KeyKind;

constexpr std::string_view variable_prefix = "ABUZZ_";

ConfigOrigin* origin_of(LoadedConfig& loaded, const ConfigKey& key) {
  return &loaded.origins[static_cast<std::size_t>(&key - detail::config_keys().data())];
}

LoadedConfig defaults() {
  LoadedConfig loaded;
  for (const ConfigKey& key : detail::config_keys()) {
    loaded.origins.push_back({key.dotted(), detail::value_text(key, loaded.config), "default",
                              std::string(key.comment) + " (" + detail::range_text(key) + ")"});
  }
  return loaded;
}

Status apply(LoadedConfig& loaded, const ConfigKey& key, std::string_view text,
             const std::string& where, const std::string& origin) {
  if (Status status = detail::set_value(key, loaded.config, text, where); !status) return status;
  ConfigOrigin* entry = origin_of(loaded, key);
  entry->value = detail::value_text(key, loaded.config);
  entry->origin = origin;
  return Done{};
}

// TOML knows types: 5 is no duration, "1024" no count, and "true" no flag.
bool is_right_type(const ConfigKey& key, const FileEntry& entry) {
  switch (key.kind) {
    case KeyKind::text:
    case KeyKind::path:
      return entry.type == FileType::string;
    case KeyKind::flag:
      return entry.type == FileType::boolean;
    case KeyKind::count:
      return entry.type == FileType::integer;
    case KeyKind::duration:
    case KeyKind::bytes:
      // A bare number goes on: set_value takes 0 and explains what is wrong with any other.
      return entry.type == FileType::string || entry.type == FileType::integer;
  }
  return false;
}

Status apply_file(LoadedConfig& loaded, const std::string& path) {
  Result<std::vector<FileEntry>> entries = detail::read_config_file(path);
  if (!entries) return entries.failure();
  for (const FileEntry& entry : entries.value()) {
    const std::string place = path + ":" + std::to_string(entry.line);
    const ConfigKey* key = detail::find_key(entry.key);
    if (key == nullptr) return detail::unknown_key(entry.key, place + ": ");
    if (!is_right_type(*key, entry)) {
      return Failure{Error::config_bad_value,
                     place + ": " + entry.key + ": it takes " + detail::range_text(*key)};
    }
    Status status = apply(loaded, *key, entry.text, place + ": ", "file " + place);
    if (!status) return status;
  }
  return Done{};
}

// "ABUZZ_NODE__IDLE_EXIT=5s" -> "node.idle_exit"; empty for a variable that is no config key, such
// as ABUZZ_NODE_BIN: those have no double underscore.
std::string dotted_of(std::string_view variable) {
  if (!variable.starts_with(variable_prefix)) return {};
  // From the prefix's own underscore on: ABUZZ__BEAT is a key without a section.
  const std::size_t gap = variable.find("__", variable_prefix.size() - 1);
  if (gap == std::string_view::npos) return {};
  std::string name(variable.substr(0, gap));
  name.erase(0, variable_prefix.size());
  name.append(".").append(variable.substr(gap + 2));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

Status apply_environment(LoadedConfig& loaded) {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string variable(line.substr(0, equals));
    const std::string dotted = dotted_of(variable);
    if (dotted.empty()) continue;
    const std::string origin = "environment " + variable;
    const ConfigKey* key = detail::find_key(dotted);
    if (key == nullptr || key->environment() != variable) {
      return detail::unknown_key(dotted, origin + ": ");
    }
    Status status = apply(loaded, *key, line.substr(equals + 1), origin + ": ", origin);
    if (!status) return status;
  }
  return Done{};
}

Status apply_flags(LoadedConfig& loaded, const std::vector<std::string>& flags) {
  for (const std::string& flag : flags) {
    const std::size_t equals = flag.find('=');
    if (equals == std::string::npos) {
      return Failure{Error::bad_flag_value, "'" + flag + "' is not section.key=value"};
    }
    const std::string dotted = flag.substr(0, equals);
    const ConfigKey* key = detail::find_key(dotted);
    if (key == nullptr) return detail::unknown_key(dotted, "flag ");
    Status status = apply(loaded, *key, std::string_view(flag).substr(equals + 1), "flag ", "flag");
    if (!status) return status;
  }
  return Done{};
}

constexpr std::size_t comment_columns_max = 98;

// `text` as comment lines of at most 100 columns.
void append_comment(std::string& file, std::string_view text) {
  while (!text.empty()) {
    std::size_t cut = text.size();
    if (cut > comment_columns_max) {
      cut = text.rfind(' ', comment_columns_max);
      if (cut == std::string_view::npos) cut = comment_columns_max;
    }
    file.append("# ").append(text.substr(0, cut)).append("\n");
    text.remove_prefix(cut);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
}

void append_key(std::string& file, const ConfigKey& key, const ConfigOrigin& entry) {
  file += "\n";
  if (entry.comment.size() <= comment_columns_max) {
    append_comment(file, entry.comment);
  } else {
    append_comment(file, key.comment);
    file.append("# (").append(detail::range_text(key)).append(")\n");
  }
  file.append(key.name).append(" = ").append(entry.value).append("\n");
}

}  // namespace

Result<LoadedConfig> load_config(const std::string& path, const std::vector<std::string>& flags) {
  LoadedConfig loaded = defaults();
  if (!path.empty()) {
    if (Status status = apply_file(loaded, path); !status) return status.failure();
  }
  if (Status status = apply_environment(loaded); !status) return status.failure();
  if (Status status = apply_flags(loaded, flags); !status) return status.failure();
  return loaded;
}

Result<Config> config_from_environment() {
  const char* path = std::getenv("ABUZZ_CONFIG");
  Result<LoadedConfig> loaded = load_config(path != nullptr ? path : "");
  if (!loaded) return loaded.failure();
  return std::move(loaded.value().config);
}

std::string default_config_file() {
  std::string file;
  append_comment(file,
                 "Every setting of Abuzz with its default. A line that is left out keeps the "
                 "default.");
  append_comment(file,
                 "Units stand in the value: \"30s\" (ms s min h), \"64MiB\" (B KiB MiB GiB "
                 "TiB); counts are plain numbers.");
  append_comment(file,
                 "Each key is also an environment variable, which wins over this file: "
                 "node.idle_exit is ABUZZ_NODE__IDLE_EXIT.");
  append_comment(file, "`abuzz config show --origin` says where each value came from.");
  LoadedConfig loaded = defaults();
  for (const detail::ConfigSection& section : detail::config_sections()) {
    file += "\n";
    append_comment(file, section.comment);
    file.append("[").append(section.name).append("]\n");
    for (const ConfigKey& key : detail::config_keys()) {
      if (std::strcmp(key.section, section.name) != 0) continue;
      append_key(file, key, *origin_of(loaded, key));
    }
  }
  return file;
}

std::string runtime_directory(const Config& config) {
  std::string directory = config.node.runtime_directory;
  if (directory.empty()) {
    const char* base = std::getenv("XDG_RUNTIME_DIR");
    // The XDG specification: a relative path is to be ignored.
    directory = base != nullptr && base[0] == '/' ? std::string(base) + "/abuzz"
                                                  : "/tmp/abuzz-" + std::to_string(::getuid());
  }
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

}  // namespace abuzz
