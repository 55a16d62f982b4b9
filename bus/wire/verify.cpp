#include <cstring>
#include <utility>

#include "bus/wire/batch.hpp"
#include "bus/wire/compress.hpp"
#include "bus/wire/hash.hpp"
#include "schema/batch_generated.h"

namespace abuzz::wire {

namespace {

constexpr std::uint16_t body_version = 1;

// A batch may be read where it stands if entries and payloads are aligned there. libzmq's own
// allocations are: the data of a message stands 8 behind a multiple of 16.
constexpr std::size_t alignment_in_place = BatchBuilder::payload_alignment;
static_assert(alignment_in_place >= alignof(std::uint64_t));

bool is_aligned(const std::byte* bytes) noexcept {
  return reinterpret_cast<std::uintptr_t>(bytes) % alignment_in_place == 0;
}

struct Body {
  const std::byte* entries = nullptr;
  const std::byte* blob = nullptr;
  std::uint32_t count = 0;
  std::uint32_t blob_bytes = 0;
  std::uint32_t extras_count = 0;
};

// HOT: receiver, every message. One pass without branches: what is wrong is gathered, and told at
// the end. Payloads are in order and apart, so that a small batch cannot name a large one.
Reject check_entries(const Body& body) noexcept {
  std::uint64_t bounds_bad = 0;
  std::uint32_t kind_max = 0;
  std::uint32_t extra_max = 0;
  std::uint64_t end = 0;
  for (std::uint32_t index = 0; index < body.count; ++index) {
    MessageEntry entry;
    std::memcpy(&entry, body.entries + index * sizeof(MessageEntry), sizeof(MessageEntry));
    bounds_bad |= entry.offset % BatchBuilder::payload_alignment;
    bounds_bad |= entry.offset < end;
    end = std::uint64_t{entry.offset} + entry.bytes;
    const std::uint32_t kind = entry.flags >> message_kind_shift;
    kind_max = kind > kind_max ? kind : kind_max;
    extra_max = entry.extra > extra_max ? entry.extra : extra_max;
  }
  // The ends are ascending: the last one is the greatest.
  if (bounds_bad != 0 || end > body.blob_bytes) return Reject::message_bounds;
  if (kind_max > static_cast<std::uint32_t>(MessageKind::failed)) return Reject::message_flags;
  if (extra_max > body.extras_count) return Reject::message_bounds;
  return Reject::none;
}

// Nothing reads extras yet; who will shall find them in range.
Reject check_extras(const fb::Batch& batch) noexcept {
  if (batch.extras() == nullptr) return Reject::none;
  const std::uint64_t headers_bytes = batch.headers() == nullptr ? 0 : batch.headers()->size();
  const std::uint32_t traces_count = batch.traces() == nullptr ? 0 : batch.traces()->size();
  for (std::uint32_t index = 0; index < batch.extras()->size(); ++index) {
    // The vector is 4-aligned, as the verifier has checked, and so is the struct.
    const fb::Extra* const extra = batch.extras()->Get(index);
    const std::uint64_t end = std::uint64_t{extra->headers_offset()} + extra->headers_bytes();
    if (end > headers_bytes || extra->trace_index() > traces_count) return Reject::message_bounds;
    if (extra->reserved() != 0) return Reject::reserved_not_zero;
  }
  return Reject::none;
}

Reject check_body(std::span<const std::byte> bytes, const Envelope& envelope, Body& body) noexcept {
  const auto* const start = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = 4;
  options.max_tables = 4;
  options.check_nested_flatbuffers = false;
  flatbuffers::Verifier verifier(start, bytes.size(), options);
  if (!fb::VerifyBatchBuffer(verifier)) return Reject::flatbuffer;
  const fb::Batch* const batch = fb::GetBatch(start);
  if (batch->version() != body_version) return Reject::flatbuffer;

  body.entries = reinterpret_cast<const std::byte*>(batch->messages()->Data());
  body.count = batch->messages()->size();
  body.blob = reinterpret_cast<const std::byte*>(batch->blob()->Data());
  body.blob_bytes = batch->blob()->size();
  body.extras_count = batch->extras() == nullptr ? 0 : batch->extras()->size();
  // The verifier looks at the alignment of lengths only.
  const auto offset_of = [&](const std::byte* at) {
    return static_cast<std::size_t>(at - bytes.data());
  };
  if (offset_of(body.entries) % alignof(std::uint64_t) != 0 ||
      offset_of(body.blob) % slice_alignment != 0)
    return Reject::flatbuffer;
  const bool is_chunk = (envelope.flags & batch_chunk) != 0;
  if (body.count != (is_chunk ? 1 : envelope.message_count)) return Reject::counts;
  if (const Reject reject = check_entries(body); reject != Reject::none) return reject;
  if (is_chunk) {
    MessageEntry entry;
    std::memcpy(&entry, body.entries, sizeof(entry));
    if (entry.bytes == 0 || entry.bytes > envelope.message_bytes) return Reject::chunk;
  }
  return check_extras(*batch);
}

// Brings a batch into an aligned buffer with a raw body; `slice` becomes that buffer.
Reject bring_in(mem::Buffer& slice, const Envelope& envelope, mem::Pool& pool,
                const VerifyLimits& limits) noexcept {
  const std::size_t body_offset = envelope.body_offset;
  const std::span<const std::byte> stored = slice.span().subspan(body_offset);
  if (envelope.codec == Codec::zstd && envelope.raw_bytes / limits.ratio_max > stored.size())
    return Reject::raw_too_large;
  mem::Buffer output = pool.try_acquire(body_offset + envelope.raw_bytes);
  if (!output || !is_aligned(output.data())) return Reject::no_buffer;
  if (envelope.codec == Codec::raw) {
    std::memcpy(output.data(), slice.data(), slice.bytes());
    if (hash64(output.data() + body_offset, stored.size()) != envelope.body_check)
      return Reject::body_check;
  } else {
    if (hash64(stored.data(), stored.size()) != envelope.body_check) return Reject::body_check;
    std::memcpy(output.data(), slice.data(), body_offset);
    if (!decompress(stored, output.span().subspan(body_offset))) return Reject::decompress;
  }
  slice = std::move(output);
  return Reject::none;
}

}  // namespace

// HOT: receiver, once a batch.
Reject verify(mem::Buffer&& slice, mem::Pool& pool, const VerifyLimits& limits,
              BatchView& view) noexcept {
  view = BatchView{};
  mem::Buffer batch = std::move(slice);
  BatchHead head;
  if (const Reject reject = BatchHead::parse(batch.span(), head); reject != Reject::none)
    return reject;
  const Envelope& envelope = head.envelope;
  if (envelope.raw_bytes > limits.raw_bytes_max) return Reject::raw_too_large;
  if (envelope.codec == Codec::raw && is_aligned(batch.data())) {
    if (hash64(batch.data() + envelope.body_offset, envelope.stored_bytes) != envelope.body_check)
      return Reject::body_check;
  } else {
    const Reject reject = bring_in(batch, envelope, pool, limits);
    if (reject != Reject::none) return reject;
  }
  Body body;
  const std::span<const std::byte> bytes = batch.span().subspan(envelope.body_offset);
  if (const Reject reject = check_body(bytes, envelope, body); reject != Reject::none)
    return reject;

  view.envelope_ = envelope;
  view.topic_ = {reinterpret_cast<const char*>(batch.data()) + sizeof(Envelope),
                 envelope.topic_bytes};
  view.entries_ = body.entries;
  view.blob_ = body.blob;
  view.count_ = body.count;
  view.buffer_ = std::move(batch);
  return Reject::none;
}

}  // namespace abuzz::wire
