#include "bus/client/request_state.hpp"

#include <algorithm>

namespace abuzz::client {

namespace {

// The first repetition of a cancel comes after this long; each pause is twice the one before.
constexpr base::Nanos cancel_pause = 250 * base::millisecond;

bool is_end(MessageKind kind) noexcept {
  return kind == MessageKind::last || kind == MessageKind::failed;
}

}  // namespace

void RequestState::move(RequestPhase next, Error error, bool tells, base::Nanos now) noexcept {
  phase_ = next;
  error_ = error;
  if (tells) cancel_at_ = now;
}

bool RequestState::take(MessageKind kind, std::uint64_t parts, base::Nanos now) noexcept {
  if (!is_live()) {
    ++late_;
    // Somebody works for nobody: who has ended need not be told, others at once.
    if (is_end(kind)) {
      cancel_at_ = -1;
    } else if (cancel_at_ >= 0) {
      cancel_at_ = now;
    }
    return false;
  }
  heard_at_ = now;
  const std::uint64_t expected = parts_ + (kind == MessageKind::part ? 1 : 0);
  if (kind != MessageKind::failed && parts != expected) {
    move(RequestPhase::failed, Error::reply_incomplete, !is_end(kind), now);
    return false;
  }
  switch (kind) {
    case MessageKind::progress:
      if (phase_ == RequestPhase::open) phase_ = RequestPhase::waiting;
      return true;
    case MessageKind::part:
      parts_ = parts;
      phase_ = RequestPhase::streaming;
      return true;
    case MessageKind::last:
      move(RequestPhase::done, error_, false, now);
      return true;
    case MessageKind::failed:
    case MessageKind::message:
    case MessageKind::request:
      break;
  }
  return false;
}

void RequestState::take_failure(Error error) noexcept {
  if (is_live()) {
    move(error == Error::cancelled ? RequestPhase::cancelled : RequestPhase::failed, error, false,
         0);
  } else {
    ++late_;
    cancel_at_ = -1;
  }
}

void RequestState::note_no_responder() noexcept {
  if (phase_ == RequestPhase::open) move(RequestPhase::failed, Error::no_responder, false, 0);
  if (!is_live()) cancel_at_ = -1;
}

void RequestState::note_undelivered() noexcept {
  if (phase_ == RequestPhase::open) move(RequestPhase::failed, Error::peer_gone, false, 0);
  if (!is_live()) cancel_at_ = -1;
}

void RequestState::note_responder_gone() noexcept {
  if (is_live()) move(RequestPhase::failed, Error::peer_gone, false, 0);
  cancel_at_ = -1;
}

void RequestState::note_overflow(base::Nanos now) noexcept {
  if (is_live()) move(RequestPhase::failed, Error::too_large, true, now);
}

void RequestState::cancel(base::Nanos now) noexcept {
  if (is_live()) move(RequestPhase::cancelled, Error::cancelled, true, now);
}

void RequestState::step(base::Nanos now) noexcept {
  if (!is_live()) return;
  if (now - heard_at_ >= limits_.idle_timeout || now - started_at_ >= limits_.hard_limit)
    move(RequestPhase::failed, Error::timed_out, true, now);
}

base::Nanos RequestState::deadline() const noexcept {
  if (!is_live()) return cancel_at_;
  return std::min(base::moment_after(heard_at_, limits_.idle_timeout),
                  base::moment_after(started_at_, limits_.hard_limit));
}

bool RequestState::take_due_cancel(base::Nanos now) noexcept {
  if (cancel_at_ < 0 || now < cancel_at_) return false;
  cancel_at_ = ++cancels_ == cancels_max ? -1 : now + (cancel_pause << (cancels_ - 1));
  return true;
}

}  // namespace abuzz::client
