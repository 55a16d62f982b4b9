#include <algorithm>

#include "tests/model/random_bus.hpp"

// What random acts do to the bus, and tell the reference.

namespace abuzz::testing {

namespace {

constexpr std::size_t pubs_max = 6, subs_max = 6, actors_max = 6;

std::size_t draw_bytes(base::Random& dice, std::size_t kind) {
  if (kind > 0) return dice.below(kind);
  const std::uint64_t chance = dice.below(100);
  return dice.below(chance < 90 ? 200 : chance < 99 ? 5'000 : 70'000);
}

std::string join_words(std::initializer_list<std::string> words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

std::string RandomBus::draw_topic(base::Random& dice) {
  static const char* const tokens[] = {"a", "b", "c"};
  std::string topic = tokens[dice.below(3)];
  for (std::uint64_t more = dice.below(3); more > 0; --more)
    topic += std::string(".") + tokens[dice.below(3)];
  return topic;
}

std::string RandomBus::draw_pattern(base::Random& dice) {
  static const char* const tokens[] = {"a", "b", "c", "*", "*"};
  std::string pattern = tokens[dice.below(5)];
  for (std::uint64_t more = dice.below(3); more > 0; --more)
    pattern += std::string(".") + tokens[dice.below(5)];
  if (dice.below(3) == 0) pattern = dice.below(2) == 0 ? ">" : pattern + ".>";
  return pattern;
}

RandomActor* RandomBus::pick(base::Random& dice) {
  const std::size_t first = dice.below(actors_.size());
  for (std::size_t index = 0; index < actors_.size(); ++index) {
    RandomActor& actor = *actors_[(first + index) % actors_.size()];
    if (!actor.is_asleep(now()) && !actor.is_leaving()) return &actor;
  }
  return nullptr;
}

std::string RandomBus::publish(base::Random& dice, std::size_t bytes_kind) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->pubs.empty()) return "nobody";
  RandomActor::Pub& pub = actor->pubs[dice.below(actor->pubs.size())];
  const std::uint64_t count = bytes_kind > 0 ? 1 : 1 + dice.below(dice.below(10) == 0 ? 60 : 4);
  MessageOptions options;
  if (has_lives_ && dice.below(4) == 0)
    options.time_to_live = std::chrono::milliseconds(1 + dice.below(60));
  std::uint64_t taken = 0;
  for (std::uint64_t index = 0; index < count; ++index) {
    options.key = dice.below(4);
    options.more = dice.below(4) == 0;
    payload_.resize(draw_bytes(dice, bytes_kind));
    if (publish_one(*actor, pub, options, dice.below(8) == 0)) ++taken;
  }
  // What waits for more does so until something else steps the session.
  if (dice.below(2) == 0) pub.core->push();
  return join_words({actor->name, pub.source->topic, std::to_string(taken), "of",
                     std::to_string(count), "to", std::to_string(pub.source->count), "of about",
                     std::to_string(payload_.size()), "bytes, ttl",
                     std::to_string(options.time_to_live.count())});
}

// Publishes `payload_`, either way.
bool RandomBus::publish_one(RandomActor& actor, RandomActor::Pub& pub,
                            const MessageOptions& options, bool claims) {
  const std::uint64_t stamp = (std::uint64_t{pub.publisher_id} << 48) + pub.source->count + 1;
  stamp_payload(payload_, stamp);
  SendStatus status = SendStatus::closed;
  if (claims) {
    const Claim claim = pub.core->claim(payload_.size() + 7);
    status = claim.status;
    if (status == SendStatus::queued) {
      std::copy(payload_.begin(), payload_.end(), claim.payload.begin());
      status = pub.core->commit(payload_.size(), options);
    }
  } else {
    status = pub.core->try_publish(payload_, options);
  }
  trace_.add(static_cast<std::uint64_t>(status));
  if (status != SendStatus::queued) return false;
  Reference::Message message;
  message.bytes = static_cast<std::uint32_t>(payload_.size());
  message.key = options.key;
  if (options.time_to_live.count() > 0)
    message.expires_at = now() + options.time_to_live.count() * base::millisecond;
  reference_.publish(*pub.source, message, now());
  if (pub.core->pushed() != pub.source->count)
    reference_.complain(actor.name + " counts its messages otherwise");
  return true;
}

std::string RandomBus::flush(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->pubs.empty()) return "nobody";
  RandomActor::Pub& pub = actor->pubs[dice.below(actor->pubs.size())];
  const FlushReport report = pub.core->flush(0);
  if (report.delivered > pub.source->handled)
    reference_.complain(pub.source->topic + " of " + actor->name + ": " +
                        std::to_string(report.delivered) + " told as delivered, but only " +
                        std::to_string(pub.source->handled) + " were handled");
  return join_words({actor->name, pub.source->topic, "pending", std::to_string(report.pending)});
}

std::string RandomBus::subscribe(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->subs.size() >= subs_max) return "nobody";
  join(*actor, dice);
  const Reference::Sink& sink = *actor->subs.back().sink;
  return join_words({actor->name, sink.pattern, "policy",
                     std::to_string(static_cast<int>(sink.options.policy)), "bound",
                     std::to_string(sink.options.queue_messages), "latest",
                     std::to_string(sink.options.latest_messages), "stall ms",
                     std::to_string(sink.options.stall_limit.count()),
                     actor->subs.back().is_polled ? "polled" : ""});
}

void RandomBus::join(RandomActor& actor, base::Random& dice) {
  SubscribeOptions options;
  // Lossless half of the time.
  options.policy = static_cast<Policy>(dice.below(2) == 0 ? 0 : dice.below(4));
  options.queue_messages =
      static_cast<std::uint32_t>(dice.below(4) == 0 ? 16'384 : 1 + dice.below(100));
  options.queue_bytes =
      dice.below(2) == 0 ? 8 * base::mib : base::mib + 64 * base::kib + dice.below(100'000);
  options.stall_limit = std::chrono::milliseconds(100 + dice.below(20'000));
  if (options.policy == Policy::latest)
    options.latest_messages = static_cast<std::uint32_t>(
        1 + dice.below(std::min<std::uint32_t>(options.queue_messages, 8)));
  RandomActor::Sub sub;
  sub.is_polled = dice.below(4) == 0;
  const std::string pattern = draw_pattern(dice);
  sub.sink = &reference_.add_sink(pattern, options, now());
  Handler handler;
  if (!sub.is_polled)
    handler = [this, &actor, sink = sub.sink](const MessageView& message) {
      hear(*sink, message);
      echo(actor, message);
    };
  sub.core = actor.core().open_subscription(pattern, std::move(handler), options).value();
  actor.subs.push_back(std::move(sub));
}

std::string RandomBus::unsubscribe(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->subs.empty()) return "nobody";
  const std::size_t index = dice.below(actor->subs.size());
  RandomActor::Sub sub = std::move(actor->subs[index]);
  actor->subs.erase(actor->subs.begin() + static_cast<std::ptrdiff_t>(index));
  reference_.end(*sub.sink);
  lost_anybody_ = true;
  actor->core().remove_subscription(*sub.core);
  return join_words({actor->name, sub.sink->pattern});
}

std::string RandomBus::open_publisher(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->pubs.size() >= pubs_max) return "nobody";
  open(*actor, dice);
  return join_words({actor->name, actor->pubs.back().source->topic});
}

void RandomBus::open(RandomActor& actor, base::Random& dice) {
  const std::string topic = draw_topic(dice);
  const Lane lane = static_cast<Lane>(dice.below(3) == 0 ? 1 + dice.below(3) : 2);
  RandomActor::Pub pub;
  pub.core = actor.core().open_publisher(actor.agent->shared_core(), topic, {.lane = lane}).value();
  pub.publisher_id = ++actor.opened;
  pub.source = &reference_.add_source(topic);
  if (actor.id != 0) sources_[{actor.id, pub.publisher_id}] = pub.source;
  actor.pubs.push_back(std::move(pub));
}

std::string RandomBus::close_publisher(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->pubs.empty()) return "nobody";
  const std::size_t index = dice.below(actor->pubs.size());
  RandomActor::Pub pub = std::move(actor->pubs[index]);
  actor->pubs.erase(actor->pubs.begin() + static_cast<std::ptrdiff_t>(index));
  if (actor->id == 0) actor->early.emplace_back(pub.publisher_id, pub.source);
  pub.core->release();
  actor->released.push_back(pub.source);
  return join_words({actor->name, pub.source->topic, "after", std::to_string(pub.source->count)});
}

std::string RandomBus::poll(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actor->subs.empty()) return "nobody";
  RandomActor::Sub& sub = actor->subs[dice.below(actor->subs.size())];
  if (!sub.is_polled) return "nobody";
  Reference::Sink& sink = *sub.sink;
  const std::size_t got = actor->core().poll(
      *sub.core, [&](const MessageView& message) { hear(sink, message); }, 1 + dice.below(200), 0);
  return join_words({actor->name, sink.pattern, "got", std::to_string(got)});
}

std::string RandomBus::put_to_sleep(base::Random& dice, base::Nanos least, base::Nanos most) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr) return "nobody";
  const base::Nanos span =
      least + static_cast<base::Nanos>(dice.below(static_cast<std::uint64_t>(most - least)));
  actor->wakes_at = now() + span;
  if (actor->absent_since == 0) actor->absent_since = now();
  return join_words({actor->name, "ms", std::to_string(span / base::millisecond)});
}

std::string RandomBus::cut() {
  node_.network().cut_links();
  note_trouble();
  return "all links";
}

// No trouble: nobody may miss anything.
std::string RandomBus::move(base::Random& dice) {
  RandomActor& actor = *actors_[dice.below(actors_.size())];
  const auto shard = static_cast<std::uint32_t>(dice.below(config_.place.shards));
  const bool is_begun = node_.reception().move(actor.name, shard, "by chance");
  return actor.name + " to shard " + std::to_string(shard) + (is_begun ? "" : ": not now");
}

std::string RandomBus::lose(base::Random& dice) {
  faults_.lose_one_in = 5 + dice.below(300);
  node_.network().set_faults(faults_);
  lose_until_ = acts_done_ + 50 + dice.below(400);
  return join_words({"one in", std::to_string(faults_.lose_one_in), "for",
                     std::to_string(lose_until_ - acts_done_)});
}

std::string RandomBus::kill_node() {
  node_.restart();
  note_trouble();
  reference_.lose_node();
  // What it held of publishers that are gone is gone with it.
  for (Reference::Source* source : orphans_) source->is_torn = true;
  lost_node_ = true;
  return "epoch " + std::to_string(node_.identity().node_epoch);
}

std::string RandomBus::kill_agent(base::Random& dice) {
  const std::size_t index = dice.below(actors_.size());
  RandomActor& actor = *actors_[index];
  const std::string name = actor.name;
  for (RandomActor::Sub& sub : actor.subs) sub.sink->is_dying = true;
  for (RandomActor::Pub& pub : actor.pubs) pub.source->is_torn = true;
  for (Reference::Source* source : actor.released) source->is_torn = true;
  lost_anybody_ = true;
  bury(index);
  add_actor();
  return name;
}

std::string RandomBus::leave(base::Random& dice) {
  RandomActor* actor = pick(dice);
  if (actor == nullptr || actors_.size() > actors_max) return "nobody";
  actor->leaves_until =
      now() + 100 * base::millisecond + static_cast<base::Nanos>(dice.below(2'000'000'000));
  for (RandomActor::Sub& sub : actor->subs) sub.sink->is_dying = true;
  lost_anybody_ = true;
  actor->core().inside([&](client::Session& session) { session.leave(actor->leaves_until); });
  add_actor();
  return actor->name;
}

std::string RandomBus::jump(base::Random& dice) {
  const base::Nanos span =
      static_cast<base::Nanos>(dice.below(dice.below(20) == 0 ? 4'000'000'000 : 300'000'000));
  node_.clock().advance(span);
  return join_words({"ms", std::to_string(span / base::millisecond)});
}

}  // namespace abuzz::testing
