#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/stats.hpp"

namespace abuzz::tools {

// Why messages did not arrive, each with its count; only reasons that happened. The names are
// literals.
using Reasons = std::vector<std::pair<std::string_view, std::uint64_t>>;

// Adds to the reason of this name. Nothing for a count of 0.
void add_reason(Reasons& reasons, std::string_view name, std::uint64_t count);
void add_reasons(Reasons& reasons, const Reasons& more);
std::uint64_t total(const Reasons& reasons);
// "0", or "12 queue full, 3 peer gone".
std::string describe(const Reasons& reasons);

// Of a row of the kind pair, topic or subscription: what was dropped, and of what nobody knows.
Reasons dropped_of(const RowSnapshot& row);
Reasons unknown_of(const RowSnapshot& row);
// Of a row of the kind publication, pair or topic: what its publisher gave up before it was sent.
Reasons voided_of(const RowSnapshot& row);
// Of a row of the kind topic: the same, as its pairs count it.
Reasons voided_pairs_of(const RowSnapshot& topic);

}  // namespace abuzz::tools
