#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/path_miss.hpp"
#include "tools/path_watch.hpp"

// Of path.cpp: groups, which live while some member does.

namespace abuzz::tools {

// "1 message waits for it"
std::string wait_for(std::uint64_t count, const std::string& whom);

class PathGroups {
 public:
  // All of it outlives this object.
  PathGroups(const StatsSnapshot& node, const PathWatch& watch, const PathMiss& miss)
      : node_(node), watch_(watch), miss_(miss) {}

  std::vector<const RowSnapshot*> members_of(const RowSnapshot& group) const;
  // Why the group does nothing at all; `none`: some member does.
  Finding look_at(const RowSnapshot& group) const;
  // Who stands still has what was dealt to it, though the others go on: says so in `found`.
  void name_who_stands(const RowSnapshot& group, Finding& found) const;

 private:
  Finding look_at_member(const RowSnapshot& member) const;
  Finding without_member(const RowSnapshot& group) const;

  const StatsSnapshot& node_;
  const PathWatch& watch_;
  const PathMiss& miss_;
};

}  // namespace abuzz::tools
