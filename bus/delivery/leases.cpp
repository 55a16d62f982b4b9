#include "bus/delivery/leases.hpp"

#include <algorithm>

#include "bus/base/check.hpp"

namespace abuzz::delivery {

Lot& Leases::acquire() {
  if (free_.empty()) {
    blocks_.push_back(std::make_unique<Lot[]>(per_block));
    free_.reserve(blocks_.size() * per_block);
    for (std::size_t index = 0; index < per_block; ++index) free_.push_back(&blocks_.back()[index]);
  }
  Lot& lot = *free_.back();
  free_.pop_back();
  lot.serial = ++last_serial_;
  return lot;
}

void Leases::release(Lot& lot) noexcept {
  ABUZZ_CHECK(lot.open == 0 && !lot.is_named);
  untime(lot);
  lot = Lot{};
  free_.push_back(&lot);
}

void Leases::lease(Lot& lot, base::Nanos timeout, base::Nanos now) noexcept {
  ABUZZ_CHECK(lot.count > 0 && lot.count <= Dealer::run_messages_max);
  lot.open = bits_of(0, lot.count);
  lot.extended = 0;
  lot.dealt_at = now;
  lot.deadline = timeout > 0 ? now + timeout : 0;
  if (timeout <= 0) return;
  lot.is_timed = true;
  lot.previous = last_;
  lot.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &lot;
  last_ = &lot;
}

void Leases::untime(Lot& lot) noexcept {
  if (!lot.is_timed) return;
  (lot.previous == nullptr ? first_ : lot.previous->next) = lot.next;
  (lot.next == nullptr ? last_ : lot.next->previous) = lot.previous;
  lot.previous = lot.next = nullptr;
  lot.is_timed = false;
}

std::uint64_t Leases::resolve(Lot& lot, std::uint64_t bits) noexcept {
  const std::uint64_t resolved = lot.open & bits;
  lot.open &= ~bits;
  if (lot.open != 0) return resolved;
  untime(lot);
  return resolved;
}

std::uint64_t Leases::extend(Lot& lot, std::uint64_t bits, base::Nanos timeout, base::Nanos now) {
  const std::uint64_t leased = lot.open & bits;
  if (lot.deadline == 0) return leased;  // its lease has no end
  const base::Nanos deadline = std::min(now + timeout, lot.dealt_at + extension_max);
  for (std::uint64_t rest = leased; rest != 0; rest &= rest - 1) {
    const std::uint64_t bit = rest & (~rest + 1);
    if ((lot.extended & bit) == 0) {
      extensions_.push_back({&lot, lot.serial, bit, deadline});
      continue;
    }
    for (Extension& item : extensions_)
      if (item.lot == &lot && item.serial == lot.serial && item.bit == bit)
        item.deadline = deadline;
  }
  lot.extended |= leased;
  return leased;
}

void Leases::let_go(Lot& lot) noexcept {
  lot.is_named = false;
  if (lot.open == 0) release(lot);
}

base::Nanos Leases::next_deadline() const noexcept {
  base::Nanos next = first_ == nullptr ? 0 : first_->deadline;
  for (const Extension& item : extensions_)
    if (next == 0 || item.deadline < next) next = item.deadline;
  return next;
}

}  // namespace abuzz::delivery
