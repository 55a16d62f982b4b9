#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bus/config.hpp"
#include "bus/mem/pool.hpp"

// How many buffers of which size a process may hold. What is there at the start (count_initial) is
// a sum over the holders, term by term in budget.cpp; it is address space, and becomes memory where
// it is used. What a class may grow to (count_max) is its share of a budget in bytes. At the cap an
// acquire misses: a publisher is back-pressured, a link stops receiving, nothing is lost.

namespace abuzz::mem {

// What the pools of an agent's process may grow to. The windows of its links and the bounds of its
// subscriptions are met long before; it stops a process that retains messages without end.
inline constexpr std::uint64_t agent_budget_bytes = 256ull << 20;

// Requires: values inside the ranges of config.hpp. Ascending, at most 7 classes; the last one
// holds any frame, message or batch that the limits allow.
std::vector<SizeClass> agent_classes(const LimitsConfig& limits, const LinkConfig& link);
std::vector<SizeClass> node_classes(const NodeConfig& node, const LimitsConfig& limits,
                                    const LinkConfig& link);

// Bytes of all blocks at the start, and with every class at its cap. The latter stays within the
// budget, except that each of the two largest classes may always have one block.
std::uint64_t bytes_initial(std::span<const SizeClass> classes) noexcept;
std::uint64_t bytes_max(std::span<const SizeClass> classes) noexcept;

}  // namespace abuzz::mem
