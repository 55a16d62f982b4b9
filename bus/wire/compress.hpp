#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/mem/pool.hpp"
#include "bus/wire/batch.hpp"

namespace abuzz::wire {

// Decides by sampling whether compression pays on one stream: while it does not, only one batch in
// `probe_interval` is tried. One thread.
class CompressSampler {
 public:
  static constexpr std::uint32_t probe_interval = 64;
  // After so many tries in a row that did not pay, only probes are made.
  static constexpr std::uint32_t failures_max = 3;
  // Below, a body is not worth the microseconds.
  static constexpr std::size_t raw_bytes_min = 1024;

  // Whether to try this batch.
  bool should_try(std::size_t raw_bytes) noexcept;
  // What the try gave.
  void record(std::size_t raw_bytes, std::size_t stored_bytes) noexcept;

 private:
  std::uint32_t skip_left_ = 0;
  std::uint32_t failures_ = 0;
};

// Compresses the body of the sealed batch in `sealed` into a buffer of `pool` (zstd level 1, one
// frame, content size present) and seals it again. Returns an empty buffer when the result would
// not be smaller by at least an eighth, or when the pool has none: then the raw batch is sent.
mem::Buffer try_compress(std::span<const std::byte> sealed, mem::Pool& pool) noexcept;

// Decompresses one zstd frame into `output`, which must have exactly the raw size. Refuses
// skippable frames, dictionaries, trailing bytes, an absent or different content size.
bool decompress(std::span<const std::byte> stored, std::span<std::byte> output) noexcept;

}  // namespace abuzz::wire
