#include "bus/client/request_state.hpp"

#include <gtest/gtest.h>

namespace abuzz::client {
namespace {

// The defaults of a request.
constexpr RequestState::Limits defaults{60 * base::second, 3600 * base::second};

TEST(RequestState, ten_minutes_of_work_with_a_progress_every_five_seconds_succeed) {
  base::Nanos now = 7 * base::second;
  RequestState state(defaults, now);
  EXPECT_EQ(state.phase(), RequestPhase::open);
  for (int count = 0; count < 120; ++count) {
    now += 5 * base::second;
    state.step(now);
    EXPECT_TRUE(state.take(MessageKind::progress, 0, now));
    EXPECT_EQ(state.phase(), RequestPhase::waiting);
  }
  EXPECT_TRUE(state.take(MessageKind::last, 0, now));
  EXPECT_EQ(state.phase(), RequestPhase::done);
  EXPECT_TRUE(state.is_settled());
  EXPECT_FALSE(state.take_due_cancel(now));
}

TEST(RequestState, silence_past_the_idle_time_fails_and_the_responder_is_told) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::progress, 0, 10 * base::second));
  EXPECT_EQ(state.deadline(), 70 * base::second);
  state.step(70 * base::second - 1);
  EXPECT_TRUE(state.is_live());
  state.step(70 * base::second);
  EXPECT_EQ(state.phase(), RequestPhase::failed);
  EXPECT_EQ(state.error(), Error::timed_out);
  EXPECT_TRUE(state.take_due_cancel(70 * base::second));
}

TEST(RequestState, progress_does_not_extend_the_hard_limit) {
  RequestState state(defaults, 0);
  for (base::Nanos now = 0; now < 3600 * base::second; now += 30 * base::second) {
    state.step(now);
    EXPECT_TRUE(state.take(MessageKind::progress, 0, now));
  }
  EXPECT_EQ(state.deadline(), 3600 * base::second);
  state.step(3600 * base::second);
  EXPECT_EQ(state.error(), Error::timed_out);
}

TEST(RequestState, a_limit_without_end_is_no_deadline_in_the_past) {
  RequestState state({INT64_MAX, INT64_MAX}, 5 * base::second);
  state.step(1'000'000 * base::second);
  EXPECT_TRUE(state.is_live());
  EXPECT_EQ(state.deadline(), INT64_MAX);
}

TEST(RequestState, parts_are_counted_and_a_lost_one_is_reported) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::part, 1, 1));
  EXPECT_EQ(state.phase(), RequestPhase::streaming);
  EXPECT_TRUE(state.take(MessageKind::part, 2, 2));
  EXPECT_FALSE(state.take(MessageKind::part, 4, 3));
  EXPECT_EQ(state.phase(), RequestPhase::failed);
  EXPECT_EQ(state.error(), Error::reply_incomplete);
  EXPECT_TRUE(state.take_due_cancel(3));
}

TEST(RequestState, an_end_that_counts_more_parts_than_came_is_incomplete) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::part, 1, 1));
  EXPECT_FALSE(state.take(MessageKind::last, 2, 2));
  EXPECT_EQ(state.error(), Error::reply_incomplete);
  // It has ended: there is nobody to tell.
  EXPECT_TRUE(state.is_settled());
}

TEST(RequestState, progress_tells_of_a_lost_part_before_the_end_does) {
  RequestState state(defaults, 0);
  EXPECT_FALSE(state.take(MessageKind::progress, 1, 1));
  EXPECT_EQ(state.error(), Error::reply_incomplete);
}

TEST(RequestState, the_end_is_missing_when_the_responder_is_gone) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::part, 1, 1));
  state.note_responder_gone();
  EXPECT_EQ(state.error(), Error::peer_gone);
  EXPECT_TRUE(state.is_settled());
}

TEST(RequestState, without_a_responder_it_fails_at_once) {
  RequestState state(defaults, 0);
  state.note_no_responder();
  EXPECT_EQ(state.phase(), RequestPhase::failed);
  EXPECT_EQ(state.error(), Error::no_responder);
  EXPECT_TRUE(state.is_settled());
  RequestState dropped(defaults, 0);
  dropped.note_undelivered();
  EXPECT_EQ(dropped.error(), Error::peer_gone);
}

TEST(RequestState, what_is_said_of_the_request_does_not_end_one_that_is_worked_on) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::progress, 0, 1));
  state.note_no_responder();
  state.note_undelivered();
  EXPECT_EQ(state.phase(), RequestPhase::waiting);
}

TEST(RequestState, a_cancel_is_repeated_until_the_responder_has_ended) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::progress, 0, 1));
  state.cancel(10);
  EXPECT_EQ(state.phase(), RequestPhase::cancelled);
  EXPECT_EQ(state.error(), Error::cancelled);
  EXPECT_TRUE(state.take_due_cancel(10));
  EXPECT_FALSE(state.take_due_cancel(11));
  EXPECT_TRUE(state.take_due_cancel(10 + base::second));
  EXPECT_FALSE(state.is_settled());
  state.take_failure(Error::cancelled);
  EXPECT_TRUE(state.is_settled());
  EXPECT_EQ(state.late(), 1u);
}

TEST(RequestState, a_cancel_that_nobody_answers_is_given_up) {
  RequestState state(defaults, 0);
  state.cancel(0);
  std::uint32_t told = 0;
  for (base::Nanos now = 0; now < 600 * base::second; now += 10 * base::millisecond)
    told += state.take_due_cancel(now) ? 1 : 0;
  EXPECT_EQ(told, RequestState::cancels_max);
  EXPECT_TRUE(state.is_settled());
}

TEST(RequestState, who_begins_after_the_cancel_is_told_at_once) {
  RequestState state(defaults, 0);
  state.cancel(0);
  EXPECT_TRUE(state.take_due_cancel(0));
  EXPECT_FALSE(state.take(MessageKind::progress, 0, 1));
  EXPECT_TRUE(state.take_due_cancel(1));
}

TEST(RequestState, what_comes_after_the_end_is_counted_and_not_given_out) {
  RequestState state(defaults, 0);
  EXPECT_TRUE(state.take(MessageKind::last, 0, 1));
  EXPECT_FALSE(state.take(MessageKind::part, 1, 2));
  EXPECT_FALSE(state.take(MessageKind::last, 0, 3));
  state.cancel(4);
  state.step(7200 * base::second);
  EXPECT_EQ(state.phase(), RequestPhase::done);
  EXPECT_EQ(state.late(), 2u);
  EXPECT_TRUE(state.is_settled());
}

TEST(RequestState, a_responder_that_fails_has_the_last_word) {
  RequestState state(defaults, 0);
  state.take_failure(Error::request_failed);
  EXPECT_EQ(state.phase(), RequestPhase::failed);
  EXPECT_EQ(state.error(), Error::request_failed);
  EXPECT_TRUE(state.is_settled());
}

}  // namespace
}  // namespace abuzz::client
