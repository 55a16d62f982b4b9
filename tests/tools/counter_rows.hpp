#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "bus/stats.hpp"

// Counter files made by hand.

namespace abuzz::tools {

inline RowSnapshot& add_row(StatsSnapshot& stats, RowKind kind,
                            std::initializer_list<std::uint64_t> ids, std::string text,
                            std::string text2 = {}, std::string text3 = {}) {
  RowSnapshot row;
  row.index = static_cast<std::uint32_t>(stats.rows.size());
  row.kind = kind;
  row.text = std::move(text);
  row.text2 = std::move(text2);
  row.text3 = std::move(text3);
  std::size_t i = 0;
  for (const std::uint64_t id : ids) row.ids[i++] = id;
  stats.rows.push_back(std::move(row));
  return stats.rows.back();
}

template <class Id>
void set(RowSnapshot& row, Id id, std::uint64_t value) {
  row.counters[static_cast<std::size_t>(id)] = value;
}

}  // namespace abuzz::tools
