#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/mem/pool.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/frame.hpp"
#include "bus/wire/hash.hpp"

// What the tests of this folder share: aligned bytes, pools, sealed batches, and check sums set
// right again after a field was falsified, so that the field itself is what gets refused.

namespace abuzz::wire::test {

inline constexpr std::string_view topic = "docs.new.report";

// Bytes at a 64-aligned address.
class Aligned {
 public:
  explicit Aligned(std::size_t bytes) : storage_(bytes + 128), bytes_(bytes) {}
  std::byte* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + (base::align_up(address, 64) - address);
  }
  std::span<std::byte> span() { return {data(), bytes_}; }
  // Not inlined: g++ 12 sees an overflow there for sizes that no test has.
  [[gnu::noinline]] void put(std::size_t offset, std::span<const std::byte> bytes) {
    if (offset > bytes_ || bytes.size() > bytes_ - offset) std::abort();
    std::copy(bytes.begin(), bytes.end(), data() + offset);
  }

 private:
  std::vector<std::byte> storage_;
  std::size_t bytes_;
};

// A pool of a few blocks up to 8 MiB.
class TestPool {
 public:
  mem::Pool& pool() { return pool_; }
  // A buffer with a copy of `bytes`, `shift` bytes off the alignment of the pool.
  mem::Buffer put(std::span<const std::byte> bytes, std::size_t shift = 0) {
    mem::Buffer buffer = pool_.try_acquire(bytes.size() + shift);
    if (!buffer) return buffer;
    std::memcpy(buffer.data() + shift, bytes.data(), bytes.size());
    buffer.narrow(shift, bytes.size());
    return buffer;
  }

 private:
  static constexpr std::array<mem::SizeClass, 3> classes{
      {{4096, 8, 64}, {512 * 1024, 4, 8}, {8 << 20, 2, 4}}};
  mem::ProcessMemory memory_;
  mem::Pool pool_{classes, memory_};
};

inline std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline Envelope envelope_for_tests() {
  Envelope envelope;
  envelope.origin = 0x1122'3344'5566'7788;
  envelope.agent_id = 0x0000'0001'0000'0007;
  envelope.publisher_id = 3;
  envelope.publisher_epoch = 1;
  envelope.first_seq = 41;
  envelope.send_time_ns = 1'700'000'000'123'456'789;
  envelope.ttl_ms = 5000;
  return envelope;
}

inline bool append(BatchBuilder& builder, std::span<const std::byte> payload,
                   std::uint64_t key = 0) {
  const std::span<std::byte> claimed = builder.claim(payload.size());
  if (claimed.data() == nullptr) return false;
  if (!payload.empty()) std::memcpy(claimed.data(), payload.data(), payload.size());
  builder.commit_entry(payload.size(), key, key + 1, 7);
  return true;
}

// A sealed batch with these payloads, as bytes.
inline std::vector<std::byte> sealed_batch(const std::vector<std::vector<std::byte>>& payloads,
                                           Envelope envelope = envelope_for_tests(),
                                           std::string_view name = topic) {
  std::size_t blob_bytes = 0;
  for (const auto& payload : payloads) blob_bytes += base::align_up(payload.size(), 8);
  const auto slots = static_cast<std::uint32_t>(payloads.size());
  Aligned memory(BatchBuilder::bytes_needed(slots, name.size(), blob_bytes));
  BatchBuilder builder(memory.span(), slots, name.size());
  for (std::size_t index = 0; index < payloads.size(); ++index)
    append(builder, payloads[index], index);
  const BatchBuilder::Sealed sealed = builder.seal(slots, envelope, name);
  const std::span<std::byte> bytes = memory.span().subspan(sealed.offset, sealed.bytes);
  return {bytes.begin(), bytes.end()};
}

inline std::vector<std::byte> three_messages() {
  return sealed_batch({bytes_of("first"), bytes_of("the second message"), bytes_of("3")});
}

inline Envelope chunk_envelope(std::uint32_t index, std::uint32_t count,
                               std::uint64_t message_bytes) {
  Envelope envelope = envelope_for_tests();
  envelope.flags = batch_chunk | (index + 1 == count ? batch_last_chunk : 0);
  envelope.chunk_index = index;
  envelope.chunk_count = count;
  envelope.message_bytes = message_bytes;
  return envelope;
}

template <class Value>
void poke(std::vector<std::byte>& bytes, std::size_t offset, Value value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}
template <class Value>
Value peek(const std::vector<std::byte>& bytes, std::size_t offset) {
  Value value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

inline void fix_envelope_check(std::vector<std::byte>& batch) {
  poke(batch, offsetof(Envelope, envelope_check),
       hash64(batch.data(), offsetof(Envelope, envelope_check)));
}
inline void fix_body_check(std::vector<std::byte>& batch) {
  const std::size_t body_offset = peek<std::uint16_t>(batch, offsetof(Envelope, body_offset));
  poke(batch, offsetof(Envelope, body_check),
       hash64(batch.data() + body_offset, batch.size() - body_offset));
  fix_envelope_check(batch);
}
inline void fix_head_check(std::vector<std::byte>& frame) {
  FrameHead head;
  std::memcpy(&head, frame.data(), sizeof(head));
  const std::size_t table_bytes =
      head.record_count * sizeof(Record) + head.target_count * sizeof(Target);
  poke(frame, offsetof(FrameHead, head_check),
       hash64(frame.data() + sizeof(FrameHead), table_bytes,
              hash64(frame.data(), offsetof(FrameHead, head_check))));
}

inline Reject parse_frame(std::span<const std::byte> part, FrameView& view) {
  const std::span<const std::byte> parts[1] = {part};
  return FrameView::parse(parts, view);
}

}  // namespace abuzz::wire::test
