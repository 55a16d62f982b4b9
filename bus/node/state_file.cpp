#include "bus/node/state_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

#include "bus/base/random.hpp"
#include "bus/base/runtime_paths.hpp"

namespace abuzz::node {
namespace {

constexpr std::string_view title = "abuzz node state 1\n";

// The rest of the line that begins with `name` and a space; empty when there is none.
std::string_view find_line(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};  // an unfinished line is none
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(' ')) {
      return line.substr(name.size() + 1);
    }
    text.remove_prefix(end + 1);
  }
  return {};
}

template <class Number>
bool parse(std::string_view text, Number& number, int radix) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number, radix);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool parse_key(std::string_view text, base::Key128& key) {
  if (text.size() != 2 * key.size()) return false;
  for (std::size_t index = 0; index < key.size(); ++index) {
    std::uint8_t value = 0;
    if (!parse(text.substr(2 * index, 2), value, 16)) return false;
    key[index] = static_cast<std::byte>(value);
  }
  return true;
}

bool parse_state(std::string_view text, NodeIdentity& identity) {
  return text.starts_with(title) && parse(find_line(text, "node_id"), identity.node_id, 16) &&
         parse(find_line(text, "node_epoch"), identity.node_epoch, 10) &&
         parse_key(find_line(text, "key"), identity.key) && identity.node_id != 0 &&
         identity.node_epoch < std::numeric_limits<std::uint32_t>::max();
}

NodeIdentity make_identity() {
  NodeIdentity identity;
  while (identity.node_id == 0) base::fill_secret(&identity.node_id, sizeof identity.node_id);
  base::fill_secret(identity.key.data(), identity.key.size());
  return identity;
}

std::string format_state(const NodeIdentity& identity, bool managed) {
  char line[64];
  std::string text(title);
  std::snprintf(line, sizeof line, "node_id %016llx\n",
                static_cast<unsigned long long>(identity.node_id));
  text += line;
  text += "node_epoch " + std::to_string(identity.node_epoch) + "\nkey ";
  for (const std::byte value : identity.key) {
    std::snprintf(line, sizeof line, "%02x", std::to_integer<unsigned>(value));
    text += line;
  }
  text += "\n";
  text += managed ? base::managed_line : std::string_view("managed 0");
  return text + "\n";
}

// Leaves the old file or the new one, never a part: written beside it, made durable, renamed.
Status replace_file(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  unlink(beside.c_str());  // of a start that was cut short
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return base::path_failure("open", beside, errno);
  const ssize_t written = write(fd, text.data(), text.size());
  const bool complete = written == static_cast<ssize_t>(text.size());
  const int cause = written < 0 ? errno : ENOSPC;
  const bool durable = complete && fsync(fd) == 0;
  const int sync_cause = errno;
  close(fd);
  if (!complete) return base::path_failure("write", beside, cause);
  if (!durable) return base::path_failure("fsync", beside, sync_cause);
  if (rename(beside.c_str(), path.c_str()) != 0) return base::path_failure("rename", path, errno);
  const std::string directory = path.substr(0, path.rfind('/'));
  const int directory_fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd < 0) return base::path_failure("open", directory, errno);
  // Some filesystems cannot sync a directory; then the rename is as durable as it gets.
  fsync(directory_fd);
  close(directory_fd);
  return Done{};
}

}  // namespace

Result<NodeIdentity> begin_node_life(const std::string& state_path, bool managed) {
  NodeIdentity identity;
  if (!parse_state(base::read_small_file(state_path, 4096), identity)) identity = make_identity();
  ++identity.node_epoch;
  Status written = replace_file(state_path, format_state(identity, managed));
  if (!written.ok()) return written.failure();
  return identity;
}

base::Mac128 agent_token(const base::Key128& key, std::uint64_t agent_id) noexcept {
  std::byte message[sizeof agent_id];
  std::memcpy(message, &agent_id, sizeof agent_id);  // little-endian, as everything on the wire
  return base::siphash128(key, std::span<const std::byte>(message));
}

}  // namespace abuzz::node
