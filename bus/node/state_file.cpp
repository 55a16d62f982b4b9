#include "bus/node/state_file.hpp"

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

}  // namespace

Result<NodeIdentity> begin_node_life(const std::string& state_path, bool managed) {
  NodeIdentity identity;
  if (!parse_state(base::read_small_file(state_path, 4096), identity)) identity = make_identity();
  ++identity.node_epoch;
  Status written = base::replace_small_file(state_path, format_state(identity, managed));
  if (!written.ok()) return written.failure();
  return identity;
}

base::Mac128 agent_token(const base::Key128& key, std::uint64_t agent_id) noexcept {
  std::byte message[sizeof agent_id];
  std::memcpy(message, &agent_id, sizeof agent_id);  // little-endian, as everything on the wire
  return base::siphash128(key, std::span<const std::byte>(message));
}

}  // namespace abuzz::node
