#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"
#include "bus/export.hpp"

// Every setting, with its default. conf/abuzz.toml lists the same keys as section.key, where a key
// is the member's name without a trailing `_bytes` (the value carries the unit; queue_bytes alone
// keeps it, beside queue_messages); a test holds the two equal. Ranges stand behind each key; a
// value outside is Error::config_out_of_range.

namespace abuzz {

struct NodeConfig {
  // Empty: $XDG_RUNTIME_DIR/abuzz or /tmp/abuzz-UID.
  std::string runtime_directory;
  // 0 (never) or 1s..24h: an empty node leaves after it.
  std::chrono::milliseconds idle_exit{30'000};
  std::chrono::milliseconds beat{1'000};             // 100ms..60s
  std::chrono::milliseconds stalled_after{3'000};    // 1s..60s without a beat
  std::chrono::milliseconds gone_after{60'000};      // 2s..1h stalled
  std::chrono::milliseconds handshake{2'000};        // 100ms..30s
  std::uint32_t links_max = 1024;                    // 1..16384
  std::uint32_t agents_max = 16'384;                 // 1..65536
  std::uint32_t subscriptions_max = 65'536;          // 1..1048576, of the whole node
  std::uint32_t publications_max = 65'536;           // 1..1048576, of the whole node
  std::uint64_t memory_budget_bytes = 512ull << 20;  // 16MiB..1TiB
};

struct AgentConfig {
  bool start_node = true;                            // start one when none is there
  std::chrono::milliseconds connect_timeout{5'000};  // 10ms..10min
  std::chrono::milliseconds linger{1'000};           // 0..10min: how long the destructor waits
  std::uint32_t subscriptions_max = 256;             // 1..4096
  std::uint32_t publications_max = 4096;             // 1..65536
};

struct LimitsConfig {
  std::uint32_t payload_bytes_max = 1u << 20;  // 1..16MiB
  std::uint32_t batch_messages_max = 4096;     // 1..4096
  std::uint32_t batch_bytes_max = 256u << 10;  // 4KiB..256KiB, raw
};

struct LinkConfig {
  std::uint32_t window_high_bytes = 64u << 10;     // 16KiB..16MiB
  std::uint32_t window_normal_bytes = 512u << 10;  // 128KiB..16MiB
  std::uint32_t window_bulk_bytes = 128u << 10;    // 128KiB..16MiB
  std::uint32_t frames_small_max = 8;              // 1..64 small frames in flight before they wait
  std::uint32_t frame_eager_bytes = 64u << 10;     // 1KiB..128KiB: a frame this big does not wait
};

struct SubscriptionConfig {
  std::uint32_t queue_messages = 16'384;          // 1..1048576, lossless
  std::uint32_t drop_queue_messages = 1024;       // 1..1048576, the others
  std::uint64_t queue_bytes = 8ull << 20;         // 1MiB+64KiB..1GiB
  std::chrono::milliseconds stall_limit{10'000};  // 100ms..1h, lossless
  std::chrono::milliseconds ack_timeout{30'000};  // 100ms..1h, of a group's leases
  std::uint32_t attempts_max = 20;                // 1..1000, of a group, at each message
  std::uint32_t leased_max = 1024;                // 1..1024, to each member of a group
};

struct PlaceConfig {
  std::string pin = "auto";  // auto, on, off: whether the node pins its threads to processors
  std::uint32_t shards = 0;  // 0 (as planned) ..64: threads of the node that switch
  // eco, balanced, low_latency: how long threads look for work before they sleep in the kernel.
  std::string waiting = "balanced";
};

struct LogConfig {
  std::string level = "info";                // error, warn, info, debug
  std::uint32_t peer_lines_per_second = 10;  // 0..1000
};

struct Config {
  NodeConfig node;
  AgentConfig agent;
  LimitsConfig limits;
  LinkConfig link;
  SubscriptionConfig subscription;
  PlaceConfig place;
  LogConfig log;
};

// Where the value of a key came from: "default", "file PATH:LINE", "environment ABUZZ_...", "flag".
struct ConfigOrigin {
  std::string key;    // node.idle_exit
  std::string value;  // as it would stand in the file: "30s" with its quotes, 1024, true
  std::string origin;
  std::string comment;  // one line, with the range
};

struct LoadedConfig {
  Config config;
  std::vector<ConfigOrigin> origins;  // every key, in file order
};

// Reads `path` ("" for no file) and then the environment (ABUZZ_SECTION__KEY), in that order of
// increasing precedence. `flags` are section.key=value pairs that win over both. The only function
// that reads a config file.
ABUZZ_EXPORT Result<LoadedConfig> load_config(const std::string& path,
                                              const std::vector<std::string>& flags = {});
// Defaults and the environment; also ABUZZ_CONFIG, which names a file.
ABUZZ_EXPORT Result<Config> config_from_environment();
// Whether each field holds what its key takes. Agent::connect and Node::start ask: a Config may be
// made by hand.
ABUZZ_EXPORT Status check_config(const Config& config);
// The commented file with all defaults, as `abuzz config init` writes it.
ABUZZ_EXPORT std::string default_config_file();
// The runtime directory that `config` means, without a trailing slash.
ABUZZ_EXPORT std::string runtime_directory(const Config& config);

}  // namespace abuzz
