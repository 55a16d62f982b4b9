#include "bus/link/peer_table.hpp"

#include <algorithm>
#include <utility>

namespace abuzz::link::detail {

namespace {

// Looks at every byte, whatever it finds: the time says nothing about how much was right.
bool is_same(const Secret& left, const Secret& right) noexcept {
  std::byte difference{0};
  for (std::size_t index = 0; index < left.size(); ++index) {
    difference |= left[index] ^ right[index];
  }
  return difference == std::byte{0};
}

}  // namespace

void PeerTable::admit(PeerId peer, const Secret& secret) {
  expel(peer);
  waiting_.reserve(waiting_.size() + 1);
  if ((peers_.size() + 1) * 2 > slots_.size()) grow();
  Entry& entry = peers_[peer];
  entry = Entry{.peer = peer, .secret = secret};
  waiting_.push_back(&entry);
}

const PeerTable::Entry* PeerTable::present(std::uint32_t connection,
                                           const Secret& secret) noexcept {
  Entry* found = nullptr;
  for (Entry* entry : waiting_) {
    if (is_same(entry->secret, secret)) found = entry;
  }
  if (found == nullptr || find(connection) != nullptr) return nullptr;
  std::erase(waiting_, found);
  found->secret = Secret{};
  found->connection = connection;
  found->attached = true;
  insert(found);
  return found;
}

const PeerTable::Entry* PeerTable::find(std::uint32_t connection) const noexcept {
  std::size_t index = home(connection);
  while (slots_[index].entry != nullptr) {
    if (slots_[index].connection == connection) return slots_[index].entry;
    index = next(index);
  }
  return nullptr;
}

const PeerTable::Entry* PeerTable::find_peer(PeerId peer) const noexcept {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : &found->second;
}

void PeerTable::expel(PeerId peer) noexcept {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  if (found->second.attached) {
    erase(found->second.connection);
  } else {
    std::erase(waiting_, &found->second);
  }
  peers_.erase(found);
}

std::size_t PeerTable::home(std::uint32_t connection) const noexcept {
  // Fibonacci hashing: connections are numbered in sequence, and libzmq's start is random.
  const std::uint64_t mixed = connection * 0x9e37'79b9'7f4a'7c15ull;
  return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
}

void PeerTable::insert(Entry* entry) noexcept {
  std::size_t index = home(entry->connection);
  while (slots_[index].entry != nullptr) index = next(index);
  slots_[index] = Slot{entry->connection, entry};
}

void PeerTable::erase(std::uint32_t connection) noexcept {
  std::size_t hole = home(connection);
  while (slots_[hole].connection != connection || slots_[hole].entry == nullptr) hole = next(hole);
  slots_[hole] = Slot{};
  // Close the gap: whoever stands behind it and may stand in it moves up.
  for (std::size_t index = next(hole); slots_[index].entry != nullptr; index = next(index)) {
    const std::size_t mask = slots_.size() - 1;
    const std::size_t distance_home = (index - home(slots_[index].connection)) & mask;
    const std::size_t distance_hole = (index - hole) & mask;
    if (distance_home < distance_hole) continue;
    slots_[hole] = std::exchange(slots_[index], Slot{});
    hole = index;
  }
}

void PeerTable::grow() {
  std::vector<Slot> bigger(slots_.size() * 2);
  slots_.swap(bigger);
  for (const Slot& slot : bigger) {
    if (slot.entry != nullptr) insert(slot.entry);
  }
}

}  // namespace abuzz::link::detail
