#include "bus/config_keys.hpp"

#include <algorithm>
#include <cctype>

namespace abuzz::detail {
namespace {

using namespace units;

template <auto Section, auto Member>
KeyField field(Config& config) {
  return &((config.*Section).*Member);
}
template <auto Member>
constexpr auto node = &field<&Config::node, Member>;
template <auto Member>
constexpr auto agent = &field<&Config::agent, Member>;
template <auto Member>
constexpr auto limits = &field<&Config::limits, Member>;
template <auto Member>
constexpr auto link = &field<&Config::link, Member>;
template <auto Member>
constexpr auto subscription = &field<&Config::subscription, Member>;
template <auto Member>
constexpr auto place = &field<&Config::place, Member>;
template <auto Member>
constexpr auto log = &field<&Config::log, Member>;

constexpr ConfigSection sections[] = {
    {"node", "The switch of this host: read by `abuzz node`."},
    {"agent", "Each agent: read by programs that connect without a config of their own."},
    {"limits", "Bounds of what is published. A node refuses what is over its own."},
    {"link", "Bytes on their way between an agent and its node, per lane."},
    {"subscription", "Bounds of a subscription that states none itself."},
    {"place",
     "Which processors threads of the bus run on, as `abuzz topo --plan` shows it, and how they "
     "wait."},
    {"log", "Lines on stderr."},
};

using enum KeyKind;
using N = NodeConfig;
using A = AgentConfig;
using Li = LimitsConfig;
using Ln = LinkConfig;
using S = SubscriptionConfig;
using Pl = PlaceConfig;
using Lo = LogConfig;

// A name is that of the member, without a trailing unit `_bytes`, which the value carries. Only
// queue_bytes keeps it, because it stands beside queue_messages.
constexpr ConfigKey keys[] = {
    {"node", "runtime_directory", path, node<&N::runtime_directory>, 0, 0, false,
     "Where sockets, locks and counters live, mode 0700. Its parent must be there. Empty: "
     "$XDG_RUNTIME_DIR/abuzz, or /tmp/abuzz-UID where that is not set.",
     ""},
    {"node", "idle_exit", duration, node<&N::idle_exit>, 1 * s, 24 * h, true,
     "A node that started by itself leaves after it has been empty for so long; 0: never.", ""},
    {"node", "beat", duration, node<&N::beat>, 100 * ms, 60 * s, false,
     "How often node and agents show that they are alive.", ""},
    {"node", "stalled_after", duration, node<&N::stalled_after>, 1 * s, 60 * s, false,
     "An agent without a beat for so long counts as stalled; its subscriptions stay.", ""},
    {"node", "gone_after", duration, node<&N::gone_after>, 2 * s, 1 * h, false,
     "An agent stalled for so long counts as gone; what it had not handled is settled.", ""},
    {"node", "handshake", duration, node<&N::handshake>, 100 * ms, 30 * s, false,
     "How long an agent may take to introduce itself.", ""},
    {"node", "links_max", count, node<&N::links_max>, 1, 16384, false,
     "Processes connected at once; further ones are refused.", ""},
    {"node", "agents_max", count, node<&N::agents_max>, 1, 65536, false,
     "Agents connected at once; further ones are refused.", ""},
    {"node", "subscriptions_max", count, node<&N::subscriptions_max>, 1, 1048576, false,
     "Subscriptions of the whole node; further ones are refused.", ""},
    {"node", "publications_max", count, node<&N::publications_max>, 1, 1048576, false,
     "Publishers of the whole node; further ones are refused.", ""},
    {"node", "memory_budget", bytes, node<&N::memory_budget_bytes>, 16 * mib, 1 * tib, false,
     "Memory of the node for messages; at the budget new work is refused.", ""},

    {"agent", "start_node", flag, agent<&A::start_node>, 0, 0, false,
     "Start a node when none is running.", ""},
    {"agent", "connect_timeout", duration, agent<&A::connect_timeout>, 10 * ms, 10 * min, false,
     "How long connecting may take, the start of a node included.", ""},
    {"agent", "linger", duration, agent<&A::linger>, 0, 10 * min, false,
     "How long closing waits for what is still on its way; 0: not at all.", ""},
    {"agent", "subscriptions_max", count, agent<&A::subscriptions_max>, 1, 4096, false,
     "Subscriptions of one agent.", ""},
    {"agent", "publications_max", count, agent<&A::publications_max>, 1, 65536, false,
     "Publishers of one agent.", ""},

    {"limits", "payload_bytes_max", bytes, limits<&Li::payload_bytes_max>, 1, 16 * mib, false,
     "The largest payload; publishing more answers too_large.", ""},
    {"limits", "batch_messages_max", count, limits<&Li::batch_messages_max>, 1, 4096, false,
     "A batch closes at so many messages.", ""},
    {"limits", "batch_bytes_max", bytes, limits<&Li::batch_bytes_max>, 4 * kib, 256 * kib, false,
     "A batch closes before the message that would take it past so many raw bytes.", ""},

    {"link", "window_high", bytes, link<&Ln::window_high_bytes>, 16 * kib, 16 * mib, false,
     "Bytes that may be under way on the high lane.", ""},
    {"link", "window_normal", bytes, link<&Ln::window_normal_bytes>, 128 * kib, 16 * mib, false,
     "Bytes that may be under way on the normal lane.", ""},
    {"link", "window_bulk", bytes, link<&Ln::window_bulk_bytes>, 128 * kib, 16 * mib, false,
     "Bytes that may be under way on the bulk lane.", ""},
    {"link", "frames_small_max", count, link<&Ln::frames_small_max>, 1, 64, false,
     "Small frames that may be under way before messages wait to share one.", ""},
    {"link", "frame_eager", bytes, link<&Ln::frame_eager_bytes>, 1 * kib, 128 * kib, false,
     "A frame that has grown to so many bytes leaves without waiting.", ""},

    {"subscription", "queue_messages", count, subscription<&S::queue_messages>, 1, 1048576, false,
     "Messages that may wait for a lossless subscription.", ""},
    {"subscription", "drop_queue_messages", count, subscription<&S::drop_queue_messages>, 1,
     1048576, false, "Messages that may wait under any other policy; then the policy drops.", ""},
    {"subscription", "queue_bytes", bytes, subscription<&S::queue_bytes>, 1 * mib + 64 * kib,
     1 * gib, false, "Bytes that may wait for a subscription.", ""},
    {"subscription", "stall_limit", duration, subscription<&S::stall_limit>, 100 * ms, 1 * h, false,
     "A lossless subscriber that stands still for so long is dropped, and everyone is told.", ""},
    {"subscription", "ack_timeout", duration, subscription<&S::ack_timeout>, 100 * ms, 1 * h, false,
     "What a member of a group does not acknowledge for so long goes to another member.", ""},
    {"subscription", "attempts_max", count, subscription<&S::attempts_max>, 1, 1000, false,
     "After so many failed attempts a message of a group goes to $dead.TOPIC.", ""},
    {"subscription", "leased_max", count, subscription<&S::leased_max>, 1, 1024, false,
     "Messages that a member of a group may have in hand.", ""},

    {"place", "pin", text, place<&Pl::pin>, 0, 0, false,
     "Whether the node pins its threads to processors; auto: where that can win.", "auto on off"},
    {"place", "shards", count, place<&Pl::shards>, 0, 64, false,
     "Threads of the node that switch. 0: as many as `abuzz topo --plan` says.", ""},
    {"place", "waiting", text, place<&Pl::waiting>, 0, 0, false,
     "How threads wait: eco sleeps at once, low_latency spins for long; balanced spins for a "
     "moment where that has paid lately.",
     "eco balanced low_latency"},

    {"log", "level", text, log<&Lo::level>, 0, 0, false,
     "The least important line that is printed.", "error warn info debug"},
    {"log", "peer_lines_per_second", count, log<&Lo::peer_lines_per_second>, 0, 1000, false,
     "Lines that other processes may cause; the rest is counted. 0: none.", ""},
};

// Levenshtein, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, replaced});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The key that was probably meant, or empty. The right name in the wrong section counts as near.
std::string suggestion(std::string_view dotted) {
  if (dotted.size() > 128) return {};
  const std::size_t dot = dotted.find('.');
  const std::string_view name = dotted.substr(dot == std::string_view::npos ? 0 : dot + 1);
  std::size_t best = dotted.size() / 3 + 1;
  std::string nearest;
  for (const ConfigKey& key : keys) {
    std::size_t distance = edit_distance(dotted, key.dotted());
    if (name == key.name) distance = std::min<std::size_t>(distance, 1);
    if (distance >= best) continue;
    best = distance;
    nearest = key.dotted();
  }
  return nearest;
}

}  // namespace

std::string ConfigKey::dotted() const {
  return std::string(section) + "." + name;
}

std::string ConfigKey::environment() const {
  std::string variable = std::string("ABUZZ_") + section + "__" + name;
  for (char& c : variable) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

std::span<const ConfigKey> config_keys() noexcept {
  return keys;
}

std::span<const ConfigSection> config_sections() noexcept {
  return sections;
}

const ConfigKey* find_key(std::string_view dotted) noexcept {
  const std::size_t dot = dotted.find('.');
  if (dot == std::string_view::npos) return nullptr;
  for (const ConfigKey& key : keys) {
    if (dotted.substr(0, dot) == key.section && dotted.substr(dot + 1) == key.name) return &key;
  }
  return nullptr;
}

Failure unknown_key(std::string_view dotted, const std::string& where) {
  std::string detail = where + std::string(dotted.substr(0, 128));
  if (const std::string nearest = suggestion(dotted); !nearest.empty()) {
    detail += "; did you mean " + nearest + "?";
  }
  return {Error::config_unknown_key, detail};
}

}  // namespace abuzz::detail
