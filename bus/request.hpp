#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "bus/error.hpp"
#include "bus/export.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"
#include "bus/subscription.hpp"

namespace abuzz {

namespace client {
class AgentCore;
struct Answer;
}  // namespace client

// A request that was sent, on the requester's side. What a responder does not say within the times
// of RequestOptions is a failure; nothing waits for ever. Destroying it cancels it.
//
// Threads: one at a time; cancel by any.
// Lifetime: after Agent::close, and once it was moved from, next answers `failed` with `closed`.
// Bounds: 1,024 requests an agent; 64 parts that were not taken wait here, then their sender waits.
class ABUZZ_EXPORT PendingRequest {
 public:
  PendingRequest(PendingRequest&&) noexcept;
  PendingRequest& operator=(PendingRequest&&) noexcept;
  ~PendingRequest();

  // The next of the reply: progress, parts, then exactly one `last` or `failed`. `none` if nothing
  // came within `patience`, and behind the end. Progress that nobody took is replaced by newer.
  // Failures: no_responder, at once; peer_gone: the responder's process ended; timed_out: nothing
  // was heard for idle_timeout, or hard_limit is over; reply_incomplete: a part was lost;
  // cancelled; request_failed, or another error that the responder gave.
  Reply next(std::chrono::nanoseconds patience);
  // Waits for the end: the last payload of the reply, or why there is none. Parts are passed over.
  Result<Reply> finish();

  // The responder is told, and next answers `failed` with `cancelled`. Nothing if it has ended.
  void cancel();
  bool is_over() const;  // the end was taken
  // The agent that works on it; 0: nobody has said so yet.
  std::uint64_t responder_id() const;

 private:
  friend class Agent;
  PendingRequest(std::shared_ptr<client::AgentCore> agent, std::uint64_t correlation) noexcept;
  std::shared_ptr<client::AgentCore> agent_;  // keeps what the reply stands in
  std::uint64_t correlation_ = 0;
};

// A request that came, on the responder's side. Its requester is told that it is worked on, and
// always an end: one that is destroyed without finish or fail has failed. It may be moved out of
// the handler and live on.
//
// Threads: any. Inside a handler that takes long, too: the agent goes on meanwhile.
// Lifetime: after Agent::close calls answer `closed`.
// Statuses: queued; back_pressured: no room within `patience`, nothing was sent; too_large; closed:
// it has ended, or nobody waits for it any more.
class ABUZZ_EXPORT Request {
 public:
  Request(Request&&) noexcept;
  Request& operator=(Request&&) noexcept;
  ~Request();

  std::string_view topic() const noexcept;
  std::span<const std::byte> payload() const noexcept;  // valid as long as the request
  std::string_view text() const noexcept;
  std::uint64_t requester_id() const noexcept;  // agent

  // One part of a reply of several, in this order. Waits while its requester has 64 that it has not
  // taken.
  SendStatus part(std::span<const std::byte> payload, std::chrono::nanoseconds patience);
  SendStatus part(std::string_view payload, std::chrono::nanoseconds patience);
  // Work goes on: gives it another idle_timeout. Whoever works for longer says so, now and then.
  SendStatus progress(std::string_view text = {});
  // The last reply. Waits for room for at most ten seconds; then it may be tried again. Also said
  // to who has cancelled: then it is `queued`, and heard by nobody.
  SendStatus finish(std::span<const std::byte> payload);
  SendStatus finish(std::string_view payload);
  // The requester's failure is `error` with this text, of which 512 bytes are sent. Never waits.
  void fail(Error error, std::string_view text);

  // Nobody waits for the reply: it was cancelled, given up, or its requester is gone.
  bool is_cancelled() const;
  // Waits for that; returns is_cancelled().
  bool wait_cancelled(std::chrono::nanoseconds patience) const;

 private:
  friend class Agent;
  Request(std::shared_ptr<client::AgentCore> agent,
          std::shared_ptr<client::Answer> answer) noexcept;
  SendStatus send(MessageKind kind, std::span<const std::byte> payload,
                  std::chrono::nanoseconds patience);
  std::shared_ptr<client::AgentCore> agent_;  // keeps the stream that replies go into
  std::shared_ptr<client::Answer> answer_;    // shared with the agent, which hears of a cancel
};

// Runs on the agent's executor, as other handlers do: one at a time; must not throw.
using RequestHandler = std::function<void(Request)>;

// Replies to requests on a pattern. Ends when destroyed; requests that came live on.
class ABUZZ_EXPORT Responder {
 public:
  // As Subscription::is_live and report.
  bool is_live() const noexcept { return subscription_.is_live(); }
  SubscriptionReport report() const { return subscription_.report(); }

 private:
  friend class Agent;
  explicit Responder(Subscription subscription) noexcept : subscription_(std::move(subscription)) {}
  Subscription subscription_;
};

}  // namespace abuzz
