#include "bus/place/conversation.hpp"

#include <gtest/gtest.h>

namespace abuzz::place::test {
namespace {

using Act = Conversation::Act;
using State = Conversation::State;

TrafficLook look(double batches, double messages_a_batch = 1, double cpu_us_a_batch = 50) {
  TrafficLook made;
  made.span = base::second;
  made.batches = static_cast<std::uint64_t>(batches);
  made.messages = static_cast<std::uint64_t>(batches * messages_a_batch);
  made.cpu = static_cast<base::Nanos>(batches * cpu_us_a_batch * base::microsecond);
  return made;
}

class ConversationTest : public ::testing::Test {
 protected:
  // Up to the moment when it was gathered.
  void gather(double batches = 3000) {
    EXPECT_EQ(conversation_.note(look(batches)), Act::none);
    EXPECT_EQ(conversation_.note(look(batches)), Act::gather);
  }
  Act try_with(const TrafficLook& seen) {
    EXPECT_EQ(conversation_.note(seen), Act::none);
    EXPECT_EQ(conversation_.note(seen), Act::none);
    return conversation_.note(seen);
  }
  Conversation conversation_;
};

TEST_F(ConversationTest, small_exchanges_are_gathered_and_stay_where_more_of_them_go) {
  gather();
  EXPECT_EQ(try_with(look(5000)), Act::none);
  EXPECT_EQ(conversation_.state(), State::together);
  for (int time = 0; time < 100; ++time) EXPECT_EQ(conversation_.note(look(5000)), Act::none);
}

TEST_F(ConversationTest, as_many_for_less_work_are_worth_it_too) {
  gather();
  EXPECT_EQ(try_with(look(3000, 1, 30)), Act::none);
  EXPECT_EQ(conversation_.state(), State::together);
}

TEST_F(ConversationTest, what_gains_nothing_is_refused_for_a_while) {
  gather();
  EXPECT_EQ(try_with(look(3000, 1, 49)), Act::part);
  EXPECT_EQ(conversation_.state(), State::refused);
  for (std::uint32_t time = 1; time < Conversation::looks_refused; ++time)
    EXPECT_EQ(conversation_.note(look(3000)), Act::none);
  EXPECT_EQ(conversation_.state(), State::refused);
  EXPECT_EQ(conversation_.note(look(3000)), Act::none);
  EXPECT_EQ(conversation_.state(), State::apart);
}

TEST_F(ConversationTest, what_cannot_be_gathered_is_asked_for_again_after_a_while) {
  gather();
  conversation_.refuse();
  EXPECT_FALSE(conversation_.is_gathered());
  int looks = 0;
  while (conversation_.note(look(3000)) != Act::gather) ++looks;
  EXPECT_EQ(looks, static_cast<int>(Conversation::looks_refused) + 1);
}

TEST_F(ConversationTest, streams_are_never_gathered) {
  for (int time = 0; time < 100; ++time)
    EXPECT_EQ(conversation_.note(look(20'000, 100)), Act::none);
  EXPECT_EQ(conversation_.state(), State::apart);
}

TEST_F(ConversationTest, a_stream_ends_the_meeting) {
  gather();
  (void)try_with(look(5000));
  EXPECT_EQ(conversation_.note(look(5000, 20)), Act::none);
  EXPECT_EQ(conversation_.note(look(5000)), Act::none) << "one look says nothing";
  EXPECT_EQ(conversation_.note(look(5000, 20)), Act::none);
  EXPECT_EQ(conversation_.note(look(5000, 20)), Act::part);
  EXPECT_EQ(conversation_.state(), State::apart);
}

TEST_F(ConversationTest, much_less_than_was_seen_together_ends_the_meeting) {
  gather();
  (void)try_with(look(5000));
  EXPECT_EQ(conversation_.note(look(4000)), Act::none);
  EXPECT_EQ(conversation_.note(look(4000)), Act::none);
  EXPECT_EQ(conversation_.note(look(3000)), Act::none);
  EXPECT_EQ(conversation_.note(look(3000)), Act::part);
  EXPECT_EQ(conversation_.state(), State::apart);
}

TEST_F(ConversationTest, what_says_little_stays_where_it_is) {
  for (int time = 0; time < 100; ++time) EXPECT_EQ(conversation_.note(look(50)), Act::none);
  EXPECT_EQ(conversation_.state(), State::apart);
}

}  // namespace
}  // namespace abuzz::place::test
