#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "bus/delivery/records.hpp"

namespace abuzz::delivery {

// Reuses Routed records: it grows while the switch warms up and allocates nothing after that.
// One thread.
class RoutedStore {
 public:
  Routed& acquire() {
    if (free_.empty()) grow();
    Routed* routed = free_.back();
    free_.pop_back();
    return *routed;
  }
  void release(Routed& routed) {
    Coverage handled = std::move(routed.handled);  // for their memory
    Losses losses = std::move(routed.losses);
    handled.clear();
    losses.clear();
    routed = Routed{};
    routed.handled = std::move(handled);
    routed.losses = std::move(losses);
    free_.push_back(&routed);
  }
  std::size_t out() const noexcept { return blocks_.size() * per_block - free_.size(); }

 private:
  static constexpr std::size_t per_block = 256;
  void grow() {
    blocks_.push_back(std::make_unique<Routed[]>(per_block));
    free_.reserve(blocks_.size() * per_block);
    for (std::size_t index = 0; index < per_block; ++index) free_.push_back(&blocks_.back()[index]);
  }

  std::vector<std::unique_ptr<Routed[]>> blocks_;
  std::vector<Routed*> free_;
};

}  // namespace abuzz::delivery
