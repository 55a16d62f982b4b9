#include "bus/client/receipt_window.hpp"

#include <algorithm>
#include <utility>

namespace abuzz::client {

void ReceiptWindow::ask(std::uint64_t first_seq, std::uint32_t count, base::Nanos now) {
  for (std::uint32_t index = 0; index < count; ++index) {
    forget(now);
    Item item;
    item.seq = first_seq + index;
    items_.push_back(std::move(item));
  }
}

// The oldest go once they are settled, neither among the last nor young; or if there is no room.
void ReceiptWindow::forget(base::Nanos now) noexcept {
  while (!items_.is_empty()) {
    const Item& oldest = items_.front();
    const bool is_settled = oldest.outcome != ReceiptOutcome::pending;
    const bool is_over =
        is_settled && settled_ > settled_kept && now - oldest.settled_at > settled_kept_for;
    if (!is_over && items_.count() < items_max) return;
    if (is_settled) --settled_;
    items_.pop_front();
  }
}

// Of the first one that is not before `seq`.
std::size_t ReceiptWindow::place_of(std::uint64_t seq) noexcept {
  std::size_t low = 0, high = items_.count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (items_.at(middle).seq < seq)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

ReceiptWindow::Item* ReceiptWindow::item_of(std::uint64_t seq) noexcept {
  const std::size_t place = place_of(seq);
  if (place == items_.count() || items_.at(place).seq != seq) return nullptr;
  return &items_.at(place);
}

void ReceiptWindow::settle(const wire::Receipt& run, base::Nanos now) {
  const std::uint64_t end = run.first_seq + run.count;
  for (std::size_t place = place_of(run.first_seq); place < items_.count(); ++place) {
    Item& item = items_.at(place);
    if (item.seq >= end) return;
    settle_item(item, run, now);
  }
}

void ReceiptWindow::settle_item(Item& item, const wire::Receipt& run, base::Nanos now) noexcept {
  const bool is_delivered = run.outcome == ReceiptOutcome::delivered;
  if (item.outcome == ReceiptOutcome::unknown) {
    const bool is_told = item.returns && is_delivered;
    item.returns = false;
    if (!is_told) return;
    item.delivered = run.delivered;
    item.is_partial = run.is_partial;
    return;
  }
  if (item.outcome != ReceiptOutcome::pending) return;
  ++settled_;
  item.settled_at = now;
  item.returns = false;
  item.outcome = item.may_repeat && !is_delivered ? ReceiptOutcome::unknown : run.outcome;
  item.reason = run.reason;
  item.delivered = run.delivered;
  item.is_partial = run.is_partial;
}

void ReceiptWindow::lose(Item& item, bool returns, base::Nanos now) noexcept {
  item.may_repeat = true;
  item.returns = returns;
  if (item.outcome != ReceiptOutcome::pending) return;
  item.outcome = ReceiptOutcome::unknown;
  item.delivered = 0;
  item.settled_at = now;
  ++settled_;
}

void ReceiptWindow::lose_node(std::uint64_t sent_seq, std::uint64_t kept_seq, base::Nanos now) {
  for (std::size_t place = 0; place < items_.count(); ++place) {
    Item& item = items_.at(place);
    if (item.seq > sent_seq) return;
    if (item.outcome == ReceiptOutcome::pending || item.outcome == ReceiptOutcome::unknown)
      lose(item, item.seq >= kept_seq, now);
  }
}

void ReceiptWindow::meet_node(std::uint64_t accepted_seq, std::uint64_t sent_seq, base::Nanos now) {
  for (std::size_t place = 0; place < items_.count(); ++place) {
    Item& item = items_.at(place);
    if (item.seq > std::max(accepted_seq, sent_seq)) return;
    const bool is_open = item.outcome == ReceiptOutcome::pending;
    if (item.seq > accepted_seq) {
      item.may_repeat = item.may_repeat || is_open;
    } else if (is_open || item.outcome == ReceiptOutcome::unknown) {
      lose(item, false, now);
    }
  }
}

Receipt ReceiptWindow::receipt_of(const Item& item) noexcept {
  Receipt receipt;
  receipt.outcome = item.outcome;
  if (item.outcome == ReceiptOutcome::dropped) receipt.reason = item.reason;
  if (item.outcome == ReceiptOutcome::delivered) {
    receipt.delivered_count = item.delivered;
    receipt.is_partial = item.is_partial;
  }
  return receipt;
}

Receipt ReceiptWindow::find(std::uint64_t seq) noexcept {
  const Item* item = item_of(seq);
  return item == nullptr ? Receipt{} : receipt_of(*item);
}

Receipt ReceiptWindow::retry(std::uint64_t seq) noexcept {
  Item* item = item_of(seq);
  if (item == nullptr) return {};
  if (item->outcome == ReceiptOutcome::unknown && item->delivered > 0) {
    item->outcome = ReceiptOutcome::delivered;
  } else if (item->outcome == ReceiptOutcome::unknown && item->returns) {
    item->outcome = ReceiptOutcome::pending;
    --settled_;
  }
  return receipt_of(*item);
}

}  // namespace abuzz::client
