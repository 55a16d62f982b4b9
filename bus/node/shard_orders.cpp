#include <utility>

#include "bus/node/shard_state.hpp"

// Inside a turn: what the door wants of the shard.

namespace abuzz::node {

namespace {

constexpr std::size_t orders_per_turn = 64;
constexpr std::size_t loads_per_sample = 1024;

std::array<std::uint32_t, 3> windows(const Config& config) noexcept {
  return {config.link.window_high_bytes, config.link.window_normal_bytes,
          config.link.window_bulk_bytes};
}

}  // namespace

std::size_t Shard::State::take_orders() {
  std::size_t done = 0;
  ShardOrder order;
  while (done < orders_per_turn && orders.pop(&order, 1) == 1) {
    ++orders_taken;
    apply(order);
    ++done;
  }
  return done;
}

void Shard::State::apply(const ShardOrder& order) {
  const bool is_routine =
      order.kind == ShardOrder::Kind::beat || order.kind == ShardOrder::Kind::sample;
  if (!is_routine) parts.junction.note_busy();
  switch (order.kind) {
    case ShardOrder::Kind::none:
      break;
    case ShardOrder::Kind::admit:
      admit(order);
      break;
    case ShardOrder::Kind::expect:
      expect(order).reason = order.reason;
      report(ShardReport::Kind::admitted, order.session);
      break;
    case ShardOrder::Kind::dismiss:
      dismiss(order);
      break;
    case ShardOrder::Kind::beat:
      if (const Session* session = find(order.session)) {
        if (Junction::Seat* seat = parts.junction.find(session->agent_id, session->id))
          seat->presence.note_beat(order.beat_seen, order.is_responsive, parts.junction.moment());
      }
      break;
    case ShardOrder::Kind::sample:
      tell_sample();
      break;
    case ShardOrder::Kind::stop:
      parts.junction.start_stopping(order.goodbye_at);
      break;
    case ShardOrder::Kind::drain:
      parts.junction.start_draining();
      break;
  }
}

void Shard::State::admit(const ShardOrder& order) {
  if (const Session* old = find_agent(order.agent_id)) end_session(old->id);
  parts.junction.seat(order);
  by_agent[order.agent_id] = &expect(order);
  report(ShardReport::Kind::admitted, order.session);
}

Session& Shard::State::expect(const ShardOrder& order) {
  auto session = std::make_unique<Session>(windows(parts.config));
  session->id = order.session;
  session->agent_id = order.agent_id;
  session->session_epoch = order.session_epoch;
  parts.hub.admit(order.session, order.secret);
  return *(sessions[order.session] = std::move(session));
}

void Shard::State::dismiss(const ShardOrder& order) {
  const Session* session = find(order.session);
  if (session == nullptr) return;
  if (Junction::Seat* seat = parts.junction.find(session->agent_id, session->id))
    parts.junction.dismiss(*seat, order, session->said_goodbye);
  end_session(order.session);
}

void Shard::State::end_session(SessionId id) {
  const Session* session = find(id);
  if (session == nullptr) return;
  parts.hub.expel(id);
  if (find_agent(session->agent_id) == session) by_agent.erase(session->agent_id);
  sessions.erase(id);
}

// Of more sessions the rest is told with later samples: reports of other kinds need room, too.
void Shard::State::tell_sample() {
  std::size_t told = 0;
  for (auto& [id, session] : sessions) {
    if (session->work == 0 || told == loads_per_sample) continue;
    ++told;
    ShardReport load;
    load.kind = ShardReport::Kind::load;
    load.session = id;
    load.work = std::exchange(session->work, 0);
    report(std::move(load));
  }
  ShardReport sampled;
  sampled.kind = ShardReport::Kind::sampled;
  sampled.busy_ns = static_cast<std::uint64_t>(std::exchange(busy, 0));
  sampled.waited_ns = counters.waited_ns - std::exchange(waited_sampled, counters.waited_ns);
  report(std::move(sampled));
  said_busy = false;
}

}  // namespace abuzz::node
