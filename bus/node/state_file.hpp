#pragma once

#include <cstdint>
#include <string>

#include "bus/base/siphash.hpp"
#include "bus/error.hpp"

namespace abuzz::node {

// Who a node is, over its restarts. Kept as lines of text in a 0600 file of the runtime directory:
//
//   abuzz node state 1
//   node_id 9c1d5f0e2b7a4c36
//   node_epoch 7
//   key 000102030405060708090a0b0c0d0e0f
//   managed 0
struct NodeIdentity {
  std::uint64_t node_id = 0;     // random; with the epoch it never repeats
  std::uint32_t node_epoch = 0;  // rises by one at each start
  base::Key128 key{};            // proves that an agent id was given by this node
};

// Reads the file, raises the epoch, writes the file. A missing or damaged file gives a new
// identity: agents then get new ids. Requires: the caller holds the node's lock.
Result<NodeIdentity> begin_node_life(const std::string& state_path, bool managed);

// The proof of ownership of an agent id, given to the agent in its welcome.
base::Mac128 agent_token(const base::Key128& key, std::uint64_t agent_id) noexcept;

}  // namespace abuzz::node
