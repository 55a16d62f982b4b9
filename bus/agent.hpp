#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/export.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"
#include "bus/publisher.hpp"
#include "bus/request.hpp"
#include "bus/subscription.hpp"

namespace abuzz {

// One participant on the bus. Starts a node when none is there, and finds the next one by itself
// when the node dies.
//
// Threads: any thread may call; see Publisher and Subscription for theirs. The library's own
// threads (two, ZeroMQ's two, and workers where a subscription asked for them) end in close().
// Nothing throws; no signal handlers.
// Moved from: calls answer `closed` or nothing, and wait() returns.
// Fork: in a child process an agent and what was made from it are dead, and the parent's live on.
// Calls answer `closed` or nothing, close() and destructors return at once and touch nothing of the
// parent. A child may connect an agent of its own. One forked in a handler must not return from it.
class ABUZZ_EXPORT Agent {
 public:
  // With the config of the environment (ABUZZ_*), or the one given, if check_config() lets it pass.
  // Waits at most
  // agent.connect_timeout. A node that refuses for want of room (descriptors, agents, links,
  // memory) is asked a few times within a fraction of a second; then its cause is the error.
  static Result<Agent> connect(AgentOptions options = {});
  static Result<Agent> connect(AgentOptions options, const Config& config);
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;
  ~Agent();  // close(agent.linger)

  Result<Publisher> publisher(std::string_view topic, const PublisherOptions& options = {});
  // Confirmed: what is published after it returned is seen. Of reserved patterns those are
  // open that begin with the token `$agents` (what the node tells about the states of agents) or
  // `$dead` (dead letters). The node is never held: `lossless` there means `drop_new`.
  Result<Subscription> subscribe(std::string_view pattern, Handler handler,
                                 const SubscribeOptions& options = {});
  // With a handler of many messages at once, for those who work better on many (an inference):
  // SubscribeOptions::batch_max and batch_wait.
  Result<Subscription> subscribe(std::string_view pattern, BatchHandler handler,
                                 const SubscribeOptions& options = {});
  // Without a handler: for poll().
  Result<Subscription> subscribe(std::string_view pattern, const SubscribeOptions& options = {});

  // Asks whoever replies on the topic. Waits for a node and for room at most as long as the request
  // may live; the reply is waited for by the PendingRequest. Any thread, also inside handlers.
  Result<PendingRequest> request(std::string_view topic, std::span<const std::byte> payload,
                                 const RequestOptions& options = {});
  Result<PendingRequest> request(std::string_view topic, std::string_view payload,
                                 const RequestOptions& options = {});
  // Replies to requests on all topics that match. Confirmed, as subscribe.
  Result<Responder> reply(std::string_view pattern, RequestHandler handler);

  // The newest message that is retained on a topic (PublisherOptions::retain_messages), of that key
  // or of any (0). `nothing_retained` where there is none; the node counts hits and misses.
  Result<RetainedMessage> get(std::string_view topic, std::chrono::nanoseconds patience,
                              std::uint64_t key = 0);

  // Waits until a node has accepted everything published so far and outcomes are known (all
  // publishers of this agent, summed), or until the deadline.
  FlushReport flush(std::chrono::nanoseconds patience);
  // Hands over what was published, at most for `patience`, lets the handler that runs come to its
  // end (without a bound: it is your code), ends the threads. Where handlers run beside each other
  // or in batches, what was begun is handled first, within the same patience. Further calls answer
  // `closed`. Any thread, as often as one likes. Of several calls one does it; the others, later
  // ones and the destructor's too, wait until it is done and the last handler returned, and report
  // the same. Inside a handler it does not wait for handlers: the one that runs ends behind it.
  // Where another thread is already closing, it returns at once and reports nothing.
  CloseReport close(std::chrono::nanoseconds patience);

  // Returns when close() or stop() was called.
  void wait();
  // Makes wait() return. Safe in a signal handler.
  void stop() noexcept;

  const std::string& name() const noexcept;
  std::uint64_t id() const noexcept;
  bool is_connected() const noexcept;         // to a node, now
  std::uint32_t node_epoch() const noexcept;  // rises when the node is another one
  std::string link() const;                   // "zmq ipc"

 private:
  struct State;
  explicit Agent(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace abuzz
