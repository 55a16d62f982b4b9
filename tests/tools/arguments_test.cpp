#include "tools/arguments.hpp"

#include <gtest/gtest.h>

#include "tools/settings.hpp"

namespace abuzz::tools {
namespace {

using Words = std::vector<std::string>;

// What a verb such as `pub` declares.
struct Parsed {
  std::optional<int> parse(const Words& words) {
    Arguments arguments("test", "A test.");
    arguments.required("TOPIC", topic, "");
    arguments.optional("TEXT", text, "");
    arguments.flag("-q,--quiet", quiet, "");
    arguments.count("-n,--count", count, "", 1, 10);
    arguments.duration("--timeout", timeout, "");
    add_shared_flags(arguments, shared);
    return arguments.parse(words);
  }
  std::string topic, text;
  bool quiet = false;
  std::uint64_t count = 0;
  std::chrono::nanoseconds timeout{0};
  SharedFlags shared;
};

TEST(Arguments, AreTakenInAnyOrder) {
  Parsed parsed;
  ASSERT_EQ(parsed.parse({"--count", "3", "a.b", "-q", "--timeout=2s", "hi", "--json"}),
            std::nullopt);
  EXPECT_EQ(parsed.topic, "a.b");
  EXPECT_EQ(parsed.text, "hi");
  EXPECT_EQ(parsed.count, 3u);
  EXPECT_EQ(parsed.timeout, std::chrono::seconds(2));
  EXPECT_TRUE(parsed.quiet);
  EXPECT_TRUE(parsed.shared.json);
}

TEST(Arguments, KeepPayloadsThatLookLikeSomethingElse) {
  for (const char* text : {"", "-", "[1,2]", "%%", "{\"a\":1}", "x=1", "a b", "'"}) {
    Parsed parsed;
    ASSERT_EQ(parsed.parse({"a", text}), std::nullopt) << text;
    EXPECT_EQ(parsed.text, text);
  }
  for (const char* text : {"-x", "--count", "--nothing"}) {
    Parsed parsed;
    ASSERT_EQ(parsed.parse({"a", "--", text}), std::nullopt) << text;
    EXPECT_EQ(parsed.text, text);
  }
}

TEST(Arguments, OfARepeatedFlagTheLastCounts) {
  Parsed parsed;
  ASSERT_EQ(parsed.parse({"a", "--count", "1", "--count=2", "--set", "a.b=1", "--set=c.d=2"}),
            std::nullopt);
  EXPECT_EQ(parsed.count, 2u);
  EXPECT_EQ(parsed.shared.pairs, (Words{"a.b=1", "c.d=2"}));
}

TEST(Arguments, ThatAreWrongAreUsageErrors) {
  for (const Words& words : std::initializer_list<Words>{{},
                                                         {"--quiet"},
                                                         {"a", "b", "c"},
                                                         {"a", "--frob"},
                                                         {"a", "-z"},
                                                         {"a", "--count", "0"},
                                                         {"a", "--count", "11"},
                                                         {"a", "--count", "x"},
                                                         {"a", "--count"},
                                                         {"a", "--timeout", "10"},
                                                         {"a", "--json=maybe"}}) {
    Parsed parsed;
    EXPECT_EQ(parsed.parse(words), 2) << ::testing::PrintToString(words);
  }
}

TEST(Arguments, HelpEndsWithSuccess) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--help"}), 0);
}

TEST(ConfigFlags, AreTakenOutOfOtherVerbsWords) {
  SharedFlags flags;
  Words rest;
  ASSERT_EQ(take_config_flags({"--config", "f", "x", "--set=a=b", "--json", "--", "--set", "y"},
                              flags, rest),
            std::nullopt);
  EXPECT_EQ(flags.config_path, "f");
  EXPECT_EQ(flags.pairs, Words{"a=b"});
  EXPECT_EQ(rest, (Words{"x", "--json", "--", "--set", "y"}));
  EXPECT_EQ(take_config_flags({"--config"}, flags, rest), 2);
}

}  // namespace
}  // namespace abuzz::tools
