#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/json_writer.hpp"
#include "tools/ledger.hpp"

// Which publishers wait now for a lossless subscription, and for whose. A pure function of the
// counters.

namespace abuzz::tools {

struct Hold {
  std::string topic, publisher;
  std::string holder;        // "billing", "group workers"
  std::string title;         // "agent billing", "group workers"
  std::string pattern;       // of the holder's subscription
  std::uint64_t staged = 0;  // messages that wait with the publisher
};
std::vector<Hold> find_holds(const Counters& counters);

// Whether some publisher may wait: without it nothing has to be read of agents.
bool may_hold(const StatsSnapshot& node);
// "publisher shop is held by agent billing (orders.*): 12 messages wait with it"
std::string describe(const Hold& hold);
// An object.
void write_hold(JsonWriter& json, const Hold& hold);

}  // namespace abuzz::tools
