#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/link/door.hpp"
#include "bus/node/shard_mail.hpp"

namespace abuzz::node {

enum class GuestState : std::uint8_t {
  announced,  // the shard was told; it has not yet confirmed that it expects the link
  welcomed,   // the agent has its welcome; its link is not up yet
  live,       // the link was up
  stalled,    // the agent shows no sign of life, its door is open
  lost,       // its link lost frames: it was hung up on, and is to come back
};

// One session of one agent, from its hello until it is ended. It may have several links, one after
// the other.
struct Guest {
  SessionId id = 0;  // that of its first link
  SessionId link = 0;
  std::uint32_t shard = 0;
  // While it moves: the link that is to be the next, and its shard. 0: it does not.
  SessionId next_link = 0;
  std::uint32_t next_shard = 0;
  std::uint8_t version = 0;  // of the wire
  base::Nanos moved_at = 0;  // last; 0: never
  std::uint64_t work = 0;    // in the sample that is being taken
  link::CallerId caller = 0;
  std::uint64_t agent_id = 0;
  std::uint32_t session_epoch = 0;
  std::string name;
  std::uint32_t pid = 0;
  GuestState state = GuestState::announced;
  base::Nanos state_since = 0;
  std::vector<std::byte> welcome;  // until it is sent
  bool has_beat = false;           // its counter file is open
  std::uint64_t beat = 0;          // as last read
  base::Nanos beat_seen = 0;       // when it was last seen to change
};

// The sessions of a node, found by each of their names. In the order in which they came, so that a
// simulation repeats. Threads: one, reception's.
class GuestList {
 public:
  // Requires: none of its names is on the list.
  Guest& add(Guest&& guest);
  void remove(SessionId id);

  // Its next link is known from now on, too.
  void expect_link(Guest& guest, SessionId next);
  // The next link is up, and the one before forgotten; or, where it is not to come, the other way.
  void take_next_link(Guest& guest);
  void drop_next_link(Guest& guest);

  Guest* find(SessionId id);
  Guest* find_link(SessionId link);
  Guest* find_caller(link::CallerId caller);
  const Guest* find_name(const std::string& name) const;
  const Guest* find_agent(std::uint64_t agent_id) const;

  std::size_t count() const noexcept { return guests_.size(); }
  // For walks during which sessions may end; valid until the next call. Allocates only to grow: a
  // node looks at beats all the time.
  const std::vector<SessionId>& ids();
  const std::map<SessionId, Guest>& guests() const noexcept { return guests_; }

 private:
  std::map<SessionId, Guest> guests_;
  std::vector<SessionId> ids_;
  std::unordered_map<SessionId, SessionId> by_link_;
  std::unordered_map<link::CallerId, SessionId> by_caller_;
  std::unordered_map<std::string, SessionId> by_name_;
  std::unordered_map<std::uint64_t, SessionId> by_agent_;
};

}  // namespace abuzz::node
