#pragma once

#include <string>
#include <vector>

#include "tools/path_watch.hpp"

// Of path.cpp: why a topic has an end too few. Nobody subscribes it any more, or not here, or
// nearly; nobody publishes it, or not here.

namespace abuzz::tools {

class PathMiss {
 public:
  // All of it outlives this object. `others`: subscriptions that do not match.
  PathMiss(const Question& question, const PathWatch& watch,
           const std::vector<Elsewhere>& elsewhere, const std::vector<const RowSnapshot*>& others);

  // No subscription matches; never `none`.
  Finding explain_no_subscription() const;
  // The latest agent that is gone without a goodbye and subscribed this pattern; empty: none.
  std::string describe_departed(const std::string& pattern) const;
  // Nobody publishes it who was asked for; `none`: nobody in particular was asked for, and nobody
  // publishes it elsewhere. `publisher`: named where there is one elsewhere.
  Finding explain_no_publisher(const std::vector<std::string_view>& topics_of_from,
                               PathEnd& publisher) const;
  // Others subscribe, but these did too, and were lost not long ago; nobody of `subscriptions` has
  // taken their place.
  std::vector<Path> find_lost(const std::vector<const RowSnapshot*>& subscriptions) const;

 private:
  bool is_lost(const DepartedLedger& departed) const;
  template <class Predicate>
  const DepartedLedger* latest_departed(Predicate&& predicate) const;
  Finding find_departed() const;
  Finding find_elsewhere() const;
  Finding find_near_miss() const;
  Finding find_responder() const;
  const RowSnapshot* find_agent(const std::string& name) const;
  std::string nearest_agent(const std::string& name) const;

  const Question& question_;
  const PathWatch& watch_;
  const std::vector<Elsewhere>& elsewhere_;
  const std::vector<const RowSnapshot*>& others_;
};

}  // namespace abuzz::tools
