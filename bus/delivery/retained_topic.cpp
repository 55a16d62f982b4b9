#include "bus/delivery/retained_topic.hpp"

#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::delivery {

namespace {

// What a message and a batch cost beside their bytes.
constexpr std::uint64_t unit_bytes = 128;
constexpr std::uint64_t batch_bytes = 256;

}  // namespace

std::uint64_t RetainedBatch::bytes() const noexcept {
  std::uint64_t sum = slice.block_bytes();
  for (const mem::Buffer& chunk : chunks) sum += chunk.block_bytes();
  return sum;
}

std::uint64_t RetainedBatch::charge() const noexcept {
  if ((envelope.flags & wire::batch_chunk) == 0) return wire::charged_bytes(envelope);
  return envelope.message_bytes + wire::chunk_overhead_bytes * envelope.chunk_count;
}

void RetainedTopic::raise(std::uint32_t messages_max) noexcept {
  messages_max_ = std::max(messages_max_, messages_max);
}

std::uint32_t RetainedTopic::hold(RetainedBatch&& batch) {
  std::uint32_t place = 0;
  if (free_batches_.empty()) {
    place = static_cast<std::uint32_t>(batches_.size());
    batches_.emplace_back();
  } else {
    place = free_batches_.back();
    free_batches_.pop_back();
  }
  Held& held = batches_[place];
  held.bytes = batch.bytes() + batch_bytes;
  held.batch = std::move(batch);
  held.order = next_order;
  held.units = 1;  // until all its messages stand
  bytes_ += held.bytes;
  if (held.batch.expires_at != 0) ++expiring_;
  return place;
}

// Puts one message in front of `before`, or at the end.
void RetainedTopic::add(std::uint32_t batch, std::uint32_t index, std::uint64_t key,
                        std::uint32_t before) {
  std::uint32_t place = 0;
  if (free_units_.empty()) {
    place = static_cast<std::uint32_t>(units_.size());
    units_.emplace_back();
  } else {
    place = free_units_.back();
    free_units_.pop_back();
  }
  Unit& unit = units_[place];
  unit = Unit{};
  unit.batch = batch;
  unit.index = index;
  unit.key = key;
  unit.newer = before;
  unit.older = before == none ? newest_ : units_[before].older;
  (unit.older == none ? oldest_ : units_[unit.older].newer) = place;
  (before == none ? newest_ : units_[before].older) = place;
  ++batches_[batch].units;
  ++messages_;
  bytes_ += unit_bytes;
  link_key(place, before);
}

// The same in the list of its key: in front of the first message of the key that is newer.
void RetainedTopic::link_key(std::uint32_t place, std::uint32_t before) {
  Unit& unit = units_[place];
  Key& key = keys_[unit.key];
  std::uint32_t newer = before;
  while (newer != none && units_[newer].key != unit.key) newer = units_[newer].newer;
  unit.key_newer = newer;
  unit.key_older = newer == none ? key.newest : units_[newer].key_older;
  (unit.key_older == none ? key.oldest : units_[unit.key_older].key_newer) = place;
  (newer == none ? key.newest : units_[newer].key_older) = place;
  ++key.count;
}

void RetainedTopic::remove(std::uint32_t place) {
  const Unit unit = units_[place];
  (unit.older == none ? oldest_ : units_[unit.older].newer) = unit.newer;
  (unit.newer == none ? newest_ : units_[unit.newer].older) = unit.older;
  const auto found = keys_.find(unit.key);
  ABUZZ_CHECK(found != keys_.end());
  Key& key = found->second;
  (unit.key_older == none ? key.oldest : units_[unit.key_older].key_newer) = unit.key_newer;
  (unit.key_newer == none ? key.newest : units_[unit.key_newer].key_older) = unit.key_older;
  if (--key.count == 0) keys_.erase(found);
  free_units_.push_back(place);
  --messages_;
  bytes_ -= unit_bytes;
  if (--batches_[unit.batch].units == 0) free(unit.batch);
}

const RetainedBatch* RetainedTopic::keep(RetainedBatch&& batch, std::uint32_t first,
                                         std::uint32_t count, std::span<const std::uint64_t> keys) {
  if (count == 0 || messages_max_ == 0) return nullptr;
  totals_.kept += count;
  std::uint32_t skipped = 0;
  if (keys.empty() && count > messages_max_) skipped = count - messages_max_;
  totals_.replaced += skipped;
  const std::uint32_t place = hold(std::move(batch));
  for (std::uint32_t offset = skipped; offset < count; ++offset) {
    const std::uint64_t key = keys.empty() ? 0 : keys[offset];
    add(place, first + offset, key, none);
    const Key& same = keys_[key];
    if (same.count <= messages_max_) continue;
    remove(same.oldest);
    ++totals_.replaced;
  }
  return settle(place);
}

// All its messages stand.
const RetainedBatch* RetainedTopic::settle(std::uint32_t place) {
  Held& held = batches_[place];
  if (--held.units == 0) free(place);
  evict_to_bound();
  return held.units > 0 ? &held.batch : nullptr;
}

void RetainedTopic::free(std::uint32_t place) {
  Held& held = batches_[place];
  bytes_ -= held.bytes;
  if (held.batch.expires_at != 0) --expiring_;
  held = Held{};
  free_batches_.push_back(place);
}

// The oldest of what was sent later; none: it is the newest.
std::uint32_t RetainedTopic::place_of(std::int64_t send_time_ns) const noexcept {
  std::uint32_t place = none;
  for (std::uint32_t at = newest_; at != none; at = units_[at].older) {
    if (batches_[units_[at].batch].batch.envelope.send_time_ns <= send_time_ns) break;
    place = at;
  }
  return place;
}

const RetainedBatch* RetainedTopic::restore(RetainedBatch&& batch, std::uint32_t first,
                                            std::uint32_t count,
                                            std::span<const std::uint64_t> keys) {
  if (count == 0 || messages_max_ == 0) return nullptr;
  totals_.kept += count;
  const std::uint32_t before = place_of(batch.envelope.send_time_ns);
  const std::uint32_t place = hold(std::move(batch));
  for (std::uint32_t offset = 0; offset < count; ++offset)
    add(place, first + offset, keys.empty() ? 0 : keys[offset], before);
  // Only now: what is removed may be what the others stand in front of.
  for (std::uint32_t offset = 0; offset < count; ++offset) {
    const auto same = keys_.find(keys.empty() ? 0 : keys[offset]);
    while (same != keys_.end() && same->second.count > messages_max_) {
      remove(same->second.oldest);
      ++totals_.replaced;
    }
  }
  return settle(place);
}

void RetainedTopic::evict_oldest() {
  remove(oldest_);
  ++totals_.evicted;
}

void RetainedTopic::evict_to_bound() {
  while (bytes_ > bytes_max_ && oldest_ != none) evict_oldest();
}

void RetainedTopic::expire(base::Nanos now) {
  if (expiring_ == 0) return;
  for (std::uint32_t at = oldest_; at != none;) {
    const std::uint32_t newer = units_[at].newer;
    if (batches_[units_[at].batch].batch.is_expired(now)) {
      remove(at);
      ++totals_.expired;
    }
    at = newer;
  }
}

void RetainedTopic::collect(std::vector<RetainedPiece>& pieces, base::Nanos now) const {
  const std::size_t begun = pieces.size();
  for (std::uint32_t at = oldest_; at != none; at = units_[at].newer) {
    const Unit& unit = units_[at];
    const RetainedBatch& batch = batches_[unit.batch].batch;
    if (batch.is_expired(now)) continue;
    if (pieces.size() > begun) {
      RetainedPiece& last = pieces.back();
      if (last.batch == &batch && last.key == unit.key && last.first + last.count == unit.index) {
        ++last.count;
        continue;
      }
    }
    pieces.push_back({&batch, unit.index, 1, unit.key});
  }
}

RetainedPiece RetainedTopic::newest(std::uint64_t key, base::Nanos now) const {
  std::uint32_t at = newest_;
  if (key != 0) {
    const auto found = keys_.find(key);
    at = found == keys_.end() ? none : found->second.newest;
  }
  while (at != none && batches_[units_[at].batch].batch.is_expired(now))
    at = key != 0 ? units_[at].key_older : units_[at].older;
  if (at == none) return {};
  return {&batches_[units_[at].batch].batch, units_[at].index, 1, units_[at].key};
}

}  // namespace abuzz::delivery
