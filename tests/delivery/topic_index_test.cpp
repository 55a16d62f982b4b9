#include "bus/delivery/topic_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

namespace abuzz::delivery {
namespace {

struct Source {
  std::string topic;
};
struct Sink {
  std::string pattern;
};
using Index = TopicIndex<Source, Sink>;

std::string text_of(std::mt19937& random, const std::vector<std::string>& tokens) {
  std::string text;
  for (std::size_t token = 0, count = 1 + random() % 3; token < count; ++token)
    text += (text.empty() ? "" : ".") + tokens[random() % tokens.size()];
  return text;
}

// Some come and some go, and each time all that is found is what a look at everything finds.
TEST(TopicIndex, FindsWhatALookAtEverythingFinds) {
  std::mt19937 random(1);
  Index index;
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<std::unique_ptr<Sink>> sinks;
  const auto drop_one = [&](auto& items) {
    if (items.size() < 20) return;
    std::swap(items[random() % items.size()], items.back());
    index.remove(*items.back());
    items.pop_back();
  };
  for (int round = 0; round < 2'000; ++round) {
    sources.push_back(std::make_unique<Source>(Source{text_of(random, {"a", "b", "$c"})}));
    index.add(*sources.back());
    std::string pattern = text_of(random, {"a", "b", "$c", "*"});
    if (random() % 4 == 0) pattern += ".>";
    sinks.push_back(std::make_unique<Sink>(Sink{pattern}));
    index.add(*sinks.back());
    std::set<const void*> found, expected;
    index.visit_matches(*sources.back(), [&](Sink& sink) { return found.insert(&sink).second; });
    for (const auto& sink : sinks)
      if (matches(sink->pattern, sources.back()->topic)) expected.insert(sink.get());
    index.visit_matches(*sinks.back(),
                        [&](Source& source) { return found.insert(&source).second; });
    for (const auto& source : sources)
      if (matches(pattern, source->topic)) expected.insert(source.get());
    ASSERT_EQ(found, expected) << sources.back()->topic << " and " << pattern;
    drop_one(sources);
    drop_one(sinks);
  }
}

TEST(TopicIndex, StopsWhereItIsTold) {
  Index index;
  Source one{"a"}, two{"a"};
  index.add(one);
  index.add(two);
  for (const char* pattern : {"a", "*"}) {
    const Sink sink{pattern};
    int visits = 0;
    EXPECT_FALSE(index.visit_matches(sink, [&](Source&) { return ++visits < 1; }));
    EXPECT_EQ(visits, 1);
  }
}

}  // namespace
}  // namespace abuzz::delivery
