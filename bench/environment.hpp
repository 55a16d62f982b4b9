#pragma once

#include <cstdint>
#include <string>

namespace abuzz::bench {

// Where figures were measured; they mean nothing without it.
struct Environment {
  std::string version;    // "abuzz 0.1.0, libzmq 4.3.4"
  std::string processor;  // "Intel(R) Xeon(R) Processor"
  unsigned cores_allowed = 0;
  std::string quota;     // of the cgroup: "none" or "1.50 cores"
  std::string kernel;    // "Linux 6.18.44"
  std::string clock;     // "monotonic (tsc), read in 21 ns"
  std::string settings;  // of Abuzz, that are not the default; "default"
  // By how much a thread that sleeps on the idle machine, with exact timers, wakes too late.
  std::uint64_t hiccup_p50_ns = 0, hiccup_p999_ns = 0, hiccup_max_ns = 0;

  std::string line() const;  // all of it on one line
};

// What a stored file says of where it was counted: without what differs from run to run.
std::string fingerprint_of(const Environment& environment);

// Takes about a second.
Environment read_environment();

}  // namespace abuzz::bench
