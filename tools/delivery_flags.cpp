#include "tools/delivery_flags.hpp"

#include <algorithm>
#include <optional>

#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

using std::chrono::milliseconds;

// As the library bounds a queue.
constexpr std::uint64_t queue_messages_max = 1'048'576;

std::string read_stall_limit(std::string_view text, SubscribeOptions& options) {
  const auto limit = parse_duration(text);
  if (!limit) return "the stall limit is a number and a unit, such as lossless:10s";
  if (*limit < milliseconds(100) || *limit > std::chrono::hours(1)) {
    return "the stall limit is from 100ms to 1h";
  }
  options.stall_limit = std::chrono::duration_cast<milliseconds>(*limit);
  return {};
}

std::string read_latest(std::string_view text, SubscribeOptions& options) {
  const auto count = parse_count(text);
  if (!count || *count < 1 || *count > queue_messages_max) {
    return "how many are kept is a whole number from 1 to 1048576, such as latest:16";
  }
  options.latest_messages = static_cast<std::uint32_t>(*count);
  return {};
}

std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325u;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x0000'0100'0000'01B3u;
  }
  return std::max<std::uint64_t>(hash, 1);  // 0 is no key
}

}  // namespace

std::string read_policy(std::string_view text, SubscribeOptions& options) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  const bool has_bound = colon < text.size();
  const std::string_view bound = has_bound ? text.substr(colon + 1) : std::string_view{};
  SubscribeOptions read = options;
  read.stall_limit = milliseconds(0);
  read.latest_messages = 0;
  std::string wrong;
  if (name == "lossless") {
    read.policy = Policy::lossless;
    if (has_bound) wrong = read_stall_limit(bound, read);
  } else if (name == "latest") {
    read.policy = Policy::latest;
    wrong = read_latest(bound, read);
  } else if ((name == "drop_old" || name == "drop_new") && !has_bound) {
    read.policy = name == "drop_old" ? Policy::drop_old : Policy::drop_new;
  } else {
    wrong = "a policy is lossless, lossless:10s, latest:16, drop_old or drop_new";
  }
  if (wrong.empty()) options = read;
  return wrong;
}

std::string read_lane(std::string_view text, Lane& lane) {
  if (text == "high") lane = Lane::high;
  if (text == "normal") lane = Lane::normal;
  if (text == "bulk") lane = Lane::bulk;
  if (text == "high" || text == "normal" || text == "bulk") return {};
  return "a lane is high, normal or bulk";
}

std::string read_key(std::string_view text, std::uint64_t& key) {
  if (text.empty()) return "a key is a number from 1, or a text";
  const bool is_number = text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto number = is_number ? parse_count(text) : hash_of(text);
  if (!number || *number == 0) return "a key is a number from 1 to 18446744073709551615, or a text";
  key = *number;
  return {};
}

std::string read_time_to_live(std::string_view text, milliseconds& time_to_live) {
  const auto span = parse_duration(text);
  if (!span) return "a time to live is a number and a unit, such as 500ms, 10s or 2min";
  if (*span < milliseconds(1) || *span > std::chrono::hours(24 * 24)) {
    return "a time to live is from 1ms to 576h (24 days)";
  }
  time_to_live = std::chrono::ceil<milliseconds>(*span);
  return {};
}

std::string read_mode(std::string_view text, SubscribeOptions& options) {
  if (text == "least_outstanding") {
    options.group_mode = GroupMode::least_outstanding;
  } else if (text == "round_robin") {
    options.group_mode = GroupMode::round_robin;
  } else if (text == "sticky") {
    options.group_mode = GroupMode::sticky;
  } else {
    return "a mode is least_outstanding, round_robin or sticky";
  }
  return {};
}

}  // namespace abuzz::tools
