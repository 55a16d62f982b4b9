#pragma once

#include <cstddef>

#include "bus/mem/buffer.hpp"
#include "bus/queue/intake.hpp"

namespace abuzz::client {

struct Stream;

// A segment on its way from a publisher to the session.
struct Staged {
  mem::Buffer segment;
  Stream* stream = nullptr;
};

// Segments of one publisher that may wait in the intake: its quota.
inline constexpr std::size_t staged_segments_max = 64;
using StagedIntake = queue::Intake<Staged, staged_segments_max>;

}  // namespace abuzz::client
