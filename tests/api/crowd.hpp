#pragma once

#include <atomic>

namespace abuzz {

// How many handlers are inside at once, at most.
class Crowd {
 public:
  void enter() {
    const int now = ++inside_;
    int most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void leave() { --inside_; }
  int most() const { return most_; }

 private:
  std::atomic<int> inside_{0}, most_{0};
};

}  // namespace abuzz
