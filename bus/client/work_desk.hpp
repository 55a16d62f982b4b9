#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bus/base/clock.hpp"
#include "bus/client/work.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/delivery/ring.hpp"

namespace abuzz::client {

// What is in hand of one subscription whose handlers may run beside each other, or that are given
// many messages at once: which may begin, and how far the subscription is, whatever the order in
// which they end.
//
// Order: a message of a stream with a key (not 0) waits until those before it with that key were
// handled; it may stand in one call with them, in order. Keys share `strands_max` strands a lane,
// so two keys may now and then wait for each other. With a concurrency of 1 all keeps its order.
// Settling: done_no covers what is over and has nothing open before it. The window is given back
// when a delivery is over, so at most the window is in hand, and of each lane no delivery is begun
// beyond in_hand_max messages.
// Expiry: what is over its time when its turn comes is refused, with all of its batch that nobody
// was given yet behind the last that somebody was.
//
// Threads: one at a time (the pool's role). No allocation once it has grown.
class WorkDesk {
 public:
  static constexpr std::uint32_t in_hand_max = 1024;
  static constexpr std::uint32_t strands_max = 256;  // a power of two
  static constexpr std::uint32_t no_strand = 0xFFFF'FFFF;

  explicit WorkDesk(std::shared_ptr<SubscriptionCore> core);

  SubscriptionCore& core() noexcept { return *core_; }
  // One handler at a time, and so beside no other of the agent: the runner's work.
  bool is_serial() const noexcept { return calls_max_ == 1; }
  std::size_t concurrency() const noexcept { return calls_max_; }

  // What workers have finished is over. Returns how many calls.
  std::size_t collect();
  // Begins deliveries as far as there is room. Returns how many.
  std::size_t take_in(base::Clock& clock);
  // The next delivery waits for a buffer.
  bool is_starved() const noexcept { return is_starved_; }
  // Lanes of which something may be given to a handler now.
  delivery::LaneTurn::Waiting ready(base::Nanos now) const noexcept;
  // The next call of a lane that is ready; nullptr when what waited had to be refused.
  Work* pop(std::size_t lane, base::Nanos now);
  // When a batch is due that is not full; -1: none waits for that.
  base::Nanos deadline() const noexcept;

  // Waits for no batch to become full from now on.
  void hurry() noexcept { is_hurried_ = true; }
  // Nothing more is given to handlers.
  void end() noexcept { is_ended_ = true; }
  bool is_ended() const noexcept { return is_ended_; }
  // Between its own lanes, where nobody else's count: of a serial one.
  delivery::LaneTurn& turn() noexcept { return turn_; }
  // Calls that were given out and not collected.
  std::size_t calls() const noexcept { return calls_; }
  // Nothing that was begun is left, and nothing waits.
  bool is_empty() const noexcept;
  // Inside a handler that ends the subscription: what it was given counts as handled.
  void note_handled(Work& work);

 private:
  static constexpr std::uint32_t none = 0xFFFF'FFFF;
  // A message that was begun and not given to a handler.
  struct Item {
    OpenDelivery* delivery = nullptr;
    std::uint32_t index = 0;
    std::uint32_t strand = no_strand;
    std::uint32_t next = none;
    base::Nanos since = 0;
  };
  struct List {
    std::uint32_t first = none, last = none;
    std::uint32_t count = 0;
  };
  struct Strand {
    bool is_taken = false;  // one of it is ready or with a handler; the others wait here
    List waiting;
  };
  struct Line {
    delivery::Ring<std::unique_ptr<OpenDelivery>> deliveries;
    List ready;
    std::vector<Strand> strands;
    std::uint32_t in_hand = 0;
  };

  void add(SubscriptionCore::Begun begun, base::Nanos now);
  void add_message(Line& line, OpenDelivery& delivery, std::uint32_t index, base::Nanos now);
  std::uint32_t strand_of(const OpenDelivery& delivery, std::uint32_t index) const noexcept;
  void release_strand(Line& line, std::uint32_t strand);
  void take_piece(Line& line, Work& work, base::Nanos now);
  bool refuse_late(OpenDelivery& delivery, std::uint32_t index, base::Nanos now);
  void advance(Line& line);
  void give(Work& work, const Item& item);
  Work& free_work();
  bool is_batch_due(const Line& line, base::Nanos now) const noexcept;
  std::uint32_t new_item();
  void append(List& list, std::uint32_t item) noexcept;
  std::uint32_t remove_first(List& list) noexcept;
  Item take_first(List& list);
  void let_go(std::unique_ptr<OpenDelivery> delivery);

  const std::shared_ptr<SubscriptionCore> core_;  // shared with the session and the owner's handle
  const std::size_t calls_max_;
  const std::size_t pieces_max_;  // of a call
  const base::Nanos batch_wait_;
  std::array<Line, wire::data_lanes> lines_;
  std::vector<Item> items_;
  std::uint32_t free_items_ = none;
  std::vector<std::unique_ptr<OpenDelivery>> spare_;
  std::vector<std::unique_ptr<OpenDelivery>> refused_;  // over, but still listed
  std::vector<std::unique_ptr<Work>> works_;            // at most calls_max_
  std::size_t calls_ = 0;
  delivery::LaneTurn turn_;
  bool is_starved_ = false;
  bool is_hurried_ = false;
  bool is_ended_ = false;
};

}  // namespace abuzz::client
