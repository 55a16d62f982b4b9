#include "bus/config_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <variant>

#include "tests/vocabulary/surroundings.hpp"

// Each key against its range, by file, environment and flag.

namespace abuzz {
namespace {

using detail::ConfigKey;
using detail::KeyKind;
using ::testing::HasSubstr;

struct Range {
  const char* min;
  const char* max;
};
// What bus/config.hpp promises, a second time.
const std::map<std::string, Range> ranges = {
    {"node.idle_exit", {"1s", "24h"}},
    {"node.beat", {"100ms", "1min"}},
    {"node.stalled_after", {"1s", "1min"}},
    {"node.gone_after", {"2s", "1h"}},
    {"node.handshake", {"100ms", "30s"}},
    {"node.links_max", {"1", "16384"}},
    {"node.agents_max", {"1", "65536"}},
    {"node.subscriptions_max", {"1", "1048576"}},
    {"node.publications_max", {"1", "1048576"}},
    {"node.memory_budget", {"16MiB", "1TiB"}},
    {"agent.connect_timeout", {"10ms", "10min"}},
    {"agent.linger", {"0", "10min"}},
    {"agent.subscriptions_max", {"1", "4096"}},
    {"agent.publications_max", {"1", "65536"}},
    {"limits.payload_bytes_max", {"1B", "16MiB"}},
    {"limits.batch_messages_max", {"1", "4096"}},
    {"limits.batch_bytes_max", {"4KiB", "256KiB"}},
    {"link.window_high", {"16KiB", "16MiB"}},
    {"link.window_normal", {"128KiB", "16MiB"}},
    {"link.window_bulk", {"128KiB", "16MiB"}},
    {"link.frames_small_max", {"1", "64"}},
    {"link.frame_eager", {"1KiB", "128KiB"}},
    {"subscription.queue_messages", {"1", "1048576"}},
    {"subscription.drop_queue_messages", {"1", "1048576"}},
    {"subscription.queue_bytes", {"1088KiB", "1GiB"}},
    {"subscription.stall_limit", {"100ms", "1h"}},
    {"subscription.ack_timeout", {"100ms", "1h"}},
    {"subscription.attempts_max", {"1", "1000"}},
    {"subscription.leased_max", {"1", "1024"}},
    {"place.shards", {"0", "64"}},
    {"log.peer_lines_per_second", {"0", "1000"}},
};

bool is_number(const ConfigKey& key) {
  return key.kind == KeyKind::duration || key.kind == KeyKind::bytes || key.kind == KeyKind::count;
}

// `number` in the smallest unit of the key.
std::string smallest(const ConfigKey& key, std::uint64_t number) {
  const char* unit = key.kind == KeyKind::duration ? "ms" : key.kind == KeyKind::bytes ? "B" : "";
  return std::to_string(number) + unit;
}

class EveryKey : public ::testing::Test {
 protected:
  // By flag, environment and file; all three have to agree. The answer of the flag is given back.
  Result<LoadedConfig> load(const ConfigKey& key, const std::string& value) {
    Result<LoadedConfig> by_flag = load_config("", {key.dotted() + "=" + value});
    environment_.set(key.environment(), value);
    Result<LoadedConfig> by_variable = load_config("");
    environment_.unset(key.environment());
    const bool is_bare = key.kind == KeyKind::count || key.kind == KeyKind::flag;
    const std::string quote = is_bare ? "" : "\"";
    const std::string path =
        directory_.write("abuzz.toml", std::string("[") + key.section + "]\n" + key.name + " = " +
                                           quote + value + quote + "\n");
    Result<LoadedConfig> by_file = load_config(path);
    const auto outcome = [](const Result<LoadedConfig>& result) {
      return result ? Error{} : result.error();
    };
    EXPECT_EQ(outcome(by_variable), outcome(by_flag)) << key.dotted() << " = " << value;
    EXPECT_EQ(outcome(by_file), outcome(by_flag)) << key.dotted() << " = " << value;
    return by_flag;
  }
  static std::string value_of(const Result<LoadedConfig>& loaded, const ConfigKey& key) {
    Result<LoadedConfig> copy = loaded;
    return detail::value_text(key, copy.value().config);
  }

  testing::Environment environment_;
  testing::Directory directory_;
};

TEST_F(EveryKey, HasTheRangeThatTheHeaderPromises) {
  std::size_t number_count = 0;
  for (const ConfigKey& key : detail::config_keys()) {
    if (!is_number(key)) continue;
    ++number_count;
    ASSERT_TRUE(ranges.contains(key.dotted())) << key.dotted();
    const Range range = ranges.at(key.dotted());
    EXPECT_TRUE(load(key, range.min)) << key.dotted();
    EXPECT_TRUE(load(key, range.max)) << key.dotted();
    const auto text = detail::range_text(key);
    EXPECT_TRUE(text.starts_with(range.min)) << key.dotted() << ": " << text;
    EXPECT_THAT(text, HasSubstr(range.max)) << key.dotted();
  }
  EXPECT_EQ(number_count, ranges.size());
}

TEST_F(EveryKey, TakesItsBoundsAndRefusesWhatLiesBeyond) {
  for (const ConfigKey& key : detail::config_keys()) {
    if (!is_number(key)) continue;
    for (const std::uint64_t number : {key.min, key.max}) {
      const auto loaded = load(key, smallest(key, number));
      ASSERT_TRUE(loaded) << key.dotted() << ": " << loaded.failure().message();
      Config config;
      ASSERT_TRUE(detail::set_value(key, config, smallest(key, number), ""));
      EXPECT_EQ(value_of(loaded, key), detail::value_text(key, config));
    }
    const std::string below = key.min == 0 ? "-1" : smallest(key, key.min - 1);
    // Below 1 is 0, which a key with an off switch takes.
    if (!(key.min == 1 && key.is_zero_allowed)) {
      EXPECT_EQ(load(key, below).error(), Error::config_out_of_range) << key.dotted();
    }
    const auto above = load(key, smallest(key, key.max + 1));
    EXPECT_EQ(above.error(), Error::config_out_of_range) << key.dotted();
    EXPECT_THAT(above.failure().detail, HasSubstr(detail::range_text(key)));
    const auto huge = load(key, smallest(key, 9'000'000'000'000'000'000u));
    EXPECT_EQ(huge.error(), Error::config_out_of_range) << key.dotted();
  }
}

TEST_F(EveryKey, TakesZeroOnlyWhereTheHeaderSaysSo) {
  for (const ConfigKey& key : detail::config_keys()) {
    if (!is_number(key)) continue;
    const std::string dotted = key.dotted();
    const bool is_allowed = dotted == "node.idle_exit" || dotted == "agent.linger" ||
                            dotted == "log.peer_lines_per_second" || dotted == "place.shards";
    const auto loaded = load(key, "0");
    EXPECT_EQ(loaded.ok(), is_allowed) << dotted;
    if (is_allowed) {
      EXPECT_EQ(value_of(loaded, key), "0");
    }
    if (!is_allowed) {
      EXPECT_EQ(loaded.error(), Error::config_out_of_range) << dotted;
    }
  }
}

TEST_F(EveryKey, RefusesValuesOfAnotherForm) {
  const std::map<KeyKind, std::vector<std::string>> bad = {
      {KeyKind::duration,
       {"", " ", "5", "5 parsecs", "s", "5S", "1.5s", "5ss", "5s ", "-", "--5s", "0x5s", "5us"}},
      {KeyKind::bytes, {"", "64", "64M", "64mib", "64MB", "64 MiB x", "MiB", "1.5MiB", "64MiB."}},
      {KeyKind::text, {"", "loud", "INFO", "info ", "error warn"}},
      {KeyKind::path, {"relative/path", "~/abuzz", "./a"}},
  };
  for (const ConfigKey& key : detail::config_keys()) {
    if (!bad.contains(key.kind)) continue;
    for (const std::string& value : bad.at(key.kind)) {
      EXPECT_EQ(load(key, value).error(), Error::config_bad_value) << key.dotted() << " " << value;
    }
  }
  // In a file these would be errors of TOML itself.
  for (const char* value : {"", "1s", "1KiB", "ten", "1.0", "1e3", "0x10", "+1", "1,000"}) {
    EXPECT_EQ(load_config("", {std::string("node.links_max=") + value}).error(),
              Error::config_bad_value)
        << value;
  }
  for (const char* value : {"", "1", "yes", "True", "on"}) {
    EXPECT_EQ(load_config("", {std::string("agent.start_node=") + value}).error(),
              Error::config_bad_value)
        << value;
  }
}

TEST_F(EveryKey, ShowsAValueThatReadsBackAsItself) {
  for (const ConfigKey& key : detail::config_keys()) {
    Config config;
    const std::string shown = detail::value_text(key, config);
    std::string bare = shown;
    std::erase(bare, '"');
    Config again;
    ASSERT_TRUE(detail::set_value(key, again, bare, "")) << key.dotted() << " = " << shown;
    EXPECT_EQ(detail::value_text(key, again), shown);
  }
}

TEST_F(EveryKey, IsExplainedAndUnique) {
  std::map<std::string, int> seen;
  for (const ConfigKey& key : detail::config_keys()) {
    EXPECT_EQ(++seen[key.dotted()], 1) << key.dotted();
    EXPECT_EQ(detail::find_key(key.dotted()), &key);
    EXPECT_GT(std::string(key.comment).size(), 10u) << key.dotted();
    EXPECT_FALSE(detail::range_text(key).empty());
    const auto sections = detail::config_sections();
    EXPECT_TRUE(
        std::ranges::any_of(sections, [&](auto& s) { return std::string(s.name) == key.section; }));
  }
}

TEST(Units, AreMultiplied) {
  testing::Environment environment;
  const auto idle_exit = [](const char* value) {
    auto loaded = load_config("", {std::string("node.idle_exit=") + value});
    return loaded ? loaded.value().config.node.idle_exit.count() : -1;
  };
  EXPECT_EQ(idle_exit("1500ms"), 1500);
  EXPECT_EQ(idle_exit("5s"), 5000);
  EXPECT_EQ(idle_exit("5 s"), 5000);
  EXPECT_EQ(idle_exit("2min"), 120'000);
  EXPECT_EQ(idle_exit("2h"), 7'200'000);
  const auto budget = [](const char* value) {
    auto loaded = load_config("", {std::string("node.memory_budget=") + value});
    return loaded ? loaded.value().config.node.memory_budget_bytes : 0;
  };
  EXPECT_EQ(budget("20000000B"), 20'000'000u);
  EXPECT_EQ(budget("20000KiB"), 20'480'000u);
  EXPECT_EQ(budget("64MiB"), 64u << 20);
  EXPECT_EQ(budget("2GiB"), 2ull << 30);
  EXPECT_EQ(budget("1TiB"), 1ull << 40);
}

// Each number one past its ends, in a Config made by hand.
TEST(ConfigKeys, AreCheckedInAConfigThatWasMadeByHand) {
  ASSERT_TRUE(check_config(Config{}).ok());
  for (const ConfigKey& key : detail::config_keys()) {
    if (!is_number(key)) continue;
    const auto check_with = [&](std::uint64_t number) {
      Config config;
      const detail::KeyField field = key.field(config);
      if (auto* const* field32 = std::get_if<std::uint32_t*>(&field)) {
        **field32 = static_cast<std::uint32_t>(number);
      } else if (auto* const* field64 = std::get_if<std::uint64_t*>(&field)) {
        **field64 = number;
      } else {
        *std::get<std::chrono::milliseconds*>(field) =
            std::chrono::milliseconds(static_cast<std::int64_t>(number));
      }
      return check_config(config);
    };
    EXPECT_TRUE(check_with(key.min).ok()) << key.dotted();
    EXPECT_TRUE(check_with(key.max).ok()) << key.dotted();
    EXPECT_EQ(check_with(key.max + 1).error(), Error::config_out_of_range) << key.dotted();
    if (key.min == 0 || (key.min == 1 && key.is_zero_allowed)) continue;
    EXPECT_EQ(check_with(key.min - 1).error(), Error::config_out_of_range) << key.dotted();
  }
}

TEST(ConfigKeys, ThatAreWrongInAConfigAreNamed) {
  Config config;
  config.limits.payload_bytes_max = 0;
  EXPECT_EQ(check_config(config).failure().detail,
            "limits.payload_bytes_max = 0: it takes 1B .. 16MiB");
  config = {};
  config.agent.linger = std::chrono::milliseconds(-5);
  EXPECT_THAT(check_config(config).failure().detail, HasSubstr("agent.linger = \"-5ms\""));
  config = {};
  config.log.level = "loud";
  EXPECT_EQ(check_config(config).error(), Error::config_bad_value);
  config = {};
  config.node.runtime_directory = "relative";
  EXPECT_EQ(check_config(config).error(), Error::config_bad_value);
}

}  // namespace
}  // namespace abuzz
