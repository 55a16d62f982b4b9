#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bus/stats.hpp"
#include "tests/model/random_bus.hpp"
#include "tools/ledger.hpp"

namespace abuzz::testing {

// All counter files as `abuzz audit` would read them.
tools::Counters counters_of(RandomBus& bus);

// Compares what the real parts say at rest with each other and with the reference: reports of
// publishers and subscriptions, every row of the counter files, the ledger of `abuzz audit`.
class RestCheck {
 public:
  explicit RestCheck(RandomBus& bus) : bus_(bus) {}
  // `is_late`: it did not come to rest in the time that it had.
  void check(bool is_late);

 private:
  void check_ledger();
  void check_pub(const RandomActor& actor, RandomActor::Pub& pub);
  void check_sub(const RandomActor& actor, RandomActor::Sub& sub);
  void check_pair(const RowSnapshot& row);
  void describe_unrest();
  void complain(std::string what) { bus_.reference().complain("at rest: " + std::move(what)); }
  void expect(bool is_right, const std::string& what) {
    if (!is_right) complain(what);
  }

  RandomBus& bus_;
  tools::Counters counters_;
  std::map<std::uint64_t, const RowSnapshot*> rows_;  // of the node, by index
};

}  // namespace abuzz::testing
