#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bus/delivery/records.hpp"

// A fault in the switch, for the library of a node that must not pass an audit: this file is linked
// into a second library (planted/), of the same parts, in which Switch::offer is wrapped. It is
// built for tests and never installed.
//
//   ABUZZ_TEST_FAULT         discard: a batch that matched is not queued; double: it is, twice
//   ABUZZ_TEST_FAULT_ONE_IN  of so many batches and subscriptions one
//   ABUZZ_TEST_FAULT_FILE    gets a line for each

namespace abuzz::delivery {

// Switch::offer as it is, and as it is called. A member function takes its object first.
void offer_in_truth(
    void* deliveries, Pair& pair, Routed& routed, std::uint32_t first,
    std::uint32_t
        count) __asm__("__real__ZN5abuzz8delivery6Switch5offerERNS0_4PairERNS0_6RoutedEjj");
void offer_with_a_fault(
    void* deliveries, Pair& pair, Routed& routed, std::uint32_t first,
    std::uint32_t
        count) __asm__("__wrap__ZN5abuzz8delivery6Switch5offerERNS0_4PairERNS0_6RoutedEjj");

namespace {

struct Fault {
  bool doubles = false;
  std::uint64_t one_in = 0;  // 0: none
  std::FILE* file = nullptr;
};

Fault read_fault() {
  const char* kind = std::getenv("ABUZZ_TEST_FAULT");
  const char* one_in = std::getenv("ABUZZ_TEST_FAULT_ONE_IN");
  const char* path = std::getenv("ABUZZ_TEST_FAULT_FILE");
  if (kind == nullptr || one_in == nullptr || path == nullptr) return {};
  return {std::string_view(kind) == "double", std::strtoull(one_in, nullptr, 10),
          std::fopen(path, "a")};
}

}  // namespace

// On the thread of the one shard.
void offer_with_a_fault(void* deliveries, Pair& pair, Routed& routed, std::uint32_t first,
                        std::uint32_t count) {
  static const Fault fault = read_fault();
  static std::uint64_t offered = 0;
  const bool is_meant = fault.file != nullptr && !routed.is_train && ++offered % fault.one_in == 0;
  if (!is_meant) return offer_in_truth(deliveries, pair, routed, first, count);
  std::fprintf(fault.file, "%llu\n", static_cast<unsigned long long>(offered));
  std::fflush(fault.file);
  if (!fault.doubles) return;
  offer_in_truth(deliveries, pair, routed, first, count);
  offer_in_truth(deliveries, pair, routed, first, count);
}

}  // namespace abuzz::delivery
