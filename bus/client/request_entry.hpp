#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "bus/client/request_desk.hpp"

namespace abuzz::client {

// What a desk knows of one request.
struct RequestDesk::Entry {
  Entry(RequestState::Limits limits, base::Nanos now) noexcept : state(limits, now) {}

  RequestState state;
  std::uint64_t correlation = 0;
  std::shared_ptr<Route> route;
  std::uint64_t responder = 0;  // agent id of who replied first
  std::uint32_t responder_publisher = 0;
  std::deque<Reply> waiting;  // for its owner
  std::size_t kept_bytes = 0;
  std::uint64_t parts_taken = 0;  // by its owner
  std::uint64_t parts_told = 0;   // of them, when the responder was last told to go on
  std::string failure_text;
  std::uint64_t sequence = 0;  // in its publication
  bool end_given = false;      // the end was taken, or waits to be
  bool is_dropped = false;     // its owner is gone
};

}  // namespace abuzz::client
