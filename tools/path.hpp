#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/topic.hpp"
#include "tools/ledger.hpp"

// The path of a message from a publisher to a subscription, and the first link of it that is
// broken. Pure functions of two readings of the counter files and of what the processes do.

namespace abuzz::tools {

enum class Cause : std::uint8_t {
  none,                // the path is whole now, whatever was lost before
  node_stopped,        // the node's process is stopped (SIGSTOP)
  no_publisher,        // the agent that was asked for does not publish it
  publisher_stopped,   // its process is stopped (SIGSTOP)
  no_match,            // no subscription matches
  only_responders,     // none matches, but requests there are replied to
  near_miss,           // none matches, but one nearly does
  other_directory,     // who would match, or publish it, is on the bus of another directory
  reserved_topic,      // no agent may publish it
  subscriber_gone,     // the one that matched has ended without a goodbye
  stalled_out,         // the one that matched stood still past its stall limit
  session_stalled,     // publisher or subscriber shows no sign of life, or has lost its link
  subscriber_stopped,  // its process is stopped (SIGSTOP)
  lossless_hold,       // another subscription holds the publisher
  queue_full,          // the queue drops messages
  conflated,           // the queue keeps only the latest
  slow_handler,        // messages wait, and the handler does not keep up
  expired,             // the time to live is over before it gets them
  refused,             // the subscriber cannot use what it gets
  dead_lettered,       // no member of the group could handle it, and it is kept as a dead letter
  no_member,           // the group has no member now
};
std::string_view cause_name(Cause cause) noexcept;  // "near_miss"

struct PathEnd {
  std::string agent;      // empty: there is none, or several that have left
  std::uint64_t pid = 0;  // 0: not known
  bool has_left = false;  // a publisher whose messages are still on their way
};

struct Path {
  PathEnd publisher, subscriber;
  std::string pattern;  // empty: no subscription
  Cause cause = Cause::none;
  std::string text;  // what is broken, or what arrived: one line
  // Who nearly matches, or what was lost before: one line, or empty.
  std::string detail;
  std::string advice;  // what to do; empty when whole
  std::uint64_t delivered = 0, waiting = 0;
};

struct Question {
  std::string topic;     // of a request: with request_prefix
  std::string from, to;  // names of agents; empty: any
  bool is_request() const noexcept { return is_about_requests(topic); }
  std::string_view asked_topic() const noexcept {
    return std::string_view(topic).substr(is_request() ? request_prefix.size() : 0);
  }
};

// An end of the path that is on another bus.
struct Elsewhere {
  std::string directory, agent;
  std::string pattern;  // that matches the topic; empty: it publishes the topic
  bool is_group = false;
};

struct Answer {
  std::vector<Path> paths;    // broken ones first
  bool has_publisher = true;  // one that is here now
  bool is_broken() const noexcept { return !paths.empty() && paths.front().cause != Cause::none; }
};

struct ProcessLook {
  bool is_alive = true;
  bool is_stopped = false;
};
using LookAtProcess = std::function<ProcessLook(std::uint32_t pid, std::uint64_t start_ticks)>;

// `earlier` and `later`: a few hundred milliseconds apart, so that who does not move is seen.
// `elsewhere` matters only where an end is missing here: see is_end_missing().
// Requires: the topic was checked, and is not reserved, or is that of a request.
Answer explain_path(const Question& question, const Counters& earlier, const Counters& later,
                    const LookAtProcess& look, const std::vector<Elsewhere>& elsewhere = {});
// Nobody publishes the topic, or no subscription matches it.
bool is_end_missing(const Answer& answer) noexcept;
// Of a topic that begins with '$': nothing has to be looked at.
Answer explain_reserved();

}  // namespace abuzz::tools
