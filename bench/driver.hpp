#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "bench/role.hpp"

// How one process of a run uses its system. The roles (publisher, subscriber, pinger, ponger) are
// written once, over this; a system is a driver and, where it has one, a server. Nothing of bus/
// stands here.

namespace abuzz::bench {

// The channels of a role: where it sends, where it receives; empty: nowhere.
struct Ends {
  std::string out, in;
};
Ends ends_of(const RoleOptions& options);

// One process's connection to a system.
//
// Threads: the caller's, one; the sink may run on a thread of the system's library, and may send.
// After close_input no sink runs.
class Driver {
 public:
  // Called once for each message that arrives.
  using Sink = std::function<void(std::span<const std::byte>)>;

  virtual ~Driver() = default;
  // Joins. After it, nothing that another process sends is missed. False: see fault().
  virtual bool open(const Sink& sink) = 0;
  // Takes one message; waits while there is no room. False: it was not taken; see fault().
  virtual bool send(std::span<const std::byte> payload) = 0;
  // Lets go of what the system gathers before it sends: called when nothing more is due for now.
  virtual bool flush() { return true; }
  // Nothing more will be sent; returns when everything has left this process.
  virtual bool finish_sending() { return flush(); }
  // Lets messages reach the sink; returns after some of them, or after the patience. False: the
  // connection is lost.
  virtual bool receive(std::int64_t patience_ns) = 0;
  virtual void close_input() {}
  // Messages that the sink has returned from.
  virtual std::uint64_t taken() const noexcept = 0;
  // Sends that found no room at once, where the system says so.
  virtual std::uint64_t refusals() const noexcept { return 0; }
  // The link that is really used, where the system can tell.
  virtual std::string link() { return {}; }
  // What somebody who doubts the figures should know; after everything was sent.
  virtual std::string remark() { return {}; }
  const std::string& fault() const noexcept { return fault_; }

 protected:
  bool fail(std::string text) {
    fault_ = std::move(text);
    return false;
  }

 private:
  std::string fault_;
};

}  // namespace abuzz::bench
