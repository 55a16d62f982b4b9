// The only file that includes toml++: it takes many seconds to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fcntl.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bus/config_keys.hpp"

namespace abuzz::detail {
namespace {

// Far above any real config, so that a wrong path (a disk image, say) is refused at once.
constexpr std::size_t file_bytes_max = 1u << 20;

Failure unreadable(const std::string& path, const char* cause) {
  return {Error::config_unreadable, path + ": " + cause};
}

Result<std::string> read_text(const std::string& path) {
  // O_NONBLOCK: opening a fifo must not hang.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return unreadable(path, std::strerror(errno));
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return unreadable(path, "not a regular file");
  }
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || text.size() > file_bytes_max) {
      const int cause = errno;
      ::close(fd);
      return unreadable(path, count < 0 ? std::strerror(cause) : "larger than 1MiB");
    }
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

FileEntry make_entry(std::string key, const toml::node& node, std::uint32_t line) {
  FileEntry entry{std::move(key), FileType::other, {}, line};
  if (const auto* string = node.as_string()) {
    entry.type = FileType::string;
    entry.text = string->get();
  } else if (const auto* integer = node.as_integer()) {
    entry.type = FileType::integer;
    entry.text = std::to_string(integer->get());
  } else if (const auto* boolean = node.as_boolean()) {
    entry.type = FileType::boolean;
    entry.text = boolean->get() ? "true" : "false";
  }
  return entry;
}

// Two levels are all that a config has; what lies deeper becomes an entry of an unknown key.
void flatten(const toml::table& file, std::vector<FileEntry>& entries) {
  for (const auto& [section, node] : file) {
    const std::string prefix(section.str());
    const toml::table* table = node.as_table();
    if (table == nullptr || table->empty()) {
      const bool is_known =
          table != nullptr &&
          std::ranges::any_of(config_sections(), [&](auto& s) { return prefix == s.name; });
      if (!is_known) entries.push_back(make_entry(prefix, node, section.source().begin.line));
      continue;
    }
    for (const auto& [name, value] : *table) {
      entries.push_back(
          make_entry(prefix + "." + std::string(name.str()), value, name.source().begin.line));
    }
  }
}

}  // namespace

Result<std::vector<FileEntry>> read_config_file(const std::string& path) {
  Result<std::string> text = read_text(path);
  if (!text) return text.failure();
  const toml::parse_result file = toml::parse(text.value());
  if (!file) {
    const toml::parse_error& error = file.error();
    return Failure{Error::config_syntax, path + ":" + std::to_string(error.source().begin.line) +
                                             ": " + std::string(error.description())};
  }
  std::vector<FileEntry> entries;
  flatten(file.table(), entries);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const FileEntry& a, const FileEntry& b) { return a.line < b.line; });
  return entries;
}

}  // namespace abuzz::detail
