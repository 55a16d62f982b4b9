#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "bus/base/clock.hpp"
#include "bus/base/position.hpp"
#include "bus/client/lane_queues.hpp"
#include "bus/client/lease_desk.hpp"
#include "bus/client/lease_words.hpp"
#include "bus/mem/pool.hpp"
#include "bus/options.hpp"
#include "bus/queue/intake.hpp"
#include "bus/stats.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::client {

// States of a subscription, as the agent sees it. SubscriptionCore::state changes in Session only.
//   joining  told to the node (or waiting for one), no answer yet
//   live     confirmed
//   refused  the node answered with an error
//   gone     the node ended it, or its owner did
enum class SubscriptionState : std::uint8_t { joining, live, refused, gone };

class AgentCore;
class SubscriptionCore;

// Deliveries that were refused. Their numbers mean something to the node of that registration only.
struct Refusal {
  std::uint64_t serial = 0;  // of the subscription
  std::uint32_t generation = 0;
  wire::Verdict verdict;
};
using VerdictIntake = queue::Intake<Refusal, 64>;

// What a subscription calls: one of them, or neither where it is polled.
struct Handlers {
  Handlers() = default;
  template <class Given>
  requires std::is_constructible_v<Handler, Given> Handlers(Given&& given)
      : one(std::forward<Given>(given)) {}
  template <class Given>
  requires std::is_constructible_v<BatchHandler, Given> Handlers(Given&& given)
      : many(std::forward<Given>(given)) {}
  Handler one;
  BatchHandler many;
};

// What the library itself makes a subscription for, beside what users subscribe.
struct SubscriptionUse {
  bool is_for_desk = false;                  // replies to requests
  std::optional<std::uint64_t> asked_key{};  // of Agent::get: one value, of that key or of any (0)
  std::weak_ptr<AgentCore> leases{};         // of a group: whose leases may outlive handlers
};

// One subscription: what the session registers, and what the consumer (the executor, or a polling
// thread) does with its deliveries: verify, recognise what came twice, put chunks together, call
// the handler, count.
//
// Threads: members are grouped by who writes them. One consumer at a time.
class SubscriptionCore {
 public:
  SubscriptionCore(std::string pattern, const SubscribeOptions& options, Handlers handlers,
                   base::Clock& clock, mem::Pool& pool, const wire::VerifyLimits& limits,
                   StatsRow* row);

  // --- Consumer ---
  // Takes a delivery; its messages are then given out by handle_some. False when the pool has no
  // buffer for it: the delivery is unchanged, and must be begun again before any other of its lane.
  bool begin(Delivery& delivery);
  bool has_messages() const noexcept { return next_ < end_; }
  // Calls `handler` for up to `max` messages of the delivery that was begun; returns how many.
  std::size_t handle_some(const Handler& handler, std::size_t max);
  SubscriptionReport report() const noexcept;
  StatsRow* row() const noexcept { return row_; }
  // Drops what is left of the delivery that was begun, when nobody will handle it. It is not told
  // as handled: the node drops it when it learns that the subscription or the agent is gone.
  void abandon();
  // Counts the message whose handler runs, and those before it, as handled. Called inside a handler
  // that ends the subscription.
  void note_handled() noexcept;

  // --- Consumer, where several handlers may run at once (is_shared): whoever begins a delivery
  // takes it over, has its messages handled in any order, and settles it. ---
  struct Begun {
    Delivery facts;  // without the slice
    wire::BatchView view;
    mem::Buffer whole;  // a reassembled payload
    std::uint32_t next = 0, end = 0;
    std::uint64_t charge = 0;  // of the window, given back at the end
    bool is_expired(base::Nanos now) const noexcept {
      return facts.expires_at != 0 && now >= facts.expires_at;
    }
  };
  // What begin() left; call it after each. Empty (count 0) where nothing is to be settled.
  Begun take_begun() noexcept;
  // Of the messages from `next`, the first `handled` are over; the others are in hand.
  void settle_some(const Begun& begun, std::uint32_t handled) noexcept;
  // All are over, the last in turn of its lane; `handled` of them were given to handlers.
  void settle_all(const Begun& begun, std::uint32_t handled) noexcept;
  // Messages from index `from` on are refused: their time was over. False where that cannot be told
  // now.
  bool refuse_from(const Begun& begun, std::uint32_t from);
  // What a handler is given of message `index`; valid as long as `begun` stands where it is.
  MessageView view_of(const Begun& begun, std::uint32_t index) const noexcept;

  // Constant after construction
  const std::string pattern;
  const SubscribeOptions options;
  const Handler handler;
  const BatchHandler batch_handler;
  bool is_polled() const noexcept { return !handler && !batch_handler; }
  // Its deliveries go through a WorkDesk: there may be several handlers, or one for many messages.
  bool is_shared() const noexcept {
    return batch_handler != nullptr || (handler && options.concurrency > 1);
  }
  std::unique_ptr<LaneQueues> queue;      // of one that is polled or shared
  std::shared_ptr<LeaseDesk> lease_desk;  // shared with leases; nullptr: nothing is leased
  bool is_member() const noexcept { return !options.group.empty(); }

  // Session (inside the combiner)
  std::uint32_t handle = 0;
  std::uint64_t serial = 0;      // of the agent's subscriptions: handles are used again
  std::uint32_t generation = 0;  // rises with each fresh registration
  // By lane. One of which nothing came costs nothing: `lanes_used` names the others.
  struct Line {
    std::uint64_t received_no = 0;    // records: batches, chunks, aborts
    std::uint64_t last_delivery = 0;  // delivery number of the last message
    wire::Settle told;                // as last sent
  };
  std::array<Line, wire::data_lanes> lines;
  std::uint8_t lanes_used = 0;  // a bit each, by lane_index
  void forget_numbers() noexcept {
    lines = {};
    lanes_used = 0;
    lease_words.forget();
  }
  LeaseWords lease_words;
  bool needs_subscribe = true;
  bool resumes = false;  // the node may still have its queue; until it has answered
  bool returns = false;  // it was live at an earlier node
  // Of Agent::get: it is given the last value, of this key or of any, and nothing else.
  bool asks_last_value = false;
  std::uint64_t asked_key = 0;
  bool needs_unsubscribe = false;
  bool is_unsettled = false;  // stands in the session's list of these
  bool has_words = false;     // stands in the session's list of those with lease words
  bool is_for_desk = false;   // replies to requests; set before the session knows it
  const bool is_of_responders = options.group.starts_with('$');
  base::Position<SubscriptionState> state{SubscriptionState::joining};
  base::Position<std::uint16_t> error{0};

  // Owner's thread; read by the executor.
  base::Position<bool> is_closing{false};

  // Consumer; read by the session. Counters belong to `counted_generation`, stored last at a
  // change.
  base::Position<std::uint32_t> counted_generation{0};
  std::array<base::Position<std::uint64_t>, wire::data_lanes> done_no;  // by lane
  // Deliveries that were begun, by lane; what they gave back stands in the numbers below.
  std::array<base::Position<std::uint64_t>, wire::data_lanes> begun_no;
  base::Position<std::uint64_t> consumed_messages{0}, consumed_bytes{0};
  // Where refused deliveries are told; set by the session before the first delivery. That of one
  // that is polled, or shared, is its own.
  VerdictIntake::Producer* verdicts = nullptr;
  void lend_verdicts(std::shared_ptr<VerdictIntake> intake) {
    lent_ = std::move(intake);
    own_verdicts_ = lent_->producer();
    verdicts = &own_verdicts_;
  }
  // By the consumer, when it consumes no more.
  void return_verdicts() noexcept { own_verdicts_ = {}; }

 private:
  struct StreamKey {
    std::uint64_t agent_id;
    std::uint32_t publisher_id, publisher_epoch;
    bool operator==(const StreamKey&) const = default;
  };
  struct StreamHash {
    std::size_t operator()(const StreamKey& key) const noexcept {
      return key.agent_id * 0x9E37'79B9'7F4A'7C15ull ^ (std::uint64_t{key.publisher_id} << 20) ^
             key.publisher_epoch;
    }
  };
  // What the consumer knows of one stream.
  struct StreamMemory {
    std::uint64_t last_seq = 0;  // up to here it has all that it will get
    std::uint64_t live_seq = 0;  // the same, without what was retained; for gaps
    std::uint64_t retained = 0;  // messages since then
    bool is_live = false;        // it had something that was not retained
    std::uint64_t run_seq = 0;   // all from here to last_seq were handed over
    std::uint64_t used_at = 0;
    // The chunk train under way.
    mem::Buffer train;
    std::uint32_t next_chunk = 0;
    std::uint64_t train_charge = 0;
    std::uint32_t train_generation = 0;  // whose window holds the charge
    std::uint64_t filled = 0;
  };

  StreamMemory& remember(const wire::Envelope& envelope);
  bool open(Delivery& delivery);
  void take_generation(const Delivery& delivery) noexcept;
  void begin_batch(StreamMemory& stream);
  void note_taken(StreamMemory& stream, std::uint64_t first_seq, std::uint64_t last_seq);
  bool begin_chunk(StreamMemory& stream);
  bool begin_train(StreamMemory& stream);
  void end_train(const Delivery& delivery);
  void drop_train(StreamMemory& stream);
  // What is begun was sent by an earlier node, or to an earlier registration.
  bool is_of_earlier() const noexcept;
  MessageView::Fields fields_of(const Delivery& facts, const wire::BatchView& view,
                                const mem::Buffer& whole) const noexcept;
  void consume(std::uint64_t messages, std::uint64_t bytes) noexcept;
  void give_back(std::uint64_t messages, std::uint64_t bytes) noexcept;
  void finish() noexcept;
  void set_done(Lane lane, std::uint64_t number) noexcept;
  void leave_batch() noexcept;
  bool is_expired() const;
  void reject(const Delivery& delivery, std::uint64_t charge, Error reason);
  void refuse(const Delivery& facts, std::uint64_t first_delivery, std::uint32_t count,
              Error reason);
  bool refuse_rest();
  void pass_over(const StreamMemory& stream, std::uint64_t first_seq, std::uint32_t count);
  void tell(std::uint16_t reason, std::uint64_t first_delivery, std::uint64_t count) {
    tell(current_, reason, first_delivery, count);
  }
  void tell(const Delivery& facts, std::uint16_t reason, std::uint64_t first_delivery,
            std::uint64_t count);

  base::Clock& clock_;
  mem::Pool& pool_;
  const wire::VerifyLimits limits_;
  StatsRow* const row_;
  std::unordered_map<StreamKey, StreamMemory, StreamHash> streams_;
  Delivery current_;
  wire::BatchView view_;
  mem::Buffer whole_;  // a reassembled payload
  std::uint32_t next_ = 0, end_ = 0;
  std::uint64_t charge_ = 0;        // of a shared one: of what was begun
  std::uint32_t train_misses_ = 0;  // in a row
  std::uint64_t deliveries_ = 0;    // begun; for forgetting streams
  // Of one that is polled or shared.
  std::shared_ptr<VerdictIntake> lent_;
  VerdictIntake::Producer own_verdicts_;
};

}  // namespace abuzz::client
