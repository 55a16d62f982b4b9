#pragma once

#include <algorithm>

#include "bus/base/units.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::delivery {

// A frame that a link loses leaves a hole in its sequence, which the next one shows. Behind the
// last one there is no next: after a quiet while this end asks whether everything arrived, and asks
// again until it is answered, less and less often. The same at the agent and at the node
// (schema/wire.md, "Lost frames").
//
// One thread. Cost: nothing while frames follow each other; an empty frame each way once a link
// comes to rest.
class LinkProbe {
 public:
  static constexpr base::Nanos quiet = 250 * base::millisecond;
  static constexpr base::Nanos wait_max = 8 * base::second;

  // A frame is about to leave. `has_news`: it has records, so its loss would matter.
  void stamp(wire::FrameHead& head, bool has_news, base::Nanos now) noexcept {
    head.sent_ms = static_cast<std::uint32_t>(now / base::millisecond);
    if (owes_answer_) head.flags |= wire::frame_answers;
    owes_answer_ = false;
    if (has_news) {
      is_answered_ = false;
      sent_at_ = now;
      wait_ = quiet;
      if (due_at_ == 0) due_at_ = now + quiet;
    }
    if (!is_due(now)) return;
    head.flags |= wire::frame_asks;
    is_answered_ = true;  // by the answer to this question, once it is there
    due_at_ = now + wait_;
    wait_ = std::min(wait_ * 2, wait_max);
  }
  // A frame arrived in its turn.
  void on_frame(const wire::FrameHead& head) noexcept {
    if ((head.flags & wire::frame_asks) != 0) owes_answer_ = true;
    if ((head.flags & wire::frame_answers) != 0 && is_answered_) due_at_ = 0;
  }
  bool owes_answer() const noexcept { return owes_answer_; }
  // Whether a frame must leave now, to ask.
  bool is_due(base::Nanos now) noexcept {
    if (due_at_ == 0 || now < due_at_) return false;
    // Frames went since: it was not quiet. Looked at only now, so that a deadline does not move
    // with each frame.
    if (now < sent_at_ + quiet) due_at_ = sent_at_ + quiet;
    return now >= due_at_;
  }
  // When is_due() must be asked; 0: nothing is waited for.
  base::Nanos due_at() const noexcept { return due_at_; }

 private:
  bool owes_answer_ = false;
  bool is_answered_ = false;  // nothing went since the last question
  base::Nanos due_at_ = 0;    // 0: everything is known to have arrived
  base::Nanos sent_at_ = 0;
  base::Nanos wait_ = quiet;
};

}  // namespace abuzz::delivery
