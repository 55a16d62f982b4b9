#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/client/publisher_core.hpp"
#include "bus/client/request_mail.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"
#include "bus/queue/combiner.hpp"

namespace abuzz::client {

class AgentCore;
struct ReplyRoute;

// One request, as its responder has it.
struct Answer {
  // Constant after it was made
  std::uint64_t requester = 0, correlation = 0;  // agent id; its number there
  std::string topic;
  std::vector<std::byte> payload;
  std::shared_ptr<ReplyRoute> route;

  // Under the desk's mutex; read by anyone
  base::Position<bool> is_cancelled{false};
  base::Position<std::uint64_t> parts_allowed{0};
  // Inside the route's combiner; read by anyone
  base::Position<bool> has_ended{false};
  std::uint64_t parts = 0;
};

// The requests that an agent replies to: one stream of replies for each requester and lane, and
// what requesters say meanwhile.
//
// Threads: any. Mutex and combiners as in RequestDesk.
// Ownership: part of the agent core; an Answer is shared with who works on it.
// Invariants: at most open_max answers are open: what comes beyond is failed at once. Every answer
// ends with one last or failed reply: one that found no room waits here, and is sent by whoever
// steps.
class AnswerDesk {
 public:
  static constexpr std::size_t open_max = 1024;

  // The group that all responders to a pattern form: each request goes to one of them, once.
  static constexpr std::string_view group = "$responders";
  // What a responder subscribes with.
  static SubscribeOptions subscription();

  explicit AnswerDesk(AgentCore& agent) noexcept : agent_(agent) {}

  // A request has come: says that it is worked on, and returns it. nullptr when nobody need work
  // on it: it was cancelled, there are too many, or it is no request.
  std::shared_ptr<Answer> begin(const std::shared_ptr<AgentCore>& self, const MessageView& message);
  // One reply of this kind. Waits for room at most `patience`; `closed` once it has ended, and for
  // parts and progress once it was cancelled.
  SendStatus send(Answer& answer, MessageKind kind, std::span<const std::byte> payload,
                  base::Nanos patience);
  // Ends it with a failure, if it has not ended. Does not wait.
  void fail(const std::shared_ptr<Answer>& answer, Error error, std::string_view text);
  // Whether its requester waits no more.
  bool is_cancelled(const Answer& answer) const noexcept;

  void open() noexcept { is_open_.publish(true); }
  bool is_open() const noexcept { return is_open_.hint(); }
  // After a step of the session. True when the session has something more to send.
  bool do_work(base::Nanos now);
  // The agent is about to be closed: all that are open have failed.
  void end_all();
  // The agent is closed.
  void close();

 private:
  struct Ending {
    std::shared_ptr<Answer> answer;
    Error error;
    std::string text;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // requester, correlation

  std::shared_ptr<ReplyRoute> route_to(const std::shared_ptr<AgentCore>& self,
                                       std::uint64_t requester, Lane lane);
  SendStatus try_send(Answer& answer, MessageKind kind, std::span<const std::byte> payload);
  SendStatus send_inside(Answer& answer, MessageKind kind, std::span<const std::byte> payload);
  void take_acts();
  void forget(const Answer& answer);

  AgentCore& agent_;
  std::mutex mutex_;  // all below
  std::map<Key, std::weak_ptr<Answer>> answers_;
  std::deque<Key> cancelled_early_;  // before they came; the oldest are forgotten
  std::deque<Key> begun_;            // the latest open_max, so that none is begun twice
  std::deque<Ending> endings_;       // that found no room
  std::map<std::pair<std::uint64_t, Lane>, std::shared_ptr<ReplyRoute>> routes_;
  base::Nanos routes_look_at_ = 0;
  base::Position<bool> is_open_{false};
};

// The publisher of replies to one requester.
struct ReplyRoute {
  std::shared_ptr<PublisherCore> publisher;
  queue::Combiner sending;              // who is inside may publish
  base::Position<bool> has_met{false};  // the requester was seen to listen
  base::Nanos used_at = 0;              // under the desk's mutex
};

}  // namespace abuzz::client
