#include "tools/command_line.hpp"

#include <gtest/gtest.h>

namespace abuzz::tools {
namespace {

using std::chrono::nanoseconds;

TEST(Durations, AreANumberAndAUnit) {
  EXPECT_EQ(parse_duration("350ns"), nanoseconds(350));
  EXPECT_EQ(parse_duration("7us"), nanoseconds(7'000));
  EXPECT_EQ(parse_duration("500ms"), nanoseconds(500'000'000));
  EXPECT_EQ(parse_duration("10s"), std::chrono::seconds(10));
  EXPECT_EQ(parse_duration("2.5s"), std::chrono::milliseconds(2500));
  EXPECT_EQ(parse_duration("2min"), std::chrono::minutes(2));
  EXPECT_EQ(parse_duration("1h"), std::chrono::hours(1));
  EXPECT_EQ(parse_duration("0"), nanoseconds(0));
}

TEST(Durations, WithoutAUnitOrWithAnythingElseAreRefused) {
  for (const char* text : {"", "10", "s", "10 s", "-1s", "+1s", "1e3s", "1.2.3s", ".5s", "10sec",
                           "10S", "infs", "nans", "0x10s", "99999999999h"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Durations, ArePrintedShort) {
  EXPECT_EQ(format_duration(nanoseconds(0)), "0");
  EXPECT_EQ(format_duration(nanoseconds(350)), "350ns");
  EXPECT_EQ(format_duration(nanoseconds(1'500'000)), "1.5ms");
  EXPECT_EQ(format_duration(std::chrono::seconds(10)), "10s");
  EXPECT_EQ(format_duration(std::chrono::seconds(120)), "2min");
  EXPECT_EQ(format_duration(std::chrono::minutes(65)), "1h 5min");
  EXPECT_EQ(format_duration(std::chrono::hours(50)), "2d 2h");
}

TEST(Bytes, TakeBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_bytes("64"), 64u);
  EXPECT_EQ(parse_bytes("64B"), 64u);
  EXPECT_EQ(parse_bytes("64KiB"), 65'536u);
  EXPECT_EQ(parse_bytes("1.5MiB"), 1'572'864u);
  EXPECT_EQ(parse_bytes("1GB"), 1'000'000'000u);
  for (const char* text : {"", "KiB", "64kib", "-1", "64 KiB", "9999999999GiB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1'048'576), "1 MiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
}

TEST(Counts, AreDigitsThatFit64Bits) {
  EXPECT_EQ(parse_count("0"), 0u);
  EXPECT_EQ(parse_count("10_000"), 10'000u);
  EXPECT_EQ(parse_count("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", "_1", "1_", "1__0", "-1", "1.0", "1e3", "18446744073709551616"}) {
    EXPECT_EQ(parse_count(text), std::nullopt) << text;
  }
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_plural(1, "message", "messages"), "1 message");
  EXPECT_EQ(format_plural(1000, "message", "messages"), "1,000 messages");
}

TEST(Rates, AreMoreThanZero) {
  EXPECT_EQ(parse_rate("100"), 100.0);
  EXPECT_EQ(parse_rate("0.5"), 0.5);
  EXPECT_EQ(parse_rate("10k"), 10'000.0);
  EXPECT_EQ(parse_rate("2M"), 2'000'000.0);
  for (const char* text : {"", "0", "0.0", "-1", "k", "1/s", "9999M"}) {
    EXPECT_EQ(parse_rate(text), std::nullopt) << text;
  }
}

TEST(NearMisses, AreOneOrTwoLettersAway) {
  EXPECT_EQ(nearest("strat", {"run", "start", "stop", "status"}), "start");
  EXPECT_EQ(nearest("--timout", {"--timeout", "--name"}), "--timeout");
  EXPECT_EQ(nearest("pbu", {"pub", "sub"}), "pub");
  EXPECT_EQ(nearest("orders.nwe", {"orders.new", "orders.old"}), "orders.new");
  EXPECT_EQ(nearest("frobnicate", {"pub", "sub", "ls"}), "");
  EXPECT_EQ(nearest("", {"pub"}), "");
  EXPECT_EQ(nearest("pub", {}), "");
}

TEST(VerbLines, TakeSharedFlagsBeforeTheVerb) {
  const VerbLine plain = split_verb({"pub", "a.b", "hi"});
  EXPECT_EQ(plain.verb, "pub");
  EXPECT_EQ(plain.words, (std::vector<std::string>{"a.b", "hi"}));

  const VerbLine flags =
      split_verb({"--config", "f.toml", "--json", "--set=node.beat=1s", "node", "run", "--x"});
  EXPECT_EQ(flags.verb, "node");
  EXPECT_EQ(flags.words, (std::vector<std::string>{"--config", "f.toml", "--json",
                                                   "--set=node.beat=1s", "run", "--x"}));
  EXPECT_EQ(split_verb(flags.words).verb, "run");
}

TEST(VerbLines, WithoutAVerbAreEmptyOrAFlag) {
  EXPECT_EQ(split_verb({}).verb, "");
  EXPECT_EQ(split_verb({"--config"}).verb, "");
  EXPECT_EQ(split_verb({"--json"}).verb, "");
  EXPECT_EQ(split_verb({"--frob", "pub"}).verb, "--frob");
}

}  // namespace
}  // namespace abuzz::tools
