#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/random.hpp"
#include "tests/model/random_actor.hpp"
#include "tests/model/reference.hpp"

namespace abuzz::testing {

// What may be done to the bus. A run is a sequence of these, drawn from a seed.
enum class Act : std::uint8_t {
  publish,
  publish_large,
  flush,
  subscribe,
  unsubscribe,
  open_publisher,
  close_publisher,
  poll,
  nap,
  sleep,
  cut,
  lose,
  kill_node,
  kill_agent,
  leave,
  jump,
  pass,
  move,
  count,
};
constexpr std::array<const char*, static_cast<std::size_t>(Act::count)> act_names{
    "publish",         "publish_large", "flush", "subscribe", "unsubscribe", "open_publisher",
    "close_publisher", "poll",          "nap",   "sleep",     "cut",         "lose",
    "kill_node",       "kill_agent",    "leave", "jump",      "pass",        "move"};
using ActSet = std::uint64_t;
constexpr ActSet bit(Act act) {
  return ActSet{1} << static_cast<unsigned>(act);
}

// A real node and real agents over loop links, in one thread, under random acts; beside them the
// reference, which is told all of it. Everything is drawn from the seed: a run repeats exactly.
//
// Which acts there are, how long frames take, how small windows and batches are: also of the seed.
class RandomBus {
 public:
  // `without`: these acts are drawn, and not done, to see which of them a failure needs.
  explicit RandomBus(std::uint64_t seed, ActSet without = 0);
  ~RandomBus();

  // Until so many acts were done in all, or something is wrong.
  void run(std::uint64_t acts);
  // Wakes everybody, lets everything come to its end, and judges it.
  void rest();

  // Time passes, and nothing new is done.
  void pass(base::Nanos span);

  bool has_failed() const { return reference_.has_failed(); }
  void print_last_acts() const;
  Reference& reference() { return reference_; }
  std::vector<std::unique_ptr<RandomActor>>& actors() { return actors_; }
  node::test::LoopNode& node() { return node_; }
  base::Nanos now() { return node_.clock().now(); }
  std::uint64_t acts() const { return acts_done_; }
  std::uint64_t hash() const { return trace_.hash(); }
  Reference::Source* source_of(std::uint64_t agent_id, std::uint32_t publisher_id) const;
  RandomActor::Sub* sub_of(std::uint64_t agent_id, std::uint64_t handle);
  bool is_first_life() const { return node_.identity().node_epoch == 1; }
  bool has_lives() const { return has_lives_; }
  bool lost_node() const { return lost_node_; }        // since the last rest
  bool lost_anybody() const { return lost_anybody_; }  // a subscriber, since the last rest
  // Called before each act, e.g. to plant a fault.
  std::function<void(RandomBus&)> before_act;

 private:
  struct Done {
    Act act = Act::pass;
    std::uint64_t number = 0;
    base::Nanos at = 0;
    std::string what;
  };
  static void print(const Done& done);
  static Config draw_config(base::Random& random, std::uint64_t seed);
  void draw_weights();
  void perform(Act act, base::Random& dice);
  void note(Act act, std::string&& what);
  // One for each act, in random_acts.cpp; each says what it did.
  std::string publish(base::Random& dice, std::size_t bytes_kind);
  bool publish_one(RandomActor& actor, RandomActor::Pub& pub, const MessageOptions& options,
                   bool claims);
  std::string flush(base::Random& dice);
  std::string subscribe(base::Random& dice);
  std::string unsubscribe(base::Random& dice);
  std::string open_publisher(base::Random& dice);
  std::string close_publisher(base::Random& dice);
  std::string poll(base::Random& dice);
  std::string put_to_sleep(base::Random& dice, base::Nanos least, base::Nanos most);
  std::string cut();
  std::string lose(base::Random& dice);
  std::string kill_node();
  std::string kill_agent(base::Random& dice);
  std::string leave(base::Random& dice);
  std::string jump(base::Random& dice);
  std::string move(base::Random& dice);

  RandomActor& add_actor();
  RandomActor* pick(base::Random& dice);  // one that is awake and stays; nullptr where none is
  void open(RandomActor& actor, base::Random& dice);
  void join(RandomActor& actor, base::Random& dice);
  void step(RandomActor& actor);
  void watch(RandomActor& actor);
  void learn_id(RandomActor& actor);
  void note_trouble();
  void bury(std::size_t index);
  void advance(base::Nanos span);
  bool is_quiet();
  bool is_settled();
  bool come_to_rest();
  void poll_all();
  void hear(Reference::Sink& sink, const MessageView& message);
  void echo(RandomActor& actor, const MessageView& message);
  static std::string draw_topic(base::Random& dice);
  static std::string draw_pattern(base::Random& dice);

  base::Random random_;
  const ActSet without_;
  const Config config_;
  Reference reference_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::vector<std::unique_ptr<RandomActor>> actors_;
  // By the names that a message carries.
  std::map<std::pair<std::uint64_t, std::uint32_t>, Reference::Source*> sources_;
  std::vector<Reference::Source*> orphans_;  // of actors that are gone, since the last rest
  std::array<std::uint64_t, static_cast<std::size_t>(Act::count)> weights_{};
  std::uint64_t weight_sum_ = 0;
  base::Nanos tick_ = 0;
  link::LoopNetwork::Faults faults_;
  std::uint64_t acts_done_ = 0, lose_until_ = 0, rest_every_ = 0;
  std::array<Done, 40> last_acts_;
  std::uint64_t noted_ = 0;
  std::vector<std::byte> payload_;
  base::Random echo_dice_;
  base::Nanos trouble_at_ = 0;
  int serial_ = 0;
  const bool is_verbose_ = std::getenv("ABUZZ_VERBOSE") != nullptr;
  bool is_resting_ = false, echoes_ = false, has_lives_ = false;
  bool lost_node_ = false, lost_anybody_ = false;
};

}  // namespace abuzz::testing
