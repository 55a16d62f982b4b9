// Campaign: 10'000'000 runs
#include "bus/wire/compress.hpp"
#include "tests/fuzz/fuzz_support.hpp"

// A sealed batch: as it is, with its check sums set right, misaligned, and compressed again.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  using namespace abuzz::fuzz;
  namespace wire = abuzz::wire;
  std::vector<std::byte> batch = copy_of(bytes_of(data, count));
  verify_and_read(batch, 0);
  fix_batch(batch);
  verify_and_read(batch, 0);
  verify_and_read(batch, 3);
  wire::BatchHead head;
  if (wire::BatchHead::parse(batch, head) != wire::Reject::none) return 0;
  require(head.batch_bytes == batch.size());
  require(wire::charged_bytes(head.envelope) <= (std::uint64_t{1} << 34));
  const abuzz::mem::Buffer compressed = wire::try_compress(batch, pool());
  if (!compressed) return 0;
  require(compressed.bytes() < batch.size());
  wire::BatchHead again;
  require(wire::BatchHead::parse(compressed.span(), again) == wire::Reject::none);
  require(again.envelope.raw_bytes == head.envelope.raw_bytes);
  return 0;
}
