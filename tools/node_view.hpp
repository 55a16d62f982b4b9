#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/stats.hpp"
#include "tools/reasons.hpp"

// What the rows of a node's counter file mean to people: agents, topics and subscriptions. A pure
// function of the snapshot, so that it is tested without a node.

namespace abuzz::tools {

struct AgentView {
  std::uint64_t id = 0;
  std::string name, kind, description;
  std::uint32_t pid = 0;
  PeerState state = PeerState::none;
  bool is_responsive = false, is_progressing = false;
  std::uint64_t unsettled = 0;  // queued, and sent but not handled
  std::uint64_t in = 0;         // messages that the node took from it
  std::uint64_t out = 0;        // messages that the node sent to it
  std::uint64_t queued = 0;     // at the node, for it
  std::uint64_t publications = 0, subscriptions = 0;
  const RowSnapshot* row = nullptr;  // into the snapshot, as all rows below
};

struct TopicView {
  std::string topic;
  std::uint64_t publishers = 0;
  std::uint64_t subscriptions = 0;  // that match now
  std::uint64_t messages = 0;       // accepted by the node
  std::uint64_t delivered = 0;      // to at least one
  std::uint64_t no_subscriber = 0;
  std::uint64_t queued = 0;  // for subscriptions, or on the way to them
  Reasons dropped, unknown;  // by pair of publication and subscription
  std::vector<const RowSnapshot*> rows;
};

struct SubscriptionView {
  std::string agent, pattern;  // without an agent: the group itself
  std::string group;           // empty: none
  std::uint64_t agent_id = 0;
  std::string policy;
  std::uint64_t queued = 0, sent = 0, done = 0;
  std::uint64_t publications = 0;
  std::uint64_t members = 0;  // of the group itself
  std::uint64_t leased = 0;   // of a group or its member
  std::uint64_t redelivered = 0, lapsed = 0;
  Reasons dropped, unknown;
  const RowSnapshot* row = nullptr;
  bool is_group() const noexcept { return agent.empty() && !group.empty(); }
};

struct NodeView {
  std::vector<AgentView> agents;
  std::vector<TopicView> topics;                // by name
  std::vector<SubscriptionView> subscriptions;  // by pattern, then agent
};
NodeView view_node(const StatsSnapshot& stats);

// How long the process of the snapshot has been running.
std::chrono::seconds age_of_process(const StatsSnapshot& stats);

}  // namespace abuzz::tools
