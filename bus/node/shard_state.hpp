#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/delivery/link_flow.hpp"
#include "bus/delivery/link_probe.hpp"
#include "bus/link/link.hpp"
#include "bus/node/arrivals.hpp"
#include "bus/node/junction.hpp"
#include "bus/node/parcel.hpp"
#include "bus/node/shard.hpp"
#include "bus/queue/intake.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::node {

// The shard's end of one session: its link. What the agent has in the node is its seat.
struct Session {
  SessionId id = 0;
  std::uint64_t agent_id = 0;
  std::uint32_t session_epoch = 0;
  delivery::LinkFlow flow;
  delivery::LinkProbe probe;
  bool is_attached = false;
  bool is_lost = false;  // the link has lost frames: nothing more is taken from it or sent
  bool said_goodbye = false;
  bool owes_ack = false;    // stands in State::owing
  bool is_blocked = false;  // stands in State::blocked
  std::uint32_t strikes = 0;
  std::uint64_t work = 0;  // since the last sample
  std::string reason;      // why the agent moves here; empty: it does not, or has moved
  // Answers to control items, told with the next frame.
  std::vector<wire::Subscribed> subscribed;
  std::vector<wire::Advertised> advertised;
  std::vector<link::Frame> unsent;  // written, refused by the link for now

  explicit Session(std::array<std::uint32_t, 3> window_bytes) : flow(window_bytes) {}
};

inline constexpr std::uint32_t strikes_max = 3;

// About how many nanoseconds a frame costs its shard, in or out: bench/README.md. Only relations
// matter.
inline std::uint64_t work_of_frame(std::uint64_t bytes) noexcept {
  return 2000 + bytes / 4;
}

// A shard's private parts, split by what is done where:
//   shard_input.cpp   outside: frames are received and checked
//   shard_turn.cpp    inside: what came is applied, what is to go is collected
//   shard_orders.cpp  inside: what the door wants
//   shard_output.cpp  outside: frames are written and sent
//   shard.cpp         the cycle of these, and reports
struct Shard::State {
  static constexpr std::size_t orders_max = 4096;
  static constexpr std::size_t parcels_max = 16;  // collected in one turn

  explicit State(const Parts& given);

  Parts parts;
  queue::Intake<ShardOrder, orders_max> orders{1};
  queue::Intake<ShardOrder, orders_max>::Producer order_producer{orders.producer()};
  queue::Intake<ShardReport, orders_max> reports{1};
  queue::Intake<ShardReport, orders_max>::Producer report_producer{reports.producer()};

  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions;
  std::unordered_map<std::uint64_t, Session*> by_agent;  // the current session of each agent
  Arrivals arrivals;                                     // wait for the turn
  std::array<Parcel, parcels_max> parcels;
  std::size_t parcel_count = 0, parcels_sent = 0;  // collected, and of these done with
  std::vector<SessionId> owing;                    // an acknowledgement or an answer is due
  std::vector<SessionId> blocked;                  // have output, their link has no room
  mem::Buffer reserve;                             // for a head when the pool has none
  link::Frame incoming;                            // reused
  wire::ControlBuilder control;                    // reused
  std::vector<std::byte> control_scratch;
  base::Nanos probes_at = 0;        // when links may have to be asked, 0: never
  base::Nanos cycle_at = 0;         // of the present cycle
  std::uint64_t memory_misses = 0;  // not counted yet
  link::HubCounters hub_counted;    // of the hub's counters
  // How many were posted, told to the other thread; how many were taken is the taker's own.
  base::Position<std::uint64_t> orders_posted, reports_posted;
  std::uint64_t orders_taken = 0;               // the shard's thread
  base::Position<std::uint64_t> reports_taken;  // reception's thread
  Counters counters;
  base::Nanos vain_since = 0;        // while it is in vain
  base::Nanos busy = 0;              // since the last sample
  std::uint64_t waited_sampled = 0;  // of counters.waited_ns
  bool said_busy = false;            // since the last sample
  bool may_have_input = true;        // the hub was not found empty since it was last noted
  bool wants_more = false;           // the last turn left something to collect
  bool is_in_vain = false;           // it could not have the turn when it needed it last
  bool must_retry = false;           // there was no memory, or a link took nothing
  bool has_said_goodbye = false;     // its sessions were told to

  // shard.cpp
  bool needs_turn(base::Nanos now) const noexcept;
  void report(ShardReport::Kind kind, SessionId session, const char* fault = "");
  void report(ShardReport&& item);
  bool try_enter(base::Nanos now, base::Nanos wall_now);
  Session* find(SessionId id) noexcept;
  Session* find_agent(std::uint64_t agent_id) noexcept;
  void owe(Session& session);
  void block(Session& session);
  void look_at_probes(base::Nanos now);

  // shard_input.cpp
  std::size_t receive(base::Nanos now);
  void check_frame(Session& session, base::Nanos now);
  void check_records(const wire::FrameView& view, base::Nanos now);

  // shard_turn.cpp; all inside a turn
  std::size_t take_turn(base::Nanos now);
  void attach(Session& session);
  void apply(const Arrival& arrival, base::Nanos now);
  const char* apply(Session& session, Junction::Seat& seat, const Arrival& arrival,
                    const CheckedRecord& checked, base::Nanos now);
  const char* apply_control(Session& session, Junction::Seat& seat, const Arrival& arrival,
                            const wire::Record& record, base::Nanos now);
  void strike(Session& session, const char* fault);
  void count_outside();

  // shard_orders.cpp; all inside a turn
  std::size_t take_orders();
  void apply(const ShardOrder& order);
  void admit(const ShardOrder& order);
  Session& expect(const ShardOrder& order);
  void dismiss(const ShardOrder& order);
  void end_session(SessionId id);
  void tell_sample();

  // shard_output.cpp; collecting inside a turn, sending outside
  std::size_t collect_all();
  bool has_room() const noexcept { return parcel_count < parcels_max; }
  void collect(Session& session);
  bool collect_frame(Session& session, Junction::Seat& seat, bool& has_more);
  void add_control(Session& session, Parcel& parcel, bool& has_more);
  void add_deliveries(Session& session, Parcel& parcel, bool& has_more);
  void stamp(Session& session, Junction::Seat& seat, Parcel& parcel);
  std::size_t send_all();
  bool send_next();
  void send_unsent();
};

}  // namespace abuzz::node
