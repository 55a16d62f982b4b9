#pragma once

#include <string>

#include "bus/stats.hpp"

// Who is behind a publication or a subscription of a node's file: it stands in the row, so that
// it is known also when the agent has left, or has lost its link for a moment.

namespace abuzz::tools {

// A subscription that belongs to no agent: what publishers see of a group.
bool is_group_row(const RowSnapshot& row) noexcept;
// A publication whose publisher has left: nothing comes any more, but some of it is on its way.
bool has_left(const RowSnapshot& publication) noexcept;
// "billing"; "group workers", or "the responders"; "the node", which publishes too.
std::string owner_of(const RowSnapshot& row);
// "agent billing", "group workers", "the node"
std::string owner_title(const RowSnapshot& row);

}  // namespace abuzz::tools
