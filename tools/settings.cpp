#include "tools/settings.hpp"

#include <cctype>
#include <cstdlib>

#include "tools/complaint.hpp"

namespace abuzz::tools {
namespace {

// node.runtime_directory -> ABUZZ_NODE__RUNTIME_DIRECTORY
std::string environment_name(const std::string& key) {
  std::string name = "ABUZZ_";
  for (const char c : key) {
    if (c == '.') {
      name += "__";
    } else {
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return name;
}

void leave_in_environment(const SharedFlags& flags, const std::string& path) {
  if (!flags.config_path.empty()) {
    char* absolute = ::realpath(path.c_str(), nullptr);
    if (absolute != nullptr) ::setenv("ABUZZ_CONFIG", absolute, 1);
    std::free(absolute);
  }
  for (const std::string& pair : flags.pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) continue;
    ::setenv(environment_name(pair.substr(0, equals)).c_str(), pair.c_str() + equals + 1, 1);
  }
}

}  // namespace

void add_shared_flags(Arguments& arguments, SharedFlags& flags) {
  arguments.flag("--json", flags.json, "Print JSON, for programs");
  add_config_flags(arguments, flags);
}

void add_config_flags(Arguments& arguments, SharedFlags& flags) {
  arguments.text("--config", flags.config_path, "Read this config file (also: ABUZZ_CONFIG)",
                 "FILE");
  arguments.texts("--set", flags.pairs, "Set one config key, e.g. node.beat=500ms; may be repeated",
                  "KEY=VALUE");
}

std::optional<int> take_config_flags(const std::vector<std::string>& words, SharedFlags& flags,
                                     std::vector<std::string>& rest) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") {
      rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    }
    const std::size_t equals = words[i].find('=');
    const std::string flag = words[i].substr(0, equals);
    if (flag != "--config" && flag != "--set") {
      rest.push_back(words[i]);
      continue;
    }
    const bool stands_apart = equals == std::string::npos;
    if (stands_apart && i + 1 == words.size()) {
      return complain(Error::missing_argument, flag + " needs a value");
    }
    const std::string value = stands_apart ? words[++i] : words[i].substr(equals + 1);
    if (flag == "--config") {
      flags.config_path = value;
    } else {
      flags.pairs.push_back(value);
    }
  }
  return std::nullopt;
}

Result<LoadedConfig> load_settings(const SharedFlags& flags) {
  std::string path = flags.config_path;
  const char* named = std::getenv("ABUZZ_CONFIG");
  if (path.empty() && named != nullptr) path = named;
  Result<LoadedConfig> loaded = load_config(path, flags.pairs);
  if (loaded.ok()) leave_in_environment(flags, path);
  return loaded;
}

}  // namespace abuzz::tools
