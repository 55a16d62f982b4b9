#include "tests/model/random_bus.hpp"

#include <algorithm>
#include <cstdio>

#include "tests/model/rest_check.hpp"

// How a run goes on: what is drawn, who is stepped when, and when everything comes to rest.

namespace abuzz::testing {

namespace {

// How long somebody may be away while links were lost, and still be owed everything: queues are
// kept for three seconds, and a node waits as long for those who come back.
constexpr base::Nanos absence_max = 2'300 * base::millisecond;
constexpr base::Nanos rest_max = 20 * base::second;

}  // namespace

Config RandomBus::draw_config(base::Random& random, std::uint64_t seed) {
  Config config;
  config.place.shards = static_cast<std::uint32_t>(1 + seed % 3);
  if (random.below(2) == 0) return config;
  config.limits.batch_messages_max = static_cast<std::uint32_t>(1 + random.below(40));
  config.link.frames_small_max = static_cast<std::uint32_t>(1 + random.below(8));
  config.link.window_high_bytes = 16 * 1024;
  config.link.window_normal_bytes = 128 * 1024;
  return config;
}

RandomBus::RandomBus(std::uint64_t seed, ActSet without)
    : random_(seed),
      without_(without),
      config_(draw_config(random_, seed)),
      node_(config_, true, seed),
      echo_dice_(random_.next()) {
  constexpr base::Nanos ticks[] = {100 * base::microsecond, base::millisecond,
                                   7 * base::millisecond};
  tick_ = ticks[random_.below(3)];
  if (random_.below(3) > 0)
    faults_ = {10 * base::microsecond, static_cast<base::Nanos>(random_.below(3'000'000) + 10'000),
               0};
  node_.network().set_faults(faults_);
  reference_.lateness_max += 2 * faults_.delay_max + 2 * tick_;
  has_lives_ = random_.below(2) == 0;
  echoes_ = random_.below(3) == 0;
  rest_every_ = 500 + random_.below(4000);
  draw_weights();
  for (std::uint64_t count = 2 + random_.below(3); count > 0; --count) add_actor();
}

RandomBus::~RandomBus() {
  while (!actors_.empty()) bury(0);
}

// Each kind of trouble is in about half of all runs, so that one does not hide what the other
// would show.
void RandomBus::draw_weights() {
  const auto set = [this](Act act, std::uint64_t weight, bool always) {
    const bool is_in = random_.below(2) == 0;
    weights_[static_cast<std::size_t>(act)] = always || is_in ? weight : 0;
  };
  set(Act::publish, 6000, true);
  set(Act::publish_large, 60, false);
  set(Act::flush, 100, true);
  set(Act::subscribe, 60, true);
  set(Act::unsubscribe, 40, true);
  set(Act::open_publisher, 60, true);
  set(Act::close_publisher, 40, true);
  set(Act::poll, 1500, true);
  set(Act::nap, 60, false);
  set(Act::sleep, 4, false);
  set(Act::cut, 20, false);
  set(Act::lose, 6, false);
  set(Act::kill_node, 8, false);
  set(Act::kill_agent, 10, false);
  set(Act::leave, 10, false);
  set(Act::jump, 30, false);
  set(Act::pass, 1000 + random_.below(6000), true);
  if (config_.place.shards > 1) set(Act::move, 60, true);
  for (const std::uint64_t weight : weights_) weight_sum_ += weight;
}

void RandomBus::run(std::uint64_t acts) {
  while (acts_done_ < acts && !has_failed()) {
    std::uint64_t chance = random_.below(weight_sum_);
    std::size_t index = 0;
    while (chance >= weights_[index]) chance -= weights_[index++];
    const Act act = static_cast<Act>(index);
    base::Random dice(random_.next());
    if (before_act) before_act(*this);
    if (act == Act::pass || random_.below(4) == 0)
      advance(static_cast<base::Nanos>(1 + random_.below(static_cast<std::uint64_t>(2 * tick_))));
    if ((without_ & bit(act)) == 0) perform(act, dice);
    ++acts_done_;
    if (faults_.lose_one_in != 0 && acts_done_ >= lose_until_) {
      faults_.lose_one_in = 0;
      node_.network().set_faults(faults_);
    }
    if (acts_done_ % rest_every_ == 0) rest();
  }
}

void RandomBus::perform(Act act, base::Random& dice) {
  std::string what;
  switch (act) {
    case Act::publish:
      what = publish(dice, 0);
      break;
    case Act::publish_large:
      what = publish(dice, dice.below(10) == 0 ? 1'100'000 : 300'000);
      break;
    case Act::flush:
      what = flush(dice);
      break;
    case Act::subscribe:
      what = subscribe(dice);
      break;
    case Act::unsubscribe:
      what = unsubscribe(dice);
      break;
    case Act::open_publisher:
      what = open_publisher(dice);
      break;
    case Act::close_publisher:
      what = close_publisher(dice);
      break;
    case Act::poll:
      what = poll(dice);
      break;
    case Act::nap:
      what = put_to_sleep(dice, base::millisecond, 1'500 * base::millisecond);
      break;
    case Act::sleep:
      what = put_to_sleep(dice, base::second, 20 * base::second);
      break;
    case Act::cut:
      what = cut();
      break;
    case Act::lose:
      what = lose(dice);
      break;
    case Act::kill_node:
      what = kill_node();
      break;
    case Act::kill_agent:
      what = kill_agent(dice);
      break;
    case Act::leave:
      what = leave(dice);
      break;
    case Act::jump:
      what = jump(dice);
      break;
    case Act::move:
      what = move(dice);
      break;
    case Act::pass:
    case Act::count:
      break;
  }
  if (act == Act::pass || what == "nobody") return;
  note(act, std::move(what));
}

void RandomBus::note(Act act, std::string&& what) {
  const Done done{act, acts_done_, now(), std::move(what)};
  if (is_verbose_) print(done);
  last_acts_[noted_++ % last_acts_.size()] = done;
}

RandomActor& RandomBus::add_actor() {
  actors_.push_back(std::make_unique<RandomActor>());
  RandomActor& actor = *actors_.back();
  actor.name = "actor-" + std::to_string(serial_++);
  actor.agent =
      std::make_unique<SimulatedAgent>(node_, pool_, config_, actor.name, random_.next(), trace_);
  actor.absent_since = now();
  for (int count = 0; count < 2; ++count) {
    open(actor, random_);
    join(actor, random_);
  }
  return actor;
}

// Destroys the actor; what it did not hear or hand over by now never will be.
void RandomBus::bury(std::size_t index) {
  RandomActor& actor = *actors_[index];
  std::vector<Reference::Sink*> sinks;
  for (RandomActor::Sub& sub : actor.subs) sinks.push_back(sub.sink);
  is_resting_ = true;  // no echoes
  actor.die();
  is_resting_ = false;
  for (Reference::Sink* sink : sinks) reference_.end(*sink);
  for (Reference::Source* source : actor.released) orphans_.push_back(source);
  actors_.erase(actors_.begin() + static_cast<std::ptrdiff_t>(index));
}

// Who is not there now is gone from the node's view until it has come back.
void RandomBus::note_trouble() {
  trouble_at_ = now();
  for (auto& actor : actors_) {
    if (actor->absent_since == 0) actor->absent_since = now();
    actor->links_needed = actor->core().session().links_opened.read() + 1;
  }
}

void RandomBus::step(RandomActor& actor) {
  if (actor.is_asleep(now())) return;
  actor.agent->step();
  watch(actor);
}

// A publish may be what tells an actor its id.
void RandomBus::learn_id(RandomActor& actor) {
  if (actor.id != 0) return;
  actor.id = actor.core().session().agent_id.read();
  if (actor.id == 0) return;
  for (RandomActor::Pub& pub : actor.pubs) sources_[{actor.id, pub.publisher_id}] = pub.source;
  for (auto& [publisher_id, source] : actor.early) sources_[{actor.id, publisher_id}] = source;
}

// What the actor's side says by now.
void RandomBus::watch(RandomActor& actor) {
  learn_id(actor);
  const base::Nanos slack = 2 * faults_.delay_max + 2 * tick_ + 60 * base::millisecond;
  for (std::size_t index = 0; index < actor.subs.size(); ++index) {
    RandomActor::Sub& sub = actor.subs[index];
    const client::SubscriptionState state = sub.core->state.read();
    if (state == client::SubscriptionState::live) reference_.confirm(*sub.sink);
    if (state <= client::SubscriptionState::live) continue;
    if (state == client::SubscriptionState::refused)
      reference_.complain(sub.sink->pattern + " of " + actor.name +
                          " was refused: " + std::to_string(sub.core->error.read()));
    reference_.stall_out(*sub.sink, now(), slack);
    lost_anybody_ = true;
    actor.core().remove_subscription(*sub.core);
    actor.subs.erase(actor.subs.begin() + static_cast<std::ptrdiff_t>(index--));
  }
  const bool has_trouble = actor.absent_since != 0 && trouble_at_ >= actor.absent_since;
  if (has_trouble && now() - actor.absent_since > absence_max)
    for (RandomActor::Sub& sub : actor.subs) sub.sink->is_excused = true;
  if (!actor.is_present(now())) return;
  actor.absent_since = 0;
  for (RandomActor::Sub& sub : actor.subs) reference_.return_to_node(*sub.sink);
}

void RandomBus::advance(base::Nanos span) {
  node_.clock().advance(span);
  if (faults_.lose_one_in != 0) trouble_at_ = now();
  node_.step(1);
  for (std::size_t index = 0; index < actors_.size(); ++index) {
    RandomActor& actor = *actors_[index];
    step(actor);
    const bool is_present = actor.is_asleep(now()) || actor.is_present(now());
    if (!is_present && actor.absent_since == 0) actor.absent_since = now();
    if (!actor.is_leaving()) continue;
    const bool is_closed = actor.core().session().state.read() == client::SessionState::closed;
    if (!is_closed && now() < actor.leaves_until) continue;
    std::uint64_t unaccepted = 0;
    actor.core().inside(
        [&](client::Session& session) { unaccepted = session.unaccepted_messages(); });
    for (RandomActor::Pub& pub : actor.pubs) pub.source->is_torn |= !is_closed || unaccepted > 0;
    for (Reference::Source* source : actor.released)
      source->is_torn |= !is_closed || unaccepted > 0;
    bury(index--);
  }
  node_.step(1);
}

Reference::Source* RandomBus::source_of(std::uint64_t agent_id, std::uint32_t publisher_id) const {
  const auto found = sources_.find({agent_id, publisher_id});
  return found == sources_.end() ? nullptr : found->second;
}

RandomActor::Sub* RandomBus::sub_of(std::uint64_t agent_id, std::uint64_t handle) {
  for (auto& actor : actors_)
    for (RandomActor::Sub& sub : actor->subs)
      if (actor->id == agent_id && sub.core->handle == handle) return &sub;
  return nullptr;
}

void RandomBus::hear(Reference::Sink& sink, const MessageView& message) {
  for (auto& actor : actors_)
    if (actor->agent) learn_id(*actor);
  Reference::Source* source = source_of(message.agent_id(), message.publisher_id());
  Reference::Sight sight;
  sight.sequence = message.sequence();
  sight.topic = message.topic();
  sight.key = message.key();
  sight.bytes = message.payload().size();
  sight.is_payload_right = is_stamped(
      message.payload(), (std::uint64_t{message.publisher_id()} << 48) + message.sequence());
  reference_.handle(sink, source, sight, now());
  trace_.add(message.agent_id());
  trace_.add(message.sequence() * 64 + message.publisher_id());
  trace_.add(static_cast<std::uint64_t>(now()));
}

// Some handlers publish.
void RandomBus::echo(RandomActor& actor, const MessageView& message) {
  if (!echoes_ || is_resting_ || actor.pubs.empty() || message.sequence() % 8 != 0) return;
  if (actor.is_leaving() || echo_dice_.below(2) == 0) return;
  RandomActor::Pub& pub = actor.pubs[echo_dice_.below(actor.pubs.size())];
  payload_.resize(echo_dice_.below(100));
  (void)publish_one(actor, pub, {}, false);
}

// Whether every publisher knows what became of all its messages, and everybody is there.
bool RandomBus::is_quiet() {
  for (auto& actor : actors_) {
    if (actor->is_leaving() || actor->absent_since != 0) return false;
    // What a publisher left behind when it went is sent first.
    if (actor->core().session().stream_count() != actor->pubs.size()) return false;
    for (const RandomActor::Sub& sub : actor->subs)
      if (sub.core->state.read() != client::SubscriptionState::live) return false;
    for (const RandomActor::Pub& pub : actor->pubs) {
      const bool is_open = pub.core->news().state.read() == client::StreamState::open;
      if (!is_open || pub.core->report().pending > 0) return false;
    }
  }
  return true;
}

// Whether no message is in a queue or on its way to a subscriber.
bool RandomBus::is_settled() {
  for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
    if (row.kind == RowKind::pair &&
        row.get(PairCounter::queued) + row.get(PairCounter::in_flight) > 0)
      return false;
  return true;
}

void RandomBus::poll_all() {
  for (auto& actor : actors_)
    for (RandomActor::Sub& sub : actor->subs)
      if (sub.is_polled)
        actor->core().poll(
            *sub.core, [&](const MessageView& message) { hear(*sub.sink, message); }, 1000, 0);
}

void RandomBus::pass(base::Nanos span) {
  for (const base::Nanos until = now() + span; now() < until;) {
    advance(base::millisecond);
    poll_all();
  }
}

// False when it does not. A long queue may go through a narrow window: only standing still counts.
bool RandomBus::come_to_rest() {
  base::Nanos until = now() + rest_max;
  std::uint64_t still = 0, handled = 0;
  for (std::uint64_t round = 0; still < 40 && now() < until && !has_failed(); ++round) {
    advance(round < 300 ? base::millisecond : 10 * base::millisecond);
    if (round % 4 == 0) poll_all();
    if (reference_.handled() != handled) until = now() + rest_max;
    handled = reference_.handled();
    still = is_quiet() ? still + 1 : 0;
    if (still == 40 && !is_settled()) still = 0;
    if (still > 20) node_.clock().advance(10 * base::millisecond);  // slow news come in between
  }
  return still >= 40;
}

void RandomBus::rest() {
  is_resting_ = true;
  faults_.lose_one_in = 0;
  node_.network().set_faults(faults_);
  for (auto& actor : actors_) actor->wakes_at = 0;
  bool is_late = !come_to_rest();
  // All credit is back: each publisher gets another message through.
  for (auto& actor : actors_)
    for (RandomActor::Pub& pub : actor->pubs) {
      payload_.resize(random_.below(100));
      if (!is_late && !publish_one(*actor, pub, {}, false))
        reference_.complain("at rest: " + pub.source->topic + " of " + actor->name +
                            " may not publish");
    }
  is_late = is_late || !come_to_rest();
  // Nothing ends because nothing happens.
  if (random_.below(3) == 0)
    for (int stride = 0; stride < 600; ++stride) advance(50 * base::millisecond);
  if (!has_failed()) RestCheck(*this).check(is_late);
  for (Reference::Source* source : orphans_) source->is_closed = true;
  orphans_.clear();
  for (auto& actor : actors_) {
    for (Reference::Source* source : actor->released) source->is_closed = true;
    actor->released.clear();
    actor->early.clear();
  }
  std::erase_if(sources_, [](const auto& item) { return item.second->is_closed; });
  reference_.rest(now());
  lost_node_ = lost_anybody_ = false;
  is_resting_ = false;
  note(Act::count, "rest");
}

void RandomBus::print(const Done& done) {
  const char* name = done.act == Act::count ? "-" : act_names[static_cast<std::size_t>(done.act)];
  std::printf("  act %llu at %.4f s: %s %s\n", static_cast<unsigned long long>(done.number),
              static_cast<double>(done.at) / 1e9, name, done.what.c_str());
}

void RandomBus::print_last_acts() const {
  const std::uint64_t from = noted_ > last_acts_.size() ? noted_ - last_acts_.size() : 0;
  for (std::uint64_t number = from; number < noted_; ++number)
    print(last_acts_[number % last_acts_.size()]);
  for (const std::string& line : node_.log) std::printf("  node: %s\n", line.c_str());
}

}  // namespace abuzz::testing
