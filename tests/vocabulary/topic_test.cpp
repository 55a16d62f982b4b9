#include "bus/topic.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/campaign.hpp"

namespace abuzz {
namespace {

// `tokens` tokens, `bytes` bytes in all, which begin with `topic`.
std::string topic_of(std::size_t tokens, std::size_t bytes, std::string topic = {}) {
  for (std::size_t i = 1; i < tokens; ++i) topic += "a.";
  topic.append(bytes - topic.size(), 'x');
  return topic;
}

TEST(Topic, TakesTheCharactersOfATokenAndNoOther) {
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    const bool is_good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    const std::string topic = std::string("a") + character + "b";
    if (is_good || c == '.') {
      EXPECT_EQ(check_topic(topic), TopicFault::none) << c;
    } else {
      const bool is_wildcard = c == '*' || c == '>';
      EXPECT_EQ(check_topic(topic), is_wildcard ? TopicFault::wildcard : TopicFault::bad_character)
          << c;
    }
    EXPECT_EQ(check_agent_name(topic) == TopicFault::none, is_good) << c;
  }
}

TEST(Topic, HasAtMost128Bytes) {
  EXPECT_EQ(check_topic(topic_of(3, 127)), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(3, 128)), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(3, 129)), TopicFault::too_long);
  EXPECT_EQ(check_pattern(topic_of(3, 128)), TopicFault::none);
  EXPECT_EQ(check_pattern(topic_of(3, 129)), TopicFault::too_long);
}

TEST(Topic, HasAtMost8Tokens) {
  EXPECT_EQ(check_topic(topic_of(7, 20)), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(8, 20)), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(9, 20)), TopicFault::too_many_tokens);
  EXPECT_EQ(check_pattern("a.b.c.d.e.f.g.>"), TopicFault::none);
  EXPECT_EQ(check_pattern("a.b.c.d.e.f.g.*.>"), TopicFault::too_many_tokens);
}

TEST(Topic, HasAtMost160BytesAnd10TokensWhenReserved) {
  EXPECT_EQ(check_topic(topic_of(3, 159, "$")), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(3, 160, "$")), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(3, 161, "$")), TopicFault::too_long);
  EXPECT_EQ(check_topic(topic_of(9, 31, "$")), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(10, 31, "$")), TopicFault::none);
  EXPECT_EQ(check_topic(topic_of(11, 31, "$")), TopicFault::too_many_tokens);
}

TEST(Topic, OfADeadLetterFitsWhereverItsTopicDoes) {
  EXPECT_EQ(check_topic(topic_of(8, 6 + 128, "$dead.")), TopicFault::none);
}

TEST(Topic, HasNoEmptyToken) {
  EXPECT_EQ(check_topic(""), TopicFault::empty);
  for (const char* topic : {".", "a.", ".a", "a..b", "$", "$.a", "$a."}) {
    EXPECT_EQ(check_topic(topic), TopicFault::empty_token) << topic;
    EXPECT_EQ(check_pattern(topic), TopicFault::empty_token) << topic;
  }
}

TEST(Topic, IsReservedOnlyByItsFirstCharacter) {
  EXPECT_TRUE(is_reserved("$node.up"));
  EXPECT_FALSE(is_reserved("node.up"));
  EXPECT_FALSE(is_reserved(""));
  EXPECT_EQ(check_topic("$node.up"), TopicFault::none);
  EXPECT_EQ(check_topic("a.$b"), TopicFault::bad_character);
  EXPECT_EQ(check_topic("$a.$b"), TopicFault::bad_character);
  EXPECT_EQ(check_topic("$$a"), TopicFault::bad_character);
}

TEST(Pattern, TakesWildcardsAsWholeTokens) {
  for (const char* pattern :
       {"*", ">", "a.*", "*.a", "a.*.b", "a.>", "*.>", "*.*", "$a.>", "$a.*"}) {
    EXPECT_EQ(check_pattern(pattern), TopicFault::none) << pattern;
    EXPECT_EQ(check_topic(pattern), TopicFault::wildcard) << pattern;
  }
  for (const char* pattern : {"a*", "*a", "**", "a>", ">>", "a.b*", "$*", "$>", "$*.a"}) {
    EXPECT_EQ(check_pattern(pattern), TopicFault::wildcard) << pattern;
  }
}

TEST(Pattern, HasItsTailOnlyAtTheEnd) {
  EXPECT_EQ(check_pattern(">.a"), TopicFault::misplaced_tail);
  EXPECT_EQ(check_pattern("a.>.b"), TopicFault::misplaced_tail);
  EXPECT_EQ(check_pattern(">.>"), TopicFault::misplaced_tail);
}

TEST(AgentName, IsOneTokenOfAtMost64Bytes) {
  EXPECT_EQ(check_agent_name(""), TopicFault::empty);
  EXPECT_EQ(check_agent_name(std::string(63, 'a')), TopicFault::none);
  EXPECT_EQ(check_agent_name(std::string(64, 'a')), TopicFault::none);
  EXPECT_EQ(check_agent_name(std::string(65, 'a')), TopicFault::too_long);
  EXPECT_EQ(check_agent_name("a.b"), TopicFault::bad_character);
  EXPECT_EQ(check_agent_kind(""), TopicFault::none);
  EXPECT_EQ(check_agent_kind("free text, for people."), TopicFault::none);
  EXPECT_EQ(check_agent_kind(std::string(32, 'a')), TopicFault::none);
  EXPECT_EQ(check_agent_kind(std::string(33, 'a')), TopicFault::too_long);
  EXPECT_EQ(check_agent_kind("a\x1b"), TopicFault::bad_character);
  EXPECT_EQ(check_agent_name("$a"), TopicFault::bad_character);
}

TEST(TopicFaults, HaveWords) {
  for (int fault = 0; fault <= static_cast<int>(TopicFault::misplaced_tail); ++fault) {
    EXPECT_STRNE(topic_fault_text(static_cast<TopicFault>(fault)), "unknown");
  }
  EXPECT_STREQ(topic_fault_text(static_cast<TopicFault>(99)), "unknown");
}

struct Case {
  const char* pattern;
  const char* topic;
  bool is_match;
};

TEST(Matching, FollowsTheExamples) {
  const Case cases[] = {
      {"a", "a", true},          {"a", "b", false},        {"a", "ab", false},
      {"ab", "a", false},        {"a.b", "a.b", true},     {"a.b", "a", false},
      {"a", "a.b", false},       {"*", "a", true},         {"*", "a.b", false},
      {"a.*", "a.b", true},      {"a.*", "a", false},      {"a.*", "a.b.c", false},
      {"*.b", "a.b", true},      {"*.b", "a.c", false},    {"a.*.c", "a.b.c", true},
      {"a.*.c", "a.b.d", false}, {">", "a", true},         {">", "a.b.c", true},
      {"a.>", "a", false},       {"a.>", "a.b", true},     {"a.>", "a.b.c.d", true},
      {"a.>", "ab.c", false},    {"*.>", "a", false},      {"*.>", "a.b", true},
      {"a.*.>", "a.b", false},   {"a.*.>", "a.b.c", true}, {"a-b", "a_b", false},
      {"a.bc", "a.b", false},    {"a.b.c", "a.b.c", true}, {"*.*", "a.b", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(matches(c.pattern, c.topic), c.is_match) << c.pattern << " and " << c.topic;
  }
}

TEST(Matching, KeepsLeadingWildcardsOutOfReservedTopics) {
  const Case cases[] = {
      {">", "$node.up", false},       {"*", "$node", false},
      {"*.up", "$node.up", false},    {"*.>", "$node.up", false},
      {"$node.>", "$node.up", true},  {"$node.*", "$node.up", true},
      {"$node.up", "$node.up", true}, {"$dead.>", "$dead.a.b", true},
      {"node.up", "$node.up", false}, {"$node.up", "node.up", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(matches(c.pattern, c.topic), c.is_match) << c.pattern << " and " << c.topic;
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> tokens(1);
  for (const char c : text) {
    if (c == '.') {
      tokens.emplace_back();
    } else {
      tokens.back() += c;
    }
  }
  return tokens;
}

bool matches_naively(const std::string& pattern, const std::string& topic) {
  const std::vector<std::string> wanted = split(pattern), given = split(topic);
  if (topic[0] == '$' && (wanted[0] == "*" || wanted[0] == ">")) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i >= given.size()) return false;
    if (wanted[i] == ">") return true;
    if (wanted[i] != "*" && wanted[i] != given[i]) return false;
  }
  return wanted.size() == given.size();
}

// Few letters and short tokens, so that matches and near misses are frequent.
std::string random_topic(std::mt19937_64& random, bool is_pattern) {
  std::string topic = random() % 8 == 0 ? "$" : "";
  const std::size_t tokens = 1 + random() % 5;
  for (std::size_t i = 0; i < tokens; ++i) {
    if (i > 0) topic += '.';
    const std::uint64_t kind = random() % 10;
    if (is_pattern && topic != "$" && kind < 3) {
      topic += '*';
    } else if (is_pattern && topic != "$" && kind == 3) {
      return topic + ">";
    } else {
      topic.append(1 + random() % 2, 'a');
      topic.back() = static_cast<char>('a' + random() % 2);
    }
  }
  return topic;
}

TEST(Matching, CampaignAgreesWithANaiveReference) {
  const char* given = std::getenv("ABUZZ_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("ABUZZ_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::uint64_t count = testing::campaign_count(10'000'000);
  std::uint64_t match_count = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string pattern = random_topic(random, true);
    const std::string topic = random_topic(random, false);
    ASSERT_EQ(check_pattern(pattern), TopicFault::none) << pattern;
    ASSERT_EQ(check_topic(topic), TopicFault::none) << topic;
    const bool is_match = matches(pattern, topic);
    ASSERT_EQ(is_match, matches_naively(pattern, topic)) << pattern << " and " << topic;
    match_count += is_match ? 1 : 0;
  }
  EXPECT_GT(match_count, count / 50);
}

TEST(Matching, CampaignSurvivesAnyBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  constexpr char alphabet[] = {'a', 'b', '.', '*', '>', '$', '\0', '\xff'};
  const auto bytes = [&] {
    std::string text(random() % 12, 'a');
    for (char& c : text) c = alphabet[random() % sizeof alphabet];
    return text;
  };
  for (std::uint64_t i = 0; i < testing::campaign_count(10'000'000); ++i) {
    const std::string pattern = bytes(), topic = bytes();
    const bool is_match = matches(pattern, topic);
    if (check_pattern(pattern) == TopicFault::none && check_topic(topic) == TopicFault::none) {
      ASSERT_EQ(is_match, matches_naively(pattern, topic)) << pattern << " and " << topic;
    }
  }
}

TEST(Topic, a_reply_topic_names_the_agent_whose_it_is) {
  char bytes[reply_topic_bytes];
  const std::string_view topic = write_reply_topic(0x1'0000'00ab, bytes);
  EXPECT_EQ(topic, "$reply.00000001000000ab");
  EXPECT_EQ(check_topic(topic), TopicFault::none);
  EXPECT_EQ(agent_of_reply_topic(topic), 0x1'0000'00abu);
  for (const char* other :
       {"$reply.00000001000000AB", "$reply.00000001000000a", "$reply.00000001000000abc",
        "$reply.00000001000000a*", "$reply.>", "$reply.0000000000000000", "reply.00000001000000ab",
        "$replY.00000001000000ab", ""}) {
    EXPECT_FALSE(is_reply_topic(other)) << other;
  }
}

}  // namespace
}  // namespace abuzz
