#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bus/config.hpp"
#include "bus/error.hpp"

// Behind bus/config.hpp and for its translation units only: the one table of keys, from which
// parsing, environment, flags, the file that `abuzz config init` writes and every explanation come.

namespace abuzz::detail {

// Of durations, in ms, and of sizes.
namespace units {
inline constexpr std::uint64_t ms = 1, s = 1000, min = 60 * s, h = 60 * min;
inline constexpr std::uint64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib, tib = 1024 * gib;
}  // namespace units

// How the value is written: "text", "/a/path", true, "30s", "64MiB", 1024.
enum class KeyKind : std::uint8_t { text, path, flag, duration, bytes, count };

using KeyField =
    std::variant<std::string*, bool*, std::chrono::milliseconds*, std::uint32_t*, std::uint64_t*>;

struct ConfigKey {
  const char* section;
  const char* name;
  KeyKind kind;
  KeyField (*field)(Config&);
  std::uint64_t min;  // duration in ms, bytes, count; unused for the others
  std::uint64_t max;
  bool is_zero_allowed;  // also where min is higher: 0 then switches something off
  const char* comment;   // without the range
  const char* choices;   // text only: the allowed values, separated by blanks

  std::string dotted() const;       // node.idle_exit
  std::string environment() const;  // ABUZZ_NODE__IDLE_EXIT
};

struct ConfigSection {
  const char* name;
  const char* comment;
};

std::span<const ConfigKey> config_keys() noexcept;
std::span<const ConfigSection> config_sections() noexcept;
// nullptr when there is none.
const ConfigKey* find_key(std::string_view dotted) noexcept;
// `where` is "environment ABUZZ_X__Y: " and the like, or empty.
Failure unknown_key(std::string_view dotted, const std::string& where);

// "1s .. 24h, or 0"
std::string range_text(const ConfigKey& key);
// As it stands in the file, strings with their quotes.
std::string value_text(const ConfigKey& key, const Config& config);
// Takes "30s", "64MiB", "1024", "true" and sets the field.
Status set_value(const ConfigKey& key, Config& config, std::string_view text,
                 const std::string& where);

enum class FileType : std::uint8_t { string, integer, boolean, other };
struct FileEntry {
  std::string key;  // node.idle_exit
  FileType type;
  std::string text;
  std::uint32_t line;
};
// The entries of a TOML file in file order.
Result<std::vector<FileEntry>> read_config_file(const std::string& path);

}  // namespace abuzz::detail
