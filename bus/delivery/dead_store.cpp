#include "bus/delivery/dead_store.hpp"

#include <utility>

namespace abuzz::delivery {

void DeadStore::drop_oldest(Kept& kept) noexcept {
  const std::uint64_t bytes = kept.letters.front().slice.block_bytes();
  kept.letters.pop_front();
  kept.bytes -= bytes;
  bytes_ -= bytes;
  --count_;
}

DeadStore::Kept& DeadStore::oldest_topic() noexcept {
  auto oldest = topics_.begin();
  for (auto topic = topics_.begin(); topic != topics_.end(); ++topic)
    if (topic->second.letters.front().id < oldest->second.letters.front().id) oldest = topic;
  return oldest->second;
}

std::size_t DeadStore::add(const std::string& topic, Letter&& letter) {
  const std::size_t before = count_;
  const std::uint64_t bytes = letter.slice.block_bytes();
  Kept& own = topics_[topic];
  own.letters.push_back(std::move(letter));
  own.bytes += bytes;
  bytes_ += bytes;
  ++count_;
  while (own.letters.size() > letters_max || (own.bytes > bytes_max && own.letters.size() > 1))
    drop_oldest(own);
  while (topics_.size() > topics_max || (bytes_ > bytes_all_max_ && count_ > 1)) {
    (void)forget_oldest();
  }
  return before + 1 - count_;
}

bool DeadStore::forget_oldest() noexcept {
  if (topics_.empty()) return false;
  drop_oldest(oldest_topic());
  std::erase_if(topics_, [](const auto& item) { return item.second.letters.empty(); });
  return true;
}

const std::deque<DeadStore::Letter>* DeadStore::letters(const std::string& topic) const noexcept {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &found->second.letters;
}

}  // namespace abuzz::delivery
