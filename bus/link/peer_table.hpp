#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "bus/link/link.hpp"

namespace abuzz::link::detail {

// Which connection of a hub is which peer. A connection is a number that the hub's library gave it.
//
// Threads: one. Cost: all memory is taken in admit(); find() and present() allocate nothing, and
// find() looks at one or two slots of a table that is never more than half full.
class PeerTable {
 public:
  struct Entry {
    PeerId peer = 0;
    Secret secret{};
    std::uint32_t connection = 0;  // valid when attached
    bool attached = false;
  };

  PeerTable() { slots_.resize(slots_min); }

  // A peer that was admitted before loses its earlier secret and connection.
  void admit(PeerId peer, const Secret& secret);
  // The peer whose secret this is, now attached to `connection`; nullptr if it is nobody's. The
  // secret is used up.
  const Entry* present(std::uint32_t connection, const Secret& secret) noexcept;
  // nullptr for a connection that presented nothing.
  const Entry* find(std::uint32_t connection) const noexcept;
  const Entry* find_peer(PeerId peer) const noexcept;
  void expel(PeerId peer) noexcept;

 private:
  static constexpr std::size_t slots_min = 16;
  struct Slot {
    std::uint32_t connection = 0;
    Entry* entry = nullptr;  // nullptr: free
  };

  std::size_t home(std::uint32_t connection) const noexcept;
  std::size_t next(std::size_t index) const noexcept { return (index + 1) & (slots_.size() - 1); }
  void insert(Entry* entry) noexcept;
  void erase(std::uint32_t connection) noexcept;
  void grow();

  std::unordered_map<PeerId, Entry> peers_;
  std::vector<Entry*> waiting_;  // admitted, not attached
  std::vector<Slot> slots_;      // attached, by connection; a power of two, linear probing
};

}  // namespace abuzz::link::detail
