#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/retained_topic.hpp"
#include "bus/stats.hpp"

namespace abuzz::delivery {

// What is retained of all topics: 8 MiB a topic, and so many bytes in all; what is oldest goes
// first, and is counted. A topic has a place here while it has publishers or something is kept.
//
// Threads: one. Ownership: `stats` outlives it; without one nothing is shown.
// Invariants: of each topic, of what has ended, and so of the sum, which is the row without a name:
//   kept = messages + replaced + evicted + expired
// Cost: keep() is that of RetainedTopic, and while the whole is at its bound a look at every topic
// for each few that go.
class RetainedStore {
 public:
  static constexpr std::uint64_t topic_bytes_max = 8 * base::mib;
  static constexpr std::uint32_t messages_max = 65'536;  // the largest wish
  static constexpr std::size_t rows_max = 256;           // topics with a row of their own

  RetainedStore(StatsFile* stats, std::uint64_t bytes_max);
  RetainedStore(const RetainedStore&) = delete;
  RetainedStore& operator=(const RetainedStore&) = delete;

  struct Topic {
    std::string name;
    RetainedTopic kept{topic_bytes_max};
    std::uint32_t publishers = 0;  // that joined and did not leave
    StatsRow* row = nullptr;
  };
  // Stable while somebody joined it, or it is not empty.
  Topic* find(std::string_view name) noexcept;
  // A publisher that wishes so many messages of each key to be kept, at most messages_max. 0: it
  // wishes nothing itself, but what it publishes on this topic is kept as well.
  Topic& join(std::string_view name, std::uint32_t messages);
  void leave(Topic& topic);

  // As those of RetainedTopic.
  const RetainedBatch* keep(Topic& topic, RetainedBatch&& batch, std::uint32_t first,
                            std::uint32_t count, std::span<const std::uint64_t> keys);
  const RetainedBatch* restore(Topic& topic, RetainedBatch&& batch, std::uint32_t first,
                               std::uint32_t count, std::span<const std::uint64_t> keys);
  void expire(base::Nanos now);
  // All of it goes, counted as evicted.
  void clear(Topic& topic);

  // Calls `use(topic, pieces)` for each topic that matches and has something, pieces oldest first.
  template <class Use>
  void for_each(std::string_view pattern, base::Nanos now, Use&& use);
  // The last value; hits and misses are counted. Its batch is nullptr for none.
  RetainedPiece get(std::string_view name, std::uint64_t key, base::Nanos now);

  bool is_empty() const noexcept { return messages_ == 0; }
  // Something will expire.
  bool is_expiring() const noexcept;
  std::uint64_t messages() const noexcept { return messages_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  bool matches(std::string_view pattern, const Topic& topic) const;
  void note_snapshot(Topic& topic, const std::vector<RetainedPiece>& pieces);
  // Around each change of a topic.
  void begin(const Topic& topic) noexcept;
  void end(Topic& topic) noexcept;
  void drop_if_unused(Topic& topic);
  void evict_to_bound();
  template <class Use>
  void change(Topic& topic, Use&& use) {
    begin(topic);
    use(topic.kept);
    end(topic);
  }

  StatsFile* const stats_;
  const std::uint64_t bytes_max_;
  StatsRow* sum_ = nullptr;
  std::unordered_map<std::string, std::unique_ptr<Topic>> topics_;
  std::vector<RetainedPiece> pieces_;  // scratch
  RetainedTopic::Totals before_;       // of the topic that is changed now
  std::uint64_t messages_before_ = 0, bytes_before_ = 0;
  std::uint64_t messages_ = 0, bytes_ = 0, next_order_ = 0;
  std::size_t rows_ = 0;
};

template <class Use>
void RetainedStore::for_each(std::string_view pattern, base::Nanos now, Use&& use) {
  for (auto& [name, topic] : topics_) {
    if (topic->kept.is_empty() || !matches(pattern, *topic)) continue;
    pieces_.clear();
    topic->kept.collect(pieces_, now);
    if (pieces_.empty()) continue;
    note_snapshot(*topic, pieces_);
    use(*topic, pieces_);
  }
}

}  // namespace abuzz::delivery
