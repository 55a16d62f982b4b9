#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/client/subscription_core.hpp"
#include "bus/message.hpp"

namespace abuzz::client {

class WorkDesk;

// A delivery whose messages are being handled, in any order.
struct OpenDelivery {
  SubscriptionCore::Begun begun;
  enum class Mark : std::uint8_t { open, handled, refused };
  std::vector<Mark> marks;      // of the messages from begun.next on
  std::uint32_t over = 0;       // the first so many are not open
  std::uint32_t handled = 0;    // given to handlers that returned
  std::uint32_t next_free = 0;  // none of the messages from here on was given to a handler
  std::uint32_t listed = 0;     // messages that stand in a list of the desk
};

// One call of a handler: the message, or the messages, that it is given.
//
// Threads: filled and emptied by the pool's role; in between by the worker that took it.
struct Work {
  struct Piece {
    OpenDelivery* delivery = nullptr;
    std::uint32_t index = 0;   // among begun.next .. end
    std::uint32_t strand = 0;  // WorkDesk::no_strand: none
  };

  WorkDesk* desk = nullptr;  // constant
  // The role's.
  std::size_t lane = 0;
  bool is_out = false;
  std::vector<Piece> pieces;
  // The worker's until is_done.
  std::vector<MessageView> views;
  bool was_given = false;  // to the handler: the subscription had not ended before
  // Stored by the worker when the handler returned; loaded by the role.
  base::Position<bool> is_done{false};
};

}  // namespace abuzz::client
