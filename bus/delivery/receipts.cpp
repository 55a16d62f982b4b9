#include "bus/delivery/receipts.hpp"

#include <algorithm>

#include "bus/base/check.hpp"

namespace abuzz::delivery {

// What was said of one message.
struct ReceiptBook::Fate {
  std::uint32_t silent = 0;  // subscriptions that have not spoken
  std::uint32_t delivered = 0;
  DropReason reason = DropReason::queue_full;  // the first one, if is_dropped
  bool is_dropped = false;
  bool is_unknown = false;
};

class ReceiptBook::Batch {
 public:
  std::uint64_t first_seq = 0;
  std::uint32_t open = 0;  // messages that are not settled
  std::vector<Fate> fates;
};

ReceiptBook::ReceiptBook() = default;
ReceiptBook::~ReceiptBook() = default;

ReceiptBook::Batch* ReceiptBook::open(std::uint64_t first_seq, std::uint32_t first,
                                      std::uint32_t count, std::uint32_t pairs) {
  if (first >= count) return nullptr;
  asked_ += count - first;
  if (pairs == 0) {
    wire::Receipt outcome;
    outcome.outcome = ReceiptOutcome::no_subscriber;
    for (std::uint32_t index = first; index < count; ++index) append(first_seq + index, outcome);
    return nullptr;
  }
  if (free_.empty()) {
    batches_.push_back(std::make_unique<Batch>());
    free_.push_back(batches_.back().get());
  }
  Batch* batch = free_.back();
  free_.pop_back();
  batch->first_seq = first_seq;
  batch->open = count - first;
  batch->fates.assign(count, Fate{});
  for (std::uint32_t index = first; index < count; ++index) batch->fates[index].silent = pairs;
  return batch;
}

ReceiptBook::Fate* ReceiptBook::fates_of(Batch* batch, std::uint32_t first,
                                         std::uint32_t count) noexcept {
  ABUZZ_CHECK(first + count <= batch->fates.size());
  return batch->fates.data() + first;
}

void ReceiptBook::delivered(Batch*& batch, std::uint32_t first, std::uint32_t count) {
  if (batch == nullptr || count == 0) return;
  Fate* fates = fates_of(batch, first, count);
  for (std::uint32_t index = 0; index < count; ++index) ++fates[index].delivered;
  finish(batch, first, count);
}

void ReceiptBook::dropped(Batch*& batch, std::uint32_t first, std::uint32_t count,
                          DropReason reason) {
  if (batch == nullptr || count == 0) return;
  Fate* fates = fates_of(batch, first, count);
  for (std::uint32_t index = 0; index < count; ++index) {
    if (fates[index].is_dropped) continue;
    fates[index].is_dropped = true;
    fates[index].reason = reason;
  }
  finish(batch, first, count);
}

void ReceiptBook::unknown(Batch*& batch, std::uint32_t first, std::uint32_t count) {
  if (batch == nullptr || count == 0) return;
  Fate* fates = fates_of(batch, first, count);
  for (std::uint32_t index = 0; index < count; ++index) fates[index].is_unknown = true;
  finish(batch, first, count);
}

// One subscription has spoken of these messages. Those that were accepted with an earlier batch
// have nobody that would speak.
void ReceiptBook::finish(Batch*& batch, std::uint32_t first, std::uint32_t count) {
  Fate* fates = fates_of(batch, first, count);
  for (std::uint32_t index = 0; index < count; ++index) {
    const Fate& fate = fates[index];
    if (fate.silent == 0 || --fates[index].silent > 0) continue;
    wire::Receipt outcome;
    if (fate.delivered > 0) {
      outcome.outcome = ReceiptOutcome::delivered;
      outcome.delivered = fate.delivered;
      outcome.is_partial = fate.is_dropped || fate.is_unknown;
    } else if (fate.is_unknown) {
      outcome.outcome = ReceiptOutcome::unknown;
    } else {
      outcome.outcome = ReceiptOutcome::dropped;
      outcome.reason = fate.reason;
    }
    append(batch->first_seq + first + index, outcome);
    --batch->open;
  }
  if (batch->open > 0) return;
  free_.push_back(batch);
  batch = nullptr;
}

// Messages in a row with one outcome share a receipt that was never told: one that was, also on a
// link that is lost, is what its number means for ever.
void ReceiptBook::append(std::uint64_t seq, const wire::Receipt& outcome) {
  ++settled_;
  if (has_untold() && log_.back().number > told_number_) {
    wire::Receipt& last = log_.back();
    if (last.first_seq + last.count == seq && last.outcome == outcome.outcome &&
        last.delivered == outcome.delivered && last.reason == outcome.reason &&
        last.is_partial == outcome.is_partial) {
      ++last.count;
      return;
    }
  }
  wire::Receipt run = outcome;
  run.first_seq = seq;
  run.count = 1;
  run.number = ++last_number_;
  log_.push_back(std::move(run));
}

const wire::Receipt* ReceiptBook::peek() noexcept {
  return has_untold() ? &log_.at(told_) : nullptr;
}

void ReceiptBook::mark_told() noexcept {
  told_number_ = std::max(told_number_, log_.at(told_).number);
  ++told_;
}

void ReceiptBook::confirm(std::uint64_t number) noexcept {
  while (told_ > 0 && log_.front().number <= number) {
    log_.pop_front();
    --told_;
  }
}

}  // namespace abuzz::delivery
