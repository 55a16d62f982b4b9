#pragma once

#include <map>
#include <utility>
#include <vector>

#include "bus/client/work_pool.hpp"

namespace abuzz::client::test {

// Threads that are not there: the test acts in their place, when and in which order it likes.
class FakeHost final : public WorkerHost {
 public:
  explicit FakeHost(std::vector<std::uint32_t> caches) : caches_(std::move(caches)) {}
  PoolPlan plan() override { return {caches_}; }
  bool start_worker(std::size_t place) override {
    if (refuses) return false;
    started.push_back(place);
    return true;
  }
  base::Nanos cpu_time(std::size_t place) override { return cpu[place]; }

  bool refuses = false;
  std::vector<std::size_t> started;
  std::map<std::size_t, base::Nanos> cpu;

 private:
  const std::vector<std::uint32_t> caches_;
};

}  // namespace abuzz::client::test
