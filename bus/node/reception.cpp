#include "bus/node/reception.hpp"

#include <algorithm>
#include <utility>

#include "bus/delivery/returns.hpp"

namespace abuzz::node {
namespace {

constexpr std::size_t door_events_per_cycle = 64;

base::Nanos to_nanos(std::chrono::milliseconds span) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(span).count();
}

}  // namespace

Reception::Reception(const Parts& parts, base::Nanos now)
    : parts_(parts),
      handshake_(to_nanos(parts.config.node.handshake)),
      beat_(to_nanos(parts.config.node.beat)),
      stalled_after_(to_nanos(parts.config.node.stalled_after)),
      gone_after_(to_nanos(parts.config.node.gone_after)),
      idle_exit_(parts.managed ? 0 : to_nanos(parts.config.node.idle_exit)),
      now_(now),
      posts_(parts.places.size()),
      balancer_(static_cast<std::uint32_t>(parts.places.size())),
      samples_(parts.places.size()),
      agent_id_next_((std::uint64_t{parts.identity.node_epoch} << 32) | 1),
      next_beat_(now),
      empty_since_(now) {
  set_phase(Phase::open);
}

std::size_t Reception::do_work(base::Nanos now) {
  if (phase_ == Phase::left) return 0;
  now_ = now;
  std::size_t done = flush_orders();
  done += take_reports();
  done += answer_door();
  done += watch_awaited();
  done += watch_beats();
  done += take_samples();
  done += parts_.log.do_work(now);
  return done + consider_leaving();
}

base::Nanos Reception::next_deadline() const {
  if (phase_ == Phase::left) return -1;
  base::Nanos deadline = -1;
  const auto sooner = [&](base::Nanos time) {
    if (deadline < 0 || time < deadline) deadline = time;
  };
  // The shard rings when it has room again; this is for the case that it had none for nobody.
  if (sample_at_ != 0) sooner(sample_at_);
  if (has_waiting_orders()) sooner(now_ + base::millisecond);
  if (parts_.log.next_deadline() >= 0) sooner(parts_.log.next_deadline());
  if (beats_ > 0 || has_closed_beats_) sooner(next_beat_);
  if (awaited_ > 0) {
    for (const auto& [id, guest] : guests_.guests())
      if (is_awaited(guest.state)) sooner(deadline_of(guest));
  }
  if (phase_ == Phase::open && guests_.count() == 0 && idle_exit_ > 0) {
    sooner(std::max(empty_since_ + idle_exit_, leave_attempt_));
  }
  if (phase_ == Phase::stopping) sooner(stop_until_);
  return deadline;
}

bool Reception::is_awaited(GuestState state) noexcept {
  return state == GuestState::announced || state == GuestState::welcomed ||
         state == GuestState::lost;
}

// Requires: it is awaited.
base::Nanos Reception::deadline_of(const Guest& guest) const noexcept {
  return guest.state_since +
         (guest.state == GuestState::lost ? delivery::return_patience : handshake_);
}

// --- The door ---

std::size_t Reception::answer_door() {
  std::size_t done = 0;
  link::Caller caller;
  while (done < door_events_per_cycle && !has_waiting_orders()) {
    const link::DoorListener::Event event = parts_.door.try_next(caller, datagram_);
    if (event == link::DoorListener::Event::none) break;
    ++done;
    if (event == link::DoorListener::Event::datagram) {
      hear(caller, datagram_);
    } else if (Guest* guest = guests_.find_caller(caller.id)) {
      end(*guest, Why::hung_up);
    }
  }
  parts_.process.set(ProcessCounter::door_turned_away, parts_.door.turned_away() + refused_);
  return done;
}

void Reception::hear(const link::Caller& caller, std::span<const std::byte> datagram) {
  if (Guest* guest = guests_.find_caller(caller.id)) {
    // After its hello an agent has nothing to say here but goodbye.
    end(*guest, Why::said_goodbye);
    return;
  }
  if (phase_ == Phase::stopping) {
    parts_.door.hang_up(caller.id);  // as if it had come too late: it looks for the next node
    return;
  }
  if (!parts_.host.is_own_user(caller.uid)) {
    refuse(caller, {Error::denied, "uid " + std::to_string(caller.uid)});
    return;
  }
  Result<Admission> admission =
      judge_hello(datagram, guests_, parts_.config, parts_.identity, agent_id_next_);
  if (!admission.ok()) {
    refuse(caller, admission.failure());
  } else if (phase_ == Phase::draining) {
    refuse(caller, {Error::closed, "the node is draining"});
  } else if (!parts_.host.has_descriptors_for_session()) {
    refuse(caller, {Error::descriptors, "the node's limit is nearly reached"});
  } else {
    admit(caller, std::move(admission).value());
  }
}

void Reception::refuse(const link::Caller& caller, const Failure& failure) {
  parts_.log.write(LogLevel::warn,
                   "refused process " + std::to_string(caller.pid) + ": " +
                       error_id(failure.error) + " " + error_info(failure.error).text +
                       (failure.detail.empty() ? "" : ": " + failure.detail),
                   now_);
  wire::DoorRefusal refusal;
  refusal.error = static_cast<std::uint16_t>(failure.error);
  refusal.text = failure.detail;
  // Who does not read it sees the hang-up.
  parts_.door.try_reply(caller.id, wire::write_door(refusal));
  parts_.door.hang_up(caller.id);
  ++refused_;
  const bool is_limit = failure.error == Error::links_limit ||
                        failure.error == Error::agents_limit || failure.error == Error::descriptors;
  if (is_limit) parts_.process.add_shared(ProcessCounter::over_limit);
}

void Reception::admit(const link::Caller& caller, Admission&& admission) {
  if (admission.supersedes != 0) end(*guests_.find(admission.supersedes), Why::superseded);
  if (admission.is_new_agent) agent_id_next_ = admission.agent_id + 1;
  ShardOrder order;
  order.kind = ShardOrder::Kind::admit;
  order.session = ++session_last_;
  order.agent_id = admission.agent_id;
  order.session_epoch = admission.session_epoch;
  order.pid = caller.pid != 0 ? caller.pid : admission.hello.pid;
  order.start_ticks = admission.hello.start_ticks;
  parts_.host.fill_secret(order.secret);
  order.name = admission.hello.name;
  order.agent_kind = admission.hello.kind;
  order.description = admission.hello.description;

  Guest guest;
  guest.id = guest.link = order.session;
  guest.version = admission.version;
  guest.caller = caller.id;
  guest.agent_id = admission.agent_id;
  guest.session_epoch = admission.session_epoch;
  guest.name = admission.hello.name;
  guest.pid = order.pid;
  guest.shard = choose_shard(guest.name);
  guest.welcome = write_welcome(guest, guest.shard, order.secret);
  guest.has_beat = !admission.hello.counters_path.empty() &&
                   parts_.host.open_beat(guest.id, admission.hello.counters_path, caller.pid);
  guest.state_since = now_;
  guest.beat_seen = now_;
  if (guest.has_beat) ++beats_;
  ++awaited_;
  const std::uint32_t shard = guest.shard;
  ++posts_[shard].guests;
  guests_.add(std::move(guest));
  post(shard, std::move(order));
}

std::vector<std::byte> Reception::write_welcome(const Guest& guest, std::uint32_t shard,
                                                const link::Secret& secret) {
  wire::DoorWelcome welcome;
  welcome.version = guest.version;
  welcome.node_id = parts_.identity.node_id;
  welcome.node_epoch = parts_.identity.node_epoch;
  welcome.session_epoch = guest.session_epoch;
  welcome.agent_id = guest.agent_id;
  const base::Mac128 token = agent_token(parts_.identity.key, guest.agent_id);
  welcome.token.assign(token.begin(), token.end());
  welcome.endpoint = parts_.places[shard].endpoint;
  welcome.secret.assign(secret.begin(), secret.end());
  const LimitsConfig& limits = parts_.config.limits;
  welcome.payload_bytes_max = limits.payload_bytes_max;
  welcome.batch_bytes_max = limits.batch_bytes_max;
  welcome.batch_messages_max = limits.batch_messages_max;
  welcome.subscriptions_max = parts_.config.agent.subscriptions_max;
  const LinkConfig& link = parts_.config.link;
  welcome.window_bytes = {link.window_high_bytes, link.window_normal_bytes, link.window_bulk_bytes};
  return wire::write_door(welcome);
}

}  // namespace abuzz::node
