#pragma once

#include <functional>

#include "bus/place/affinity.hpp"

namespace abuzz::place {

struct PinOutcome {
  int refused = 0;    // errno; 0: done
  Processors actual;  // read back: where the kernel lets it run
};

// Runs `body` on a thread of its own that may run on `processors` only, and waits for it. Threads
// that `body` starts inherit that, so no thread runs anywhere else before it is pinned, and no mask
// of a caller's thread is ever touched. What is refused runs where the kernel likes, and `body` is
// told. What it throws comes out here.
void run_on(const Processors& processors, const std::function<void(const PinOutcome&)>& body);

}  // namespace abuzz::place
