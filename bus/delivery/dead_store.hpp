#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/mem/buffer.hpp"

namespace abuzz::delivery {

// The dead letters that a node keeps, by topic ($dead.TOPIC): sealed batches of one message each,
// with consecutive sequences of the stream of that topic. Who subscribes later gets them first.
//
// Bounded: letters_max and bytes_max a topic, topics_max topics, bytes_all_max in all. The oldest
// letter makes room, of the same topic where its own bound is passed. One thread.
class DeadStore {
 public:
  static constexpr std::size_t letters_max = 1000;
  static constexpr std::size_t bytes_max = 8 * base::mib;
  static constexpr std::size_t topics_max = 256;

  struct Letter {
    mem::Buffer slice;
    std::uint64_t seq = 0;
    std::uint64_t id = 0;  // rises over all topics
  };

  explicit DeadStore(std::uint64_t bytes_all_max) noexcept : bytes_all_max_(bytes_all_max) {}

  // Returns how many letters had to make room.
  std::size_t add(const std::string& topic, Letter&& letter);
  // The oldest of all gives its memory back. False when nothing is kept.
  bool forget_oldest() noexcept;
  // In order of their sequence; nullptr for none.
  const std::deque<Letter>* letters(const std::string& topic) const noexcept;
  template <class Visit>
  void for_each_topic(Visit&& visit) const {
    for (const auto& [topic, kept] : topics_) visit(topic, kept.letters);
  }
  std::size_t count() const noexcept { return count_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Kept {
    std::deque<Letter> letters;
    std::uint64_t bytes = 0;
  };
  void drop_oldest(Kept& kept) noexcept;
  Kept& oldest_topic() noexcept;

  const std::uint64_t bytes_all_max_;
  std::map<std::string, Kept> topics_;  // without empty ones
  std::size_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace abuzz::delivery
