#include "bus/delivery/retained_store.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "bus/topic.hpp"

namespace abuzz::delivery {

namespace {

using Counter = RetainedCounter;

}  // namespace

RetainedStore::RetainedStore(StatsFile* stats, std::uint64_t bytes_max)
    : stats_(stats), bytes_max_(bytes_max) {}

RetainedStore::Topic* RetainedStore::find(std::string_view name) noexcept {
  if (topics_.empty()) return nullptr;
  const auto found = topics_.find(std::string(name));
  return found == topics_.end() ? nullptr : found->second.get();
}

RetainedStore::Topic& RetainedStore::join(std::string_view name, std::uint32_t messages) {
  auto& slot = topics_[std::string(name)];
  if (!slot) {
    slot = std::make_unique<Topic>();
    slot->name = name;
    if (stats_ != nullptr && sum_ == nullptr) sum_ = stats_->add_row(RowKind::retained, {}, "");
    if (stats_ != nullptr && rows_ < rows_max)
      slot->row = stats_->add_row(RowKind::retained, {}, name);
    if (slot->row != nullptr) ++rows_;
  }
  ++slot->publishers;
  slot->kept.raise(messages);
  if (slot->row != nullptr) slot->row->set(Counter::messages_max, slot->kept.messages_max());
  return *slot;
}

void RetainedStore::leave(Topic& topic) {
  --topic.publishers;
  drop_if_unused(topic);
}

void RetainedStore::drop_if_unused(Topic& topic) {
  if (topic.publishers > 0 || !topic.kept.is_empty()) return;
  if (topic.row != nullptr) {
    stats_->remove_row(topic.row);
    --rows_;
  }
  topics_.erase(topics_.find(topic.name));
}

void RetainedStore::begin(const Topic& topic) noexcept {
  before_ = topic.kept.totals();
  messages_before_ = topic.kept.messages();
  bytes_before_ = topic.kept.bytes();
}

// Shows what has changed, in the topic's row and in the sum.
void RetainedStore::end(Topic& topic) noexcept {
  messages_ += topic.kept.messages() - messages_before_;
  bytes_ += topic.kept.bytes() - bytes_before_;
  const RetainedTopic::Totals& now = topic.kept.totals();
  const auto show = [&](StatsRow* row, std::uint64_t messages, std::uint64_t bytes) {
    if (row == nullptr) return;
    row->add(Counter::kept, now.kept - before_.kept);
    row->add(Counter::replaced, now.replaced - before_.replaced);
    row->add(Counter::evicted, now.evicted - before_.evicted);
    row->add(Counter::expired, now.expired - before_.expired);
    row->set(Counter::messages, messages);
    row->set(Counter::bytes, bytes);
  };
  show(topic.row, topic.kept.messages(), topic.kept.bytes());
  show(sum_, messages_, bytes_);
}

const RetainedBatch* RetainedStore::keep(Topic& topic, RetainedBatch&& batch, std::uint32_t first,
                                         std::uint32_t count, std::span<const std::uint64_t> keys) {
  const RetainedBatch* held = nullptr;
  change(topic, [&](RetainedTopic& kept) {
    kept.next_order = ++next_order_;
    held = kept.keep(std::move(batch), first, count, keys);
  });
  if (bytes_ > bytes_max_) evict_to_bound();
  return held;
}

const RetainedBatch* RetainedStore::restore(Topic& topic, RetainedBatch&& batch,
                                            std::uint32_t first, std::uint32_t count,
                                            std::span<const std::uint64_t> keys) {
  const RetainedBatch* held = nullptr;
  change(topic, [&](RetainedTopic& kept) {
    kept.next_order = ++next_order_;
    held = kept.restore(std::move(batch), first, count, keys);
  });
  if (bytes_ > bytes_max_) evict_to_bound();
  return held;
}

bool RetainedStore::is_expiring() const noexcept {
  return std::any_of(topics_.begin(), topics_.end(),
                     [](const auto& item) { return item.second->kept.is_expiring(); });
}

// The oldest of all goes, whichever topic it is of. Its topic stays: who keeps there is in the
// middle of it.
void RetainedStore::evict_to_bound() {
  while (bytes_ > bytes_max_ && messages_ > 0) {
    Topic* oldest = nullptr;
    std::uint64_t next = std::numeric_limits<std::uint64_t>::max();  // the oldest of the others
    for (auto& [name, topic] : topics_) {
      if (topic->kept.is_empty()) continue;
      if (oldest != nullptr && topic->kept.oldest_order() >= oldest->kept.oldest_order()) {
        next = std::min(next, topic->kept.oldest_order());
        continue;
      }
      if (oldest != nullptr) next = std::min(next, oldest->kept.oldest_order());
      oldest = topic.get();
    }
    change(*oldest, [&](RetainedTopic& kept) {
      std::uint64_t over = bytes_ - bytes_max_;
      while (over > 0 && !kept.is_empty() && kept.oldest_order() <= next) {
        const std::uint64_t before = kept.bytes();
        kept.evict_oldest();
        over -= std::min(over, before - kept.bytes());
      }
    });
  }
}

void RetainedStore::expire(base::Nanos now) {
  std::vector<Topic*> unused;
  for (auto& [name, topic] : topics_) {
    change(*topic, [&](RetainedTopic& kept) { kept.expire(now); });
    if (topic->publishers == 0 && topic->kept.is_empty()) unused.push_back(topic.get());
  }
  for (Topic* topic : unused) drop_if_unused(*topic);
}

void RetainedStore::clear(Topic& topic) {
  change(topic, [](RetainedTopic& kept) {
    while (!kept.is_empty()) kept.evict_oldest();
  });
}

bool RetainedStore::matches(std::string_view pattern, const Topic& topic) const {
  return abuzz::matches(pattern, topic.name);
}

void RetainedStore::note_snapshot(Topic& topic, const std::vector<RetainedPiece>& pieces) {
  for (StatsRow* row : {topic.row, sum_}) {
    if (row == nullptr) continue;
    row->add(Counter::snapshots);
    for (const RetainedPiece& piece : pieces) row->add(Counter::snapshot_messages, piece.count);
  }
}

RetainedPiece RetainedStore::get(std::string_view name, std::uint64_t key, base::Nanos now) {
  // A miss on a topic that nobody ever retained is one, too.
  if (stats_ != nullptr && sum_ == nullptr) sum_ = stats_->add_row(RowKind::retained, {}, "");
  Topic* topic = find(name);
  RetainedPiece found;
  if (topic != nullptr) found = topic->kept.newest(key, now);
  for (StatsRow* row : {topic == nullptr ? nullptr : topic->row, sum_})
    if (row != nullptr) row->add(found.batch != nullptr ? Counter::hits : Counter::misses);
  return found;
}

}  // namespace abuzz::delivery
