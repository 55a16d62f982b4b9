#include "bus/wire/compress.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "bus/wire/envelope.hpp"

namespace abuzz::wire {

namespace {

constexpr int level = 1;

struct FreeContexts {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// One of each a thread, made when it is first needed: making one per call costs more than the call.
ZSTD_CCtx* compressor() noexcept {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContexts> context{ZSTD_createCCtx()};
  return context.get();
}
ZSTD_DCtx* decompressor() noexcept {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContexts> context{ZSTD_createDCtx()};
  return context.get();
}

// The result pays if it is not more than this.
constexpr std::size_t paying_bytes(std::size_t raw_bytes) noexcept {
  return raw_bytes - raw_bytes / 8;
}

}  // namespace

bool CompressSampler::should_try(std::size_t raw_bytes) noexcept {
  if (raw_bytes < raw_bytes_min) return false;
  if (skip_left_ == 0) return true;
  --skip_left_;
  return false;
}

void CompressSampler::record(std::size_t raw_bytes, std::size_t stored_bytes) noexcept {
  const bool pays = stored_bytes <= paying_bytes(raw_bytes);
  failures_ = pays ? 0 : std::min(failures_ + 1, failures_max);
  skip_left_ = failures_ == failures_max ? probe_interval - 1 : 0;
}

mem::Buffer try_compress(std::span<const std::byte> sealed, mem::Pool& pool) noexcept {
  BatchHead head;
  if (BatchHead::parse(sealed, head) != Reject::none) return {};
  ZSTD_CCtx* const context = compressor();
  if (head.envelope.codec != Codec::raw || context == nullptr) return {};

  const std::size_t body_offset = head.envelope.body_offset;
  const std::size_t raw_bytes = head.envelope.raw_bytes;
  const std::size_t capacity = paying_bytes(raw_bytes);
  mem::Buffer output = pool.try_acquire(body_offset + capacity);
  if (!output) return {};
  // Too small an output is how zstd tells that it would not pay.
  const std::size_t stored = ZSTD_compressCCtx(context, output.data() + body_offset, capacity,
                                               sealed.data() + body_offset, raw_bytes, level);
  if (ZSTD_isError(stored) != 0 || stored >= raw_bytes) return {};
  Envelope envelope = head.envelope;
  envelope.codec = Codec::zstd;
  envelope.stored_bytes = static_cast<std::uint32_t>(stored);
  write_envelope(output.data(), envelope, head.topic);
  output.narrow(0, body_offset + stored);
  return output;
}

bool decompress(std::span<const std::byte> stored, std::span<std::byte> output) noexcept {
  // The magic number excludes skippable frames and the formats of old versions.
  constexpr std::uint32_t zstd_magic = ZSTD_MAGICNUMBER;
  std::uint32_t magic = 0;
  if (stored.size() < sizeof(magic)) return false;
  std::memcpy(&magic, stored.data(), sizeof(magic));
  if (magic != zstd_magic) return false;
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != output.size()) return false;
  if (ZSTD_getDictID_fromFrame(stored.data(), stored.size()) != 0) return false;
  if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) return false;
  ZSTD_DCtx* const context = decompressor();
  if (context == nullptr) return false;
  // Single pass into the output: no window is allocated, nothing past the output is written.
  const std::size_t written =
      ZSTD_decompressDCtx(context, output.data(), output.size(), stored.data(), stored.size());
  return ZSTD_isError(written) == 0 && written == output.size();
}

}  // namespace abuzz::wire
