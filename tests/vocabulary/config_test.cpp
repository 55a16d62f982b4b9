#include "bus/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/vocabulary/surroundings.hpp"

// Files, environment, flags, and which of them wins.

namespace abuzz {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class ConfigFile : public ::testing::Test {
 protected:
  Result<LoadedConfig> load(std::string_view text) {
    path_ = directory_.write("abuzz.toml", text);
    return load_config(path_);
  }
  Failure failure(std::string_view text) {
    const Result<LoadedConfig> loaded = load(text);
    EXPECT_FALSE(loaded.ok()) << text;
    return loaded.failure();
  }
  static ConfigOrigin origin(const LoadedConfig& loaded, const std::string& key) {
    const auto found = std::ranges::find(loaded.origins, key, &ConfigOrigin::key);
    return found != loaded.origins.end() ? *found : ConfigOrigin{};
  }

  testing::Environment environment_;
  testing::Directory directory_;
  std::string path_;
};

std::vector<std::string> values(const LoadedConfig& loaded) {
  std::vector<std::string> result;
  for (const ConfigOrigin& entry : loaded.origins) result.push_back(entry.key + "=" + entry.value);
  return result;
}

TEST_F(ConfigFile, InTheRepositoryIsTheOneThatInitWrites) {
  EXPECT_EQ(testing::read_text(std::string(ABUZZ_SOURCE_DIR) + "/conf/abuzz.toml"),
            default_config_file())
      << "write it again: abuzz config init > conf/abuzz.toml";
}

TEST_F(ConfigFile, WithAllDefaultsEqualsTheDefaults) {
  auto from_file = load(default_config_file());
  ASSERT_TRUE(from_file) << from_file.failure().message();
  auto from_nothing = load_config("");
  ASSERT_TRUE(from_nothing);
  EXPECT_EQ(values(from_file.value()), values(from_nothing.value()));
  for (const ConfigOrigin& entry : from_file.value().origins) {
    EXPECT_THAT(entry.origin, StartsWith("file " + path_ + ":")) << entry.key;
  }
  for (const ConfigOrigin& entry : from_nothing.value().origins) {
    EXPECT_EQ(entry.origin, "default") << entry.key;
    EXPECT_FALSE(entry.comment.empty()) << entry.key;
  }
}

TEST_F(ConfigFile, HasNoLineOverAHundredColumns) {
  std::size_t columns = 0;
  for (const char c : default_config_file()) {
    columns = c == '\n' ? 0 : columns + 1;
    ASSERT_LE(columns, 100u);
  }
}

TEST_F(ConfigFile, SetsWhatItNamesAndNothingElse) {
  auto loaded = load(
      "[node]\nidle_exit = \"5s\"\nmemory_budget = \"64MiB\"\nlinks_max = 7\n"
      "runtime_directory = \"/run/x\"\n[agent]\nstart_node = false\n[log]\nlevel = \"debug\"\n");
  ASSERT_TRUE(loaded) << loaded.failure().message();
  const Config& config = loaded.value().config;
  EXPECT_EQ(config.node.idle_exit, 5s);
  EXPECT_EQ(config.node.memory_budget_bytes, 64u << 20);
  EXPECT_EQ(config.node.links_max, 7u);
  EXPECT_EQ(config.node.runtime_directory, "/run/x");
  EXPECT_FALSE(config.agent.start_node);
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(config.node.beat, Config{}.node.beat);
  EXPECT_EQ(origin(loaded.value(), "node.idle_exit").origin, "file " + path_ + ":2");
  EXPECT_EQ(origin(loaded.value(), "node.idle_exit").value, "\"5s\"");
  EXPECT_EQ(origin(loaded.value(), "node.links_max").value, "7");
  EXPECT_EQ(origin(loaded.value(), "log.level").origin, "file " + path_ + ":9");
  EXPECT_EQ(origin(loaded.value(), "node.beat").origin, "default");
}

TEST_F(ConfigFile, MayBeEmptyOrUseDottedKeys) {
  EXPECT_TRUE(load(""));
  EXPECT_TRUE(load("# nothing\n[node]\n"));
  auto dotted = load("node.beat = \"2s\"\n");
  ASSERT_TRUE(dotted);
  EXPECT_EQ(dotted.value().config.node.beat, 2s);
  auto zero = load("[node]\nidle_exit = 0\n");
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero.value().config.node.idle_exit, 0ms);
}

TEST_F(ConfigFile, WithAnUnknownKeyIsRefusedWithASuggestion) {
  const Failure typo = failure("[node]\nbeat = \"1s\"\nidle_exti = \"5s\"\n");
  EXPECT_EQ(typo.error, Error::config_unknown_key);
  EXPECT_EQ(typo.detail, path_ + ":3: node.idle_exti; did you mean node.idle_exit?");
  EXPECT_THAT(failure("[node]\nidle_exit_ms = 5\n").detail,
              HasSubstr("did you mean node.idle_exit?"));
  EXPECT_THAT(failure("[subscription]\nqueue_byte = \"2MiB\"\n").detail,
              HasSubstr("did you mean subscription.queue_bytes?"));
  EXPECT_THAT(failure("[node]\nqueue_bytes = \"2MiB\"\n").detail,
              HasSubstr("did you mean subscription.queue_bytes?"));
  EXPECT_THAT(failure("[nod]\nbeat = \"1s\"\n").detail, HasSubstr("did you mean node.beat?"));
  EXPECT_THAT(failure("beat = \"1s\"\n").detail, HasSubstr(":1: beat; did you mean node.beat?"));
  const Failure far = failure("[frobnication]\nwidget = 5\n");
  EXPECT_EQ(far.error, Error::config_unknown_key);
  EXPECT_THAT(far.detail, Not(HasSubstr("did you mean")));
}

TEST_F(ConfigFile, WithAnUnknownSectionIsRefusedEvenWhenEmpty) {
  EXPECT_EQ(failure("[nodes]\n").error, Error::config_unknown_key);
  EXPECT_EQ(failure("[node.deeper]\nbeat = \"1s\"\n").error, Error::config_unknown_key);
  EXPECT_EQ(failure("node = 5\n").error, Error::config_unknown_key);
  EXPECT_EQ(failure("[[node]]\nbeat = \"1s\"\n").error, Error::config_unknown_key);
}

TEST_F(ConfigFile, NamesTheLineOfWhatIsWrong) {
  const Failure range = failure("[node]\n\n\nbeat = \"5ms\"\n");
  EXPECT_EQ(range.error, Error::config_out_of_range);
  EXPECT_EQ(range.detail, path_ + ":4: node.beat = 5ms: it takes 100ms .. 1min");
  const Failure syntax = failure("[node]\nbeat = \n");
  EXPECT_EQ(syntax.error, Error::config_syntax);
  EXPECT_THAT(syntax.detail, StartsWith(path_ + ":2: "));
  EXPECT_EQ(failure("[node]\nbeat = \"1s\"\nbeat = \"2s\"\n").error, Error::config_syntax);
  EXPECT_EQ(failure("[node]\nbeat = \"\xff\"\n").error, Error::config_syntax);
}

TEST_F(ConfigFile, WithAValueOfTheWrongTypeIsRefused) {
  for (const char* line :
       {"beat = 5", "beat = true", "beat = [\"1s\"]", "links_max = \"5\"", "links_max = 5.0",
        "links_max = true", "runtime_directory = 5", "memory_budget = 67108864",
        "memory_budget = 6.4e7", "beat = 07:32:00", "runtime_directory = \"/a\\u0000b\""}) {
    const Failure wrong = failure(std::string("[node]\n") + line + "\n");
    EXPECT_EQ(wrong.error, Error::config_bad_value) << line;
    EXPECT_THAT(wrong.detail, StartsWith(path_ + ":2: node.")) << line;
  }
  EXPECT_EQ(failure("[agent]\nstart_node = \"true\"\n").error, Error::config_bad_value);
  EXPECT_EQ(failure("[agent]\nstart_node = 1\n").error, Error::config_bad_value);
  EXPECT_EQ(failure("[log]\nlevel = 3\n").error, Error::config_bad_value);
}

TEST_F(ConfigFile, ThatCannotBeReadIsSaidSo) {
  const auto missing = load_config(directory_.path("none.toml"));
  EXPECT_EQ(missing.error(), Error::config_unreadable);
  EXPECT_THAT(missing.failure().detail, HasSubstr("none.toml: No such file"));
  EXPECT_EQ(load_config(directory_.path("")).error(), Error::config_unreadable);
  EXPECT_EQ(load_config("/dev/zero").error(), Error::config_unreadable);
  ASSERT_EQ(::mkfifo(directory_.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(load_config(directory_.path("fifo")).error(), Error::config_unreadable);
  EXPECT_EQ(failure(std::string(2u << 20, '#')).error, Error::config_unreadable);
}

TEST_F(ConfigFile, ShowsNoControlCharactersInAComplaint) {
  environment_.set("ABUZZ_NODE__BEAT", "\x1b[31m5\n");
  EXPECT_EQ(load_config("").failure().detail.find_first_of("\x1b\n"), std::string::npos);
}

TEST_F(ConfigFile, LosesToTheEnvironmentWhichLosesToAFlag) {
  const std::string text = "[node]\nbeat = \"2s\"\nhandshake = \"3s\"\ngone_after = \"4s\"\n";
  path_ = directory_.write("abuzz.toml", text);
  environment_.set("ABUZZ_NODE__HANDSHAKE", "5s");
  environment_.set("ABUZZ_NODE__GONE_AFTER", "6s");
  auto loaded = load_config(path_, {"node.gone_after=7s"});
  ASSERT_TRUE(loaded) << loaded.failure().message();
  EXPECT_EQ(loaded.value().config.node.stalled_after, 3s);
  EXPECT_EQ(loaded.value().config.node.beat, 2s);
  EXPECT_EQ(loaded.value().config.node.handshake, 5s);
  EXPECT_EQ(loaded.value().config.node.gone_after, 7s);
  EXPECT_EQ(origin(loaded.value(), "node.stalled_after").origin, "default");
  EXPECT_EQ(origin(loaded.value(), "node.beat").origin, "file " + path_ + ":2");
  EXPECT_EQ(origin(loaded.value(), "node.handshake").origin, "environment ABUZZ_NODE__HANDSHAKE");
  EXPECT_EQ(origin(loaded.value(), "node.gone_after").origin, "flag");
  EXPECT_EQ(origin(loaded.value(), "node.gone_after").value, "\"7s\"");
}

TEST_F(ConfigFile, IsNamedByTheEnvironmentOnlyForConfigFromEnvironment) {
  path_ = directory_.write("abuzz.toml", "[node]\nbeat = \"2s\"\n");
  environment_.set("ABUZZ_CONFIG", path_);
  EXPECT_EQ(load_config("").value().config.node.beat, 1s);
  EXPECT_EQ(config_from_environment().value().node.beat, 2s);
  environment_.set("ABUZZ_CONFIG", "");
  EXPECT_EQ(config_from_environment().value().node.beat, 1s);
  environment_.set("ABUZZ_CONFIG", directory_.path("none"));
  EXPECT_EQ(config_from_environment().error(), Error::config_unreadable);
}

TEST_F(ConfigFile, DoesNotExcuseAWrongVariable) {
  environment_.set("ABUZZ_NODE__IDLE_EXTI", "5s");
  const auto typo = load_config("");
  EXPECT_EQ(typo.error(), Error::config_unknown_key);
  EXPECT_THAT(typo.failure().detail, HasSubstr("environment ABUZZ_NODE__IDLE_EXTI"));
  EXPECT_THAT(typo.failure().detail, HasSubstr("did you mean node.idle_exit?"));
  environment_.unset("ABUZZ_NODE__IDLE_EXTI");
  for (const char* name : {"ABUZZ_node__beat", "ABUZZ__BEAT", "ABUZZ_NODE__", "ABUZZ_X__Y"}) {
    environment_.set(name, "1s");
    EXPECT_EQ(load_config("").error(), Error::config_unknown_key) << name;
    environment_.unset(name);
  }
  environment_.set("ABUZZ_NODE__BEAT", "fast");
  EXPECT_EQ(load_config("").error(), Error::config_bad_value);
}

TEST_F(ConfigFile, LeavesOtherVariablesAlone) {
  for (const char* name : {"ABUZZ_NODE_BIN", "ABUZZ_SEED", "ABUZZ_", "OTHER_NODE__BEAT"}) {
    environment_.set(name, "x");
  }
  EXPECT_TRUE(load_config(""));
}

TEST_F(ConfigFile, LosesToFlagsThatAreCheckedToo) {
  EXPECT_EQ(load_config("", {"node.beat"}).error(), Error::bad_flag_value);
  EXPECT_EQ(load_config("", {""}).error(), Error::bad_flag_value);
  EXPECT_EQ(load_config("", {"node.baet=1s"}).error(), Error::config_unknown_key);
  EXPECT_EQ(load_config("", {"=1s"}).error(), Error::config_unknown_key);
  EXPECT_EQ(load_config("", {"node.beat=1"}).error(), Error::config_bad_value);
  EXPECT_EQ(load_config("", {"node.beat=2h"}).error(), Error::config_out_of_range);
  EXPECT_EQ(load_config("", {"node.beat=2s", "node.beat=3s"}).value().config.node.beat, 3s);
  EXPECT_EQ(load_config("", {"node.runtime_directory=/a=b"}).value().config.node.runtime_directory,
            "/a=b");
}

TEST_F(ConfigFile, MeansARuntimeDirectory) {
  Config config;
  environment_.set("XDG_RUNTIME_DIR", "/run/user/7");
  EXPECT_EQ(runtime_directory(config), "/run/user/7/abuzz");
  environment_.set("XDG_RUNTIME_DIR", "relative");
  const std::string own = "/tmp/abuzz-" + std::to_string(::getuid());
  EXPECT_EQ(runtime_directory(config), own);
  environment_.unset("XDG_RUNTIME_DIR");
  EXPECT_EQ(runtime_directory(config), own);
  config.node.runtime_directory = "/srv/bus//";
  EXPECT_EQ(runtime_directory(config), "/srv/bus");
  config.node.runtime_directory = "/";
  EXPECT_EQ(runtime_directory(config), "/");
}

}  // namespace
}  // namespace abuzz
