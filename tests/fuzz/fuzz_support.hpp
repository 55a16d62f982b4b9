#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "bus/mem/pool.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/envelope.hpp"
#include "bus/wire/hash.hpp"

// What the fuzz targets share. Check sums are set right before parsing: a fuzzer does not guess
// them, a hostile peer computes them.

namespace abuzz::fuzz {

using Bytes = std::span<const std::byte>;

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline Bytes bytes_of(const std::uint8_t* data, std::size_t count) {
  return {reinterpret_cast<const std::byte*>(data), count};
}

// A copy whose end is the end of its allocation, so that reading past it is seen.
inline std::vector<std::byte> copy_of(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

inline mem::Pool& pool() {
  static constexpr std::array<mem::SizeClass, 3> classes{
      {{4096, 8, 8}, {512 * 1024, 4, 4}, {5 << 20, 2, 2}}};
  static mem::ProcessMemory memory;
  static mem::Pool instance{classes, memory};
  return instance;
}

inline mem::Buffer pooled(Bytes bytes, std::size_t shift) {
  mem::Buffer buffer = pool().try_acquire(bytes.size() + shift);
  if (!buffer) return buffer;
  if (!bytes.empty()) std::memcpy(buffer.data() + shift, bytes.data(), bytes.size());
  buffer.narrow(shift, bytes.size());
  return buffer;
}

// Sets topic hash, body check and envelope check of what may be a batch.
inline void fix_batch(std::vector<std::byte>& batch) {
  if (batch.size() < sizeof(wire::Envelope)) return;
  wire::Envelope envelope;
  std::memcpy(&envelope, batch.data(), sizeof(envelope));
  const std::size_t topic_end = sizeof(envelope) + envelope.topic_bytes;
  if (topic_end <= batch.size())
    envelope.topic_hash = wire::hash64(batch.data() + sizeof(envelope), envelope.topic_bytes);
  if (envelope.body_offset <= batch.size())
    envelope.body_check =
        wire::hash64(batch.data() + envelope.body_offset, batch.size() - envelope.body_offset);
  envelope.envelope_check = wire::hash64(&envelope, offsetof(wire::Envelope, envelope_check));
  std::memcpy(batch.data(), &envelope, sizeof(envelope));
}

// Reads all that a verified batch offers, and checks that none of it stands outside the buffer.
inline void read_all(const wire::BatchView& view) {
  const std::byte* const first = view.buffer().data();
  const std::byte* const end = first + view.buffer().bytes();
  std::uint64_t sum = 0;
  std::size_t payload_bytes = 0;
  for (std::uint32_t index = 0; index < view.count(); ++index) {
    const Bytes payload = view.payload(index);
    require(payload.data() >= first && payload.data() + payload.size() <= end);
    require(reinterpret_cast<std::uintptr_t>(payload.data()) % 8 == 0);
    payload_bytes += payload.size();
    for (const std::byte byte : payload) sum += static_cast<std::uint64_t>(byte);
    sum += view.entry(index).key;
  }
  require(payload_bytes <= view.buffer().bytes());
  require(view.topic().size() <= 160);
  __asm__ volatile("" : : "r"(sum));  // as if the sum were used: the bytes are read
}

inline void verify_and_read(Bytes batch, std::size_t shift) {
  wire::BatchView view;
  const wire::Reject reject = wire::verify(pooled(batch, shift), pool(), {}, view);
  require((reject == wire::Reject::none) == (view.count() > 0));
  if (reject == wire::Reject::none) read_all(view);
  view = {};
  require(pool().counters().bytes_out == 0);
}

}  // namespace abuzz::fuzz
