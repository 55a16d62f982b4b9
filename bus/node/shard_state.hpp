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
#include "bus/delivery/switch.hpp"
#include "bus/link/link.hpp"
#include "bus/node/presence.hpp"
#include "bus/node/shard.hpp"
#include "bus/queue/intake.hpp"
#include "bus/wire/control.hpp"
#include "bus/wire/frame.hpp"

namespace abuzz::node {

// The shard's end of one session.
struct Session {
  SessionId id = 0;
  std::uint64_t agent_id = 0;
  std::uint32_t session_epoch = 0;
  std::string name;
  delivery::LinkFlow flow;
  delivery::LinkProbe probe;
  bool is_attached = false;
  bool is_lost = false;  // the link has lost frames: nothing more is taken from it or sent
  bool said_goodbye = false;
  bool owes_ack = false;    // stands in State::owing
  bool is_blocked = false;  // stands in State::blocked
  std::uint32_t strikes = 0;
  // Answers to control items, told with the next frame.
  std::vector<wire::Subscribed> subscribed;
  std::vector<wire::Advertised> advertised;
  std::vector<wire::RequestAct> request_acts;  // of other agents, for this one
  link::Frame unsent;                          // built, refused by the link for now
  StatsRow* row = nullptr;
  Presence presence;

  Session(std::array<std::uint32_t, 3> window_bytes, StatsRow* counters, const Presence& begun)
      : flow(window_bytes), row(counters), presence(begun) {}
};

inline constexpr std::uint32_t strikes_max = 3;

// A shard's private parts, split by direction: shard_input.cpp, shard_output.cpp, shard.cpp.
struct Shard::State {
  static constexpr std::size_t orders_max = 4096;

  explicit State(const Parts& given);

  Parts parts;
  delivery::Switch deliveries;
  queue::Intake<ShardOrder, orders_max> orders{1};
  queue::Intake<ShardOrder, orders_max>::Producer order_producer{orders.producer()};
  queue::Intake<ShardReport, orders_max> reports{1};
  queue::Intake<ShardReport, orders_max>::Producer report_producer{reports.producer()};

  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions;
  std::unordered_map<std::uint64_t, Session*> by_agent;  // the current session of each agent
  std::vector<SessionId> owing;                          // an acknowledgement or an answer is due
  std::vector<SessionId> blocked;                        // have output, their link has no room
  mem::Buffer reserve;                                   // for a head when the pool has none
  link::Frame incoming, outgoing;                        // reused
  wire::ControlBuilder control;                          // reused
  std::vector<std::byte> control_scratch;
  // Storage of the frame under construction.
  std::array<wire::Record, 256> records;
  std::array<wire::Target, 256> targets;
  std::array<std::span<const std::byte>, 256> slices;
  wire::FrameBuilder builder{{records, targets, slices}};
  base::Nanos timers_at = 0;
  base::Nanos goodbye_at = 0;              // while it stops
  bool says_goodbye = false;               // in every frame from now on
  std::uint64_t undelivered = 0;           // messages that were not settled when it said goodbye
  base::Nanos look_at = 0;                 // when presence looks next
  base::Nanos wall_now = 0, cycle_at = 0;  // of the present cycle
  // How many were posted, told to the other thread; how many were taken is the taker's own.
  base::Position<std::uint64_t> orders_posted, reports_posted;
  base::Position<bool> holds_messages{false};
  std::uint64_t orders_taken = 0;               // the shard's thread
  base::Position<std::uint64_t> reports_taken;  // reception's thread
  const char* fault = "";                       // of the frame that is refused; static
  bool may_have_input = true;  // the hub was not found empty since it was last noted
  bool is_draining = false;
  bool is_stopping = false;
  bool told_drained = false;

  // shard.cpp
  std::size_t take_orders(base::Nanos now);
  void apply(ShardOrder& order, base::Nanos now);
  void admit(const ShardOrder& order, base::Nanos now);
  void end_session(SessionId id);
  void dismiss(const ShardOrder& order, base::Nanos now);
  void do_timers(base::Nanos now);
  void report(ShardReport::Kind kind, SessionId session, const char* fault = "");
  void strike(Session& session);
  void lose_link(Session& session, base::Nanos now);
  Session* find(SessionId id) noexcept;
  Session* find_agent(std::uint64_t agent_id) noexcept;
  void owe(Session& session);

  // shard_input.cpp
  std::size_t receive(base::Nanos now);
  void take_frame(Session& session, base::Nanos now);
  bool take_records(Session& session, const wire::FrameView& view, base::Nanos now);
  bool take_batch(Session& session, const wire::FrameView& view, const wire::Record& record,
                  base::Nanos now);
  bool is_fine(delivery::Verdict verdict) noexcept;
  bool take_control(Session& session, const wire::FrameView& view, const wire::Record& record,
                    base::Nanos now);

  void pass_on(const Session& from, wire::RequestAct act);
  void consider_goodbye(base::Nanos now);

  // shard_output.cpp
  std::size_t send_all(base::Nanos now);
  bool serve(Session& session);
  void block(Session& session);
  bool send_frame(Session& session, bool& has_more);
  void add_control(Session& session, delivery::LinkFlow::Load& load, bool& has_more);
  std::size_t add_deliveries(Session& session, delivery::LinkFlow::Load& load, bool& has_more);
  void add_record(const delivery::Switch::Outgoing& next);
  void add_target(const delivery::Switch::Outgoing& next);
  static bool is_same_record(const delivery::Switch::Outgoing& next,
                             const delivery::Switch::Outgoing& last) noexcept;
  void note_bulk_ahead(const Session& session);
  bool finish_frame(Session& session, delivery::LinkFlow::Load& load);
};

}  // namespace abuzz::node
