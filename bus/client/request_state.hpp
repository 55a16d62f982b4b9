#pragma once

#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/error.hpp"
#include "bus/message.hpp"

namespace abuzz::client {

// Phases of a request.
//   open       sent; nobody has said that he works on it
//   waiting    a responder works on it
//   streaming  some parts of its reply are here
//   done       the whole reply is here
//   failed     it will not be
//   cancelled  its requester does not want it any more
enum class RequestPhase : std::uint8_t { open, waiting, streaming, done, failed, cancelled };

// One request, as its requester sees it. RequestState::move makes every transition.
//
// | phase           | event                              | next, what follows                     |
// | --------------- | ---------------------------------- | -------------------------------------- |
// | open            | nobody replies there               | failed{no_responder}                   |
// | open            | every responder dropped it         | failed{peer_gone}                      |
// | open            | progress                           | waiting                                |
// | open .. waiting | part 1                             | streaming                              |
// | streaming       | part k + 1                         | streaming                              |
// | live            | a part or an end that counts other | failed{reply_incomplete}: cancel too   |
// |                 | parts than have come               |                                        |
// | live            | progress, a part                   | the idle time begins again             |
// | live            | last                               | done                                   |
// | live            | failed                             | failed, as the responder says          |
// | live            | its responder is gone              | failed{peer_gone}                      |
// | live            | idle or hard time over             | failed{timed_out}: cancel is sent      |
// | live            | more is kept than may be           | failed{too_large}: cancel is sent      |
// | live            | its owner cancels                  | cancelled: cancel is sent              |
// | over            | any reply                          | late: counted, not given out           |
//
// Live are open, waiting and streaming; over the others. Cancel is repeated, because nothing says
// that it arrived, until the responder has ended or `cancels_max` were sent.
//
// Threads: one at a time. Pure: time is handed in.
class RequestState {
 public:
  struct Limits {
    base::Nanos idle_timeout = 0;  // since the last that was heard
    base::Nanos hard_limit = 0;    // in all
  };
  RequestState(Limits limits, base::Nanos now) noexcept
      : limits_(limits), started_at_(now), heard_at_(now) {}

  // A reply that says that, with it, `parts` parts came. Whether it is to be given out.
  bool take(MessageKind kind, std::uint64_t parts, base::Nanos now) noexcept;
  // Of kind `failed`, for this reason.
  void take_failure(Error error) noexcept;
  void note_no_responder() noexcept;
  // Every responder dropped the request, or is gone without having handled it.
  void note_undelivered() noexcept;
  void note_responder_gone() noexcept;
  void note_overflow(base::Nanos now) noexcept;
  void cancel(base::Nanos now) noexcept;
  // Looks at the clock.
  void step(base::Nanos now) noexcept;
  // When step has something to do; negative: never.
  base::Nanos deadline() const noexcept;

  RequestPhase phase() const noexcept { return phase_; }
  bool is_live() const noexcept { return phase_ < RequestPhase::done; }
  Error error() const noexcept { return error_; }  // of failed and cancelled
  std::uint64_t parts() const noexcept { return parts_; }
  std::uint64_t late() const noexcept { return late_; }

  // Whether the responder is to be told, now, that nobody waits; counts as told.
  bool take_due_cancel(base::Nanos now) noexcept;
  // Nothing more is to be said or heard.
  bool is_settled() const noexcept { return !is_live() && cancel_at_ < 0; }

  static constexpr std::uint32_t cancels_max = 8;

 private:
  void move(RequestPhase next, Error error, bool tells, base::Nanos now) noexcept;

  const Limits limits_;
  const base::Nanos started_at_;
  base::Nanos heard_at_;
  RequestPhase phase_ = RequestPhase::open;
  Error error_ = Error::request_failed;
  std::uint64_t parts_ = 0, late_ = 0;
  base::Nanos cancel_at_ = -1;  // when the responder is told next; negative: it need not be
  std::uint32_t cancels_ = 0;   // told so often
};

}  // namespace abuzz::client
