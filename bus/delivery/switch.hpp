#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/base/random.hpp"
#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/delivery/closed_totals.hpp"
#include "bus/delivery/dead_store.hpp"
#include "bus/delivery/failure_log.hpp"
#include "bus/delivery/group.hpp"
#include "bus/delivery/left_behind.hpp"
#include "bus/delivery/records.hpp"
#include "bus/delivery/retained_intake.hpp"
#include "bus/delivery/retained_store.hpp"
#include "bus/delivery/returns.hpp"
#include "bus/delivery/routed_store.hpp"
#include "bus/delivery/topic_index.hpp"
#include "bus/error.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/mem/pool.hpp"
#include "bus/stats.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::delivery {

struct DeadLetter;

inline std::uint16_t number(Error error) noexcept {
  return static_cast<std::uint16_t>(error);
}

// Why an accepted record did or did not become deliveries.
enum class Verdict : std::uint8_t {
  taken,
  duplicate,       // all of it was accepted before: counted, no strike
  draining,        // the node takes nothing new: counted, no strike
  unknown_handle,  // the rest are strikes against the session that sent it
  identity,
  gap,
  over_limit,
  chunk_order,
  corrupt,  // a body that had to be read here was refused
};

// Decides who gets what: publications, subscriptions, queues, credit and the ledger of them. It
// does not know where it runs: sessions, links and threads are its caller's.
//
// Threads: one. Ownership: owns all records; `stats` outlives it.
// Invariants (checked by tests through the counter rows, numbers as in schema/wire.md):
//   accepted - base = routed + no_subscriber + void   end of every step, per publication
//   accepted - join = matched                         end of every step, per pair on a route
//   matched = delivered + queued + in_flight + dropped + unknown + void     the same, per pair
// Each term has a counter of its own.
//   backlog + granted <= bound, per lossless subscription, but for what was granted before it
// joined Cost: accept is one hash-free handle lookup and a step per matching subscription; no
// allocation once the rings have grown. Patterns are matched when something registers, never per
// batch.
class Switch {
 public:
  // `pool`: for bodies that are read here.
  Switch(StatsFile& stats, const Config& config, std::uint64_t node_id, mem::Pool& pool);
  ~Switch();
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  // --- Ports. One for each agent, named by its id. ---
  // A new port, or a suspended one of the same agent, whose subscriptions may then be resumed.
  // `shard`: whose next_output() names it.
  void open_port(PortId id, std::string_view agent_name = {}, std::uint32_t shard = 0);
  // The link is lost, the agent may come back: queues are kept inside their bounds.
  void suspend_port(PortId id, base::Nanos now);
  // The agent is leaving: what it does not say to have handled by now, it did not handle.
  void note_goodbye(PortId id) noexcept;
  // The agent is gone, and had published this; before close_port.
  void note_left_behind(PortId id, const LeftBehind& item);
  // The agent is gone: its queues are dropped for `reason`. Where it said no goodbye, what was in
  // flight to it and not settled is unknown.
  void close_port(PortId id, DropReason reason);

  // --- Registrations: from control items of the agent. Answers are ABZ- numbers, 0 for none. ---
  std::uint16_t advertise(PortId port, const wire::Advertise& item);
  wire::Subscribed subscribe(PortId port, const wire::Subscribe& item, base::Nanos now);
  void withdraw(PortId port, std::uint32_t publication);
  void unsubscribe(PortId port, std::uint32_t subscription);

  // --- What agents send. ---
  // `record` and `head` were checked for their own consistency.
  Verdict accept(PortId port, const wire::Record& record, const wire::BatchHead& head,
                 mem::Buffer&& slice, base::Nanos now);
  Verdict accept_void(PortId port, const wire::Record& record);
  Verdict accept_abort(PortId port, const wire::Record& record);
  // False for numbers that cannot be: a strike.
  bool settle(PortId port, const wire::Settle& item, base::Nanos now);
  bool refuse(PortId port, const wire::Verdict& item);
  // A word of a member of a group about messages leased to it. False for numbers that cannot be.
  bool act(PortId port, const wire::LeaseAct& item, base::Nanos now);
  void want(PortId port, const wire::Want& item);
  void ask_flush(PortId port, const wire::FlushAsk& item);

  // --- Requests (switch_requests.cpp). ---
  // An act of `port` goes, in its name, to its responder, or where that is not known to all whose
  // subscriptions match the publication it asked on. Who is away misses it: requesters repeat.
  void pass_on(PortId port, wire::RequestAct act);

  // --- Of the node itself (switch_presence.cpp). ---
  // Where it publishes from; no agent has this id.
  void open_own_port(PortId id);
  // Whom the node before this one owed messages. Once, before anything registers.
  void expect_returns(std::vector<Owed>&& owed) { returns_.expect(std::move(owed)); }
  // Publishes one message on a reserved topic. Nobody is waited for: a subscription without room
  // misses it, and counts it. While the pool has no buffer it is put off, not lost.
  void announce(std::string&& topic, std::string&& payload, base::Nanos now, base::Nanos wall_now);
  // Without a listener to anything of the node's there is no need to write an event, only to count
  // it.
  bool has_listeners() const noexcept { return reserved_subscriptions_ > 0; }
  void skip_announcement() noexcept;
  // Nothing more comes on the topic for now.
  void retire(std::string&& topic);
  // An agent's work, over its subscriptions.
  struct Load {
    std::uint64_t unsettled = 0;  // messages in queues and in flight
    std::uint64_t settled = 0;    // what it handled, in all
    std::size_t subscriptions = 0;
  };
  Load load_of(PortId id) const noexcept;
  // The wall clock now, for what is told to people.
  void note_wall(base::Nanos wall_now) noexcept { wall_now_ = wall_now; }

  // --- Retained (switch_retained.cpp). ---
  // Something is kept for who comes later: the node is not empty.
  bool has_retained() const noexcept { return !retained_.is_empty(); }
  // Nothing is queued, under way or waited for: what is left for do_timers may take its time.
  bool is_idle() const noexcept {
    return queued_.messages == 0 && routed_.out() == 0 && !returns_.is_waiting();
  }
  // do_timers has more to look at: call it again soon.
  bool is_sweeping() const noexcept { return !sweep_.empty(); }
  // Some of it will expire: do_timers must be called although nobody is here.
  bool has_expiring() const noexcept { return retained_.is_expiring(); }

  // --- What is to be sent. ---
  // Does what was put off in this cycle: grants credit. Call before collecting.
  void finish_cycle(base::Nanos now);
  // Takes the next port of the shard that has something to send, 0 for none.
  PortId next_output(std::uint32_t shard = 0);
  bool has_output(std::uint32_t shard) const noexcept {
    return shard < outputs_.size() && !outputs_[shard].is_empty();
  }
  struct Outgoing {
    const Routed* routed = nullptr;
    std::uint32_t subscription = 0;
    std::uint32_t first = 0, count = 0;
    std::uint64_t first_delivery = 0;
    std::uint32_t ttl_left_ms = 0;  // 0: no limit
    std::uint16_t attempt = 0;      // of a group: from 1
    bool may_repeat = false;        // of a group: it may have been handled before
  };
  // The delivery that `port` would get next of the lanes that are allowed, inside its window; false
  // for none.
  bool peek(PortId port, Outgoing& outgoing, LaneTurn::Waiting allowed = LaneTurn::all);
  // It was put into a frame: it is in flight now.
  void mark_sent(PortId port);
  // Credits, outcomes, interests and ends that the agent must be told; up to a frame's worth. True
  // when something was added.
  bool collect_control(PortId port, wire::ControlBuilder& control);

  // Stalls, leases, and slow news. Call at least every 100 ms, and soon again while is_sweeping.
  void do_timers(base::Nanos now);
  void start_draining() noexcept { is_draining_ = true; }
  // Every publisher is told what is known by now; then it is all told when has_news says so.
  void tell_all();
  bool has_news(PortId port) const noexcept;

  Amount queued() const noexcept { return queued_; }
  // Messages in queues and in flight. Cost: a step for each pair.
  std::uint64_t unsettled_messages() const noexcept;
  std::size_t subscription_count() const noexcept { return subscription_count_; }
  bool has_groups() const noexcept { return !groups_.empty(); }
  // Something is kept for who comes later.
  bool holds_messages() const noexcept {
    return has_groups() || dead_.count() > 0 || has_retained();
  }
  std::size_t publication_count() const noexcept { return publication_count_; }

 private:
  Port* find_port(PortId id) noexcept;
  Publication* find_publication(PortId port, std::uint32_t handle) noexcept;
  Subscription* find_subscription(PortId port, std::uint32_t handle) noexcept;

  // switch_presence.cpp
  struct Announcement {
    std::string topic, payload;
    base::Nanos wall_now = 0;
    bool retires = false;
  };
  void put_off(Announcement&& item);
  void announce_waiting();
  bool try_announce(const Announcement& item);
  bool is_heard(std::string_view topic) const noexcept;
  Publication* own_publication(const std::string& topic, wire::Lane lane, bool is_kept);
  void accept_own(Publication& publication, mem::Buffer&& slice);
  mem::Buffer seal_own(const Publication& publication, std::string_view payload,
                       base::Nanos wall_now);

  // switch_requests.cpp
  void find_readers(PortId port, const wire::RequestAct& act);
  void tell_requester(const Publication& publication);

  // switch_registry.cpp
  Publication* add_publication(Port& port, const wire::Advertise& item);
  std::uint16_t check_subscribe(const Port& port, const wire::Subscribe& item) const;
  void resume_publication(Publication& publication);
  std::uint16_t refuse_resume(Port& port, const wire::Subscribe& item) const;
  bool resume_subscription(Subscription& subscription, const wire::Subscribe& item);
  void take_back(Subscription& subscription, Line& line);
  bool join_all(Subscription& subscription);

  // switch_routes.cpp
  // False where the counter file has no row left for the pair: then nothing was changed.
  bool join(Publication& publication, Subscription& subscription);
  void leave(Pair& pair);
  void end_subscription(Subscription& subscription, DropReason reason, bool tell);
  void end_line(Line& line, DropReason reason);
  void end_publication(Publication& publication);
  void free_departed(Publication& publication);
  void note_interest(Publication& publication);

  // switch_accept.cpp
  Verdict check_sequence(Publication& publication, const wire::BatchHead& head,
                         std::uint32_t& skip) const noexcept;
  static std::uint32_t takers_of(const Publication& publication, const Routed& routed) noexcept;
  void route(Publication& publication, Routed& routed, std::uint32_t skip, std::uint32_t takers);
  static std::uint64_t note_accepted(Publication& publication, std::uint32_t owed);
  void send_abort(Publication& publication);

  // switch_retained.cpp
  void begin_retaining(Publication& publication, std::uint32_t messages);
  void retain_topic(RetainedStore::Topic& topic);
  void stop_retaining(Publication& publication);
  bool retain(Publication& publication, const wire::BatchHead& head, const mem::Buffer& slice,
              std::uint32_t skip, base::Nanos expires_at);
  Verdict accept_restored(Publication& publication, const wire::Record& record,
                          const wire::BatchHead& head, mem::Buffer&& slice);
  std::uint16_t check_snapshot(const wire::Subscribe& item);
  bool open_snapshot(Subscription& subscription);
  void close_snapshot(Subscription& subscription);
  void give_snapshot(Subscription& subscription);
  void give_pieces(Subscription& subscription, const std::vector<RetainedPiece>& pieces);
  void give(Pair& pair, const RetainedPiece& piece);
  void give_train(Pair& pair, const RetainedBatch& batch, Conflation::Slot* slot);
  Routed& acquire_retained(const RetainedBatch& batch, const mem::Buffer& slice);
  void release_unsent(Routed& routed);

  // switch_policy.cpp
  bool read_keys(const Publication& publication, const wire::BatchHead& head,
                 const mem::Buffer& slice);
  void offer(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count);
  void offer_latest(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count);
  void offer_piece(Pair& pair, Routed& routed, std::uint32_t count);
  void enqueue(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
               Conflation::Slot* slot);
  void copy_out(Routed& routed);
  void conflate(Subscription& subscription, Conflation::Slot& slot, std::uint64_t keep);
  bool make_room(Subscription& subscription, wire::Lane lane, Amount needed);
  static Entry* oldest_to_drop(SendQueue<Entry>& queue) noexcept;
  static bool is_begun(const Entry& entry) noexcept;
  void drop_queued(Subscription& subscription, Entry& entry, std::uint64_t messages,
                   DropReason reason);
  void drop_queued_train(Subscription& subscription, Entry& first, DropReason reason);
  void drop_entry(Subscription& subscription, Entry& entry, DropReason reason);
  void take_off(Subscription& subscription, Amount amount);
  static void forget_place(Subscription& subscription, Entry& entry) noexcept;
  static void count_dropped(Pair& pair, std::uint64_t count, DropReason reason) noexcept;
  static void count_unknown(Pair& pair, std::uint64_t count, PairCounter reason) noexcept;
  void expire(Subscription& subscription);
  bool is_expired(const Entry& entry) const noexcept;

  // switch_groups.cpp
  std::uint16_t check_group(const wire::Subscribe& item) const noexcept;
  Group* add_group(const wire::Subscribe& item);
  bool enter_group(Subscription& member, const wire::Subscribe& item);
  void end_group(Group& group, DropReason reason);
  void offer_group_piece(Pair& pair, Routed& routed, std::uint32_t count);
  void drop_pieces(Pair& pair);
  void enqueue_by_key(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count);
  void add_waiting(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                   std::uint64_t charge, Lot* lot);
  void requeue(Group& group, Lot& lot);

  // switch_deal.cpp
  void deal_later(Group& group);
  void deal_groups();
  void deal(Group& group);
  std::uint64_t deal_some(Group& group, Line& line);
  Lot& take_lot(Group& group, Entry& entry, std::uint32_t count);
  static void copy_facts(const Lot& from, Lot& to) noexcept;
  void deal_to(Group& group, Member& member, Entry& entry, std::uint32_t count);
  Amount carry(Subscription& member, Routed& routed, Lot& lot, std::uint32_t count);
  static void show_leased(Group& group, const Member& member) noexcept;

  // switch_leases.cpp
  struct Ended {
    std::uint64_t bits = 0, charge = 0;
    std::uint32_t count = 0;
  };
  static void hold_new(Pair& pair, Routed& routed) noexcept;
  static void hold(Pair& pair, Routed& routed, bool owes) noexcept;
  void release_hold(Pair& pair, Routed& routed, bool owes = true);
  void relieve_publisher(Lot& lot) noexcept;
  void end_lot(Group& group, Lot& lot);
  Ended end_lease(Group& group, Lot& lot, std::uint64_t bits);
  void give_back(Subscription& own, Amount amount);
  void leave_lot(Group& group, Lot& lot);
  void acknowledge(Group& group, Lot& lot, std::uint64_t bits);
  void drop_leased(Group& group, Lot& lot, std::uint64_t bits, DropReason reason);
  void forget_leased(Group& group, Lot& lot, std::uint64_t bits);
  template <class Use>
  void split_off(Group& group, Lot& lot, const Ended& ended, Use&& use);
  void fail(Group& group, Lot& lot, std::uint64_t bits, FailureCause cause, base::Nanos delay);
  void return_untried(Group& group, Lot& lot, std::uint64_t bits);
  // switch_members.cpp
  bool is_stopped(Group& group, Member& member) noexcept;
  void settle_member(Subscription& subscription, Line& line, std::uint64_t done_no);
  void note_handled(Subscription& subscription);
  static void retire(Subscription& subscription, Line& line);
  template <class Use>
  static void for_leased(Line& line, std::uint64_t first_delivery, std::uint64_t count, Use&& use);
  void drop_over(Subscription& subscription, Line& line);
  void refuse_leased(Subscription& subscription, const wire::Verdict& item, DropReason reason);
  void leave_group(Subscription& subscription, bool is_death);
  void return_line(Subscription& subscription, Line& line, bool is_death);
  void look_at_groups();

  // switch_dead.cpp
  void bury(Group& group, Lot& lot);
  void bury_one(Group& group, Lot& lot);
  void read_payload(const Lot& lot, std::string& payload, DeadLetter& letter);
  bool publish_dead(Group& group, const Lot& lot);
  void offer_letters(Pair& pair);
  // switch_receipts.cpp
  void open_receipts(Publication& publication, Routed& routed, std::uint32_t skip,
                     std::uint32_t takers);
  void note_receipts(Publication& publication);
  void note_delivered(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count);
  void note_dropped(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                    DropReason reason);
  void note_unknown(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                    PairCounter reason);
  static void count_outcome(Publication& publication, const Routed& routed);
  static void count_dropped_by_all(Publication& publication, std::uint64_t count,
                                   DropReason reason) noexcept;
  static void tell_drops(Publication& publication, wire::ControlBuilder& control);
  void tell_receipts(Publication& publication, wire::ControlBuilder& control);

  // switch_send.cpp
  bool has_room(const Subscription& subscription, const Entry& entry) const noexcept;
  bool peek_lane(Port& port, std::size_t lane);
  bool choose(const Subscription& subscription, Line& line, std::size_t& place) const noexcept;
  void drop_expired_heads(Subscription& subscription, Line& line);

  // switch_settle.cpp
  void settle_entries(Line& line, std::uint64_t done_no);
  void release(Routed& routed);
  void let_go(Pair& pair, Routed& routed);
  static void pass_span(Routed& routed) noexcept;
  void complete(Entry& entry, std::uint32_t handled, DropReason reason);
  void finish_outcome(Routed& routed);
  void release_received(Line& line, std::uint64_t received_no);
  static void show_numbers(Subscription& subscription) noexcept;
  void let_go(const Entry& entry);
  void drop_holder(Routed& routed);

  // switch_credit.cpp
  Amount share_of(const Subscription& subscription) const noexcept;
  Amount part_of(const Subscription& subscription, Amount whole, wire::Lane lane) const noexcept;
  void grant(Subscription& subscription);
  bool grant_front(Subscription& subscription, Line& line);
  void free_idle_credit(Subscription& subscription);
  const Pair* starving_pair(Subscription& subscription) const noexcept;
  void make_hungry(Pair& pair);
  void serve_later(Subscription& subscription);
  void ask(Pair& pair);
  void spend(Pair& pair, Amount used) noexcept;
  void check_memory();
  std::uint64_t memory_left() const noexcept;
  bool is_over_budget(const Subscription& subscription) const noexcept;
  bool awaits_returns(Publication& publication) const noexcept;
  void go_on_after_returns();
  void update_limit(Publication& publication);

  // switch_news.cpp
  void note(Publication& publication);
  void note_output(Port& port);
  void note_ready(Subscription& subscription, wire::Lane lane);
  void note_all_ready(Subscription& subscription);
  static std::uint32_t shortest_queue(const Publication& publication) noexcept;
  void tell(Publication& publication, wire::ControlBuilder& control);

  // switch_timers.cpp
  static void show_queue(Subscription& subscription);
  void end_forgotten(Port& port);
  void sweep_some();
  bool sweep_port(Port& port, std::size_t& left);
  void look_at(Publication& publication);
  void look_at(Subscription& subscription);

  // Constant after construction
  StatsFile& stats_;
  const Config& config_;
  const std::uint64_t node_id_;
  mem::Pool& pool_;

  std::unordered_map<PortId, std::unique_ptr<Port>> ports_;
  TopicIndex<Publication, Subscription> index_;         // those that are joined, or may be
  std::vector<std::unique_ptr<Publication>> departed_;  // withdrawn, their messages still queued
  std::vector<Subscription*> hungry_;                   // to be served by finish_cycle
  std::vector<Ring<PortId>> outputs_{1};                // by shard
  RoutedStore routed_;
  ClosedTotals closed_;
  Returns returns_{stats_};
  wire::BatchView keys_;                // of the batch that is routed now, where keys decide
  std::vector<std::uint64_t> tickets_;  // scratch
  std::vector<PortId> readers_;         // scratch
  RetainedStore retained_;
  RetainedIntake retained_intake_;
  Publication retained_source_;        // of all that is given out of the store
  std::vector<RetainedPiece> pieces_;  // scratch
  // Streams of agents that left lately, so that what they resend is recognised.
  struct StreamKey {
    std::uint64_t agent_id;
    std::uint32_t publisher_id, publisher_epoch;
    bool operator==(const StreamKey&) const = default;
  };
  struct Tombstone {
    StreamKey key;
    std::uint64_t accepted_seq;
    base::Nanos since;
  };
  std::deque<Tombstone> tombstones_;
  base::Nanos now_ = 0;
  base::Nanos wall_now_ = 0;
  base::Nanos slow_news_at_ = 0;
  std::vector<PortId> sweep_;   // ports that the timers have yet to look at, the next one last
  std::size_t sweep_next_ = 0;  // of the last one: its publications, then its subscriptions
  // Groups, by name and pattern.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Group>> groups_;
  std::vector<Group*> dealing_;  // to be dealt by finish_cycle
  base::Random random_;
  FailureLog failures_;
  DeadStore dead_;
  std::uint64_t last_dead_id_ = 0;
  Amount queued_;
  std::size_t subscription_count_ = 0;
  std::size_t publication_count_ = 0;
  std::uint32_t generation_ = 0;
  std::uint64_t held_bytes_ = 0;  // of batches in queues and in flight
  bool is_full_ = false;          // they take all they may
  bool is_draining_ = false;
  // Of the node itself.
  PortId own_port_ = 0;
  std::uint32_t own_publisher_last_ = 0;
  std::unordered_map<std::string, std::uint32_t> own_topics_;  // to the handle
  std::size_t reserved_subscriptions_ = 0;
  std::deque<Announcement> announcements_;  // put off, in their order
};

}  // namespace abuzz::delivery
