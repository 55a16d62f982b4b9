#include "bus/base/event_count.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace abuzz::base {

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

// Sleeps while *word == expected, until `deadline` on the monotonic clock (null: for ever).
// Returns 0 or errno.
int futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
               const timespec* deadline) noexcept {
  // WAIT_BITSET because its timeout is absolute: an interrupted wait does not start over.
  const long result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 ? 0 : errno;
}

timespec deadline_after(Nanos timeout) noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  // Longer than this is never meant; it keeps the sum inside time_t.
  constexpr Nanos timeout_max = Nanos{1} << 60;
  const Nanos bounded = timeout < timeout_max ? timeout : timeout_max;
  const Nanos nanos = time.tv_nsec + bounded % second;
  time.tv_sec += static_cast<time_t>(bounded / second + nanos / second);
  time.tv_nsec = static_cast<long>(nanos % second);
  return time;
}

}  // namespace

EventCount::Key EventCount::prepare() noexcept {
  // Pairs with notify_all: the check that follows sees what a notifier wrote before its call.
  waiters_.fetch_add(1, std::memory_order_acq_rel);
  // Pairs with notify_all: who has the new epoch also has what was published before it.
  return epoch_.load(std::memory_order_acquire);
}

void EventCount::cancel() noexcept {
  // Relaxed: leaving publishes nothing; a read-modify-write keeps the chain of waiters_.
  waiters_.fetch_sub(1, std::memory_order_relaxed);
}

bool EventCount::wait(Key key, Nanos timeout) noexcept {
  const timespec deadline = timeout < 0 ? timespec{} : deadline_after(timeout);
  bool was_notified = true;
  // Pairs with notify_all: what the notifier published.
  while (epoch_.load(std::memory_order_acquire) == key) {
    if (futex_wait(epoch_, key, timeout < 0 ? nullptr : &deadline) != ETIMEDOUT) continue;
    was_notified = epoch_.load(std::memory_order_acquire) != key;  // Pairs with notify_all.
    break;
  }
  cancel();
  return was_notified;
}

void EventCount::notify_all() noexcept {
  // Pairs with prepare: adding nothing is still a read-modify-write, so it and the waiter's stand
  // in one order. Either this one sees the waiter, or the waiter's sees it and what came before.
  if (waiters_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  // Pairs with wait and prepare.
  epoch_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &epoch_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace abuzz::base
