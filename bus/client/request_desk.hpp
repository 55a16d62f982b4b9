#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/base/random.hpp"
#include "bus/client/publisher_core.hpp"
#include "bus/client/request_mail.hpp"
#include "bus/client/request_state.hpp"
#include "bus/client/subscription_core.hpp"
#include "bus/options.hpp"
#include "bus/queue/combiner.hpp"

namespace abuzz::client {

class AgentCore;

// The requests of one agent: sends them, takes replies off the agent's reply topic and puts each to
// its request. Replies are taken by whoever steps the agent, so that they need no handler's turn.
//
// Threads: any. `mutex_` is held for moments and nothing of the agent is called meanwhile; who
// publishes is inside the publisher's own combiner and takes the mutex behind it, never before.
// Ownership: part of the agent core.
// Invariants: at most open_max requests wait for a reply; each keeps at most parts_max parts that
// its owner has not taken, all together kept_bytes_max bytes. Who sends more than it was allowed,
// or than there is room for, has its request failed; nobody else is held.
// Cost: a table by correlation; each reply is copied once and allocated. A step with no request
// open costs one load.
class RequestDesk {
 public:
  static constexpr std::size_t open_max = 1024;
  static constexpr std::uint64_t parts_max = 64;
  static constexpr std::size_t kept_bytes_max = std::size_t{256} << 20;

  RequestDesk(AgentCore& agent, std::uint64_t seed) noexcept;
  ~RequestDesk();

  // --- Opening. A request is known by its correlation. ---
  // Begins to listen for replies, or looks whether that is confirmed.
  Status listen();
  bool is_listening();
  // Requires: is_listening(), and `route` from route_to. Does not wait: back_pressured where there
  // is no room now.
  struct Route;
  Result<std::uint64_t> try_open(const std::shared_ptr<Route>& route,
                                 std::span<const std::byte> payload, const RequestOptions& options);
  // Does not wait for the node's answer to the publisher.
  Result<std::shared_ptr<Route>> route_to(std::shared_ptr<AgentCore> self, std::string_view topic,
                                          Lane lane);
  // All of it, waiting for a node and for room until `deadline`.
  Result<std::uint64_t> open(const std::shared_ptr<AgentCore>& self, std::string_view topic,
                             std::span<const std::byte> payload, const RequestOptions& options,
                             base::Nanos deadline);

  // --- What its owner does with a request. ---
  // The next reply that came, if any; false for none.
  bool take(std::uint64_t correlation, Reply& reply);
  // The same, waiting at most `patience`.
  Reply await(std::uint64_t correlation, base::Nanos patience);
  bool is_over(std::uint64_t correlation);
  std::uint64_t responder_of(std::uint64_t correlation);  // agent id; 0: not known yet
  void cancel(std::uint64_t correlation);
  // Nobody asks for it any more; one that is live is cancelled.
  void drop(std::uint64_t correlation);

  // --- Stepping. ---
  bool is_open() const noexcept { return is_open_.hint(); }
  // After a step of the session. True when the session has something more to send.
  bool do_work(base::Nanos now);
  // When do_work has something to do although nothing arrived; negative: no such time.
  base::Nanos deadline() const noexcept { return look_at_.read(); }
  // Replies that nobody waited for, that were not of the responder, or late.
  std::uint64_t strays() const noexcept { return strays_.hint(); }
  // The agent is closed.
  void close();

 private:
  struct Entry;
  using Table = std::unordered_map<std::uint64_t, Entry>;

  Result<std::uint64_t> enter(const std::shared_ptr<Route>& route, const RequestOptions& options,
                              std::uint64_t sequence);
  void forget(std::uint64_t correlation);
  std::size_t take_replies();
  void take_reply(const MessageView& message);
  void keep(Entry& entry, ReplyKind kind, const MessageView& message);
  void take_ends();
  void take_receipts();
  void note_outcome(Entry& entry, const wire::Receipt& run);
  void fail_all(Error error);
  void look_at_clocks(base::Nanos now);
  bool push_acts();
  void tell(Entry& entry, wire::RequestActKind kind, std::uint64_t responder);
  void look_soon(base::Nanos when);
  std::vector<std::shared_ptr<Route>> idle_routes(base::Nanos now);

  AgentCore& agent_;
  std::mutex setup_;  // one at a time begins to listen; held while the agent is called
  std::mutex mutex_;  // all below
  Table entries_;
  std::map<std::pair<std::string, Lane>, std::shared_ptr<Route>> routes_;
  std::shared_ptr<SubscriptionCore> replies_;  // shared with the session
  std::size_t live_ = 0;                       // entries that their owners have
  std::size_t kept_bytes_ = 0;
  std::vector<std::uint64_t> unanswered_;  // entries in phase open
  std::deque<wire::RequestAct> acts_;      // for the session
  base::Nanos now_ = 0;                    // of the present do_work
  base::Nanos routes_look_at_ = 0;
  base::Random random_;
  base::Position<bool> is_open_{false};
  base::Position<base::Nanos> look_at_{-1};
  base::Position<std::uint64_t> strays_{0};
};

// A publisher of requests on one topic and lane.
struct RequestDesk::Route {
  std::shared_ptr<PublisherCore> publisher;
  queue::Combiner sending;  // who is inside may publish
  std::uint32_t users = 0;  // under the desk's mutex: entries
  base::Nanos used_at = 0;  // the same
};

}  // namespace abuzz::client
