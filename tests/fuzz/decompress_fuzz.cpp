// Campaign: 10'000'000 runs
#include "bus/wire/compress.hpp"

#include "tests/fuzz/fuzz_support.hpp"

// Stored bytes that claim to be zstd. The last two bytes are the size promised for the output.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  using namespace abuzz::fuzz;
  namespace wire = abuzz::wire;
  if (count < 2) return 0;
  const std::size_t promised = std::size_t{data[count - 1]} * 256 + data[count - 2];
  const std::vector<std::byte> stored = copy_of(bytes_of(data, count - 2));
  std::vector<std::byte> output(promised);
  (void)wire::decompress(stored, output);

  constexpr std::string_view topic = "fuzz.decompress";
  wire::Envelope envelope;
  envelope.first_seq = 1;
  envelope.message_count = 1;
  envelope.codec = wire::Codec::zstd;
  envelope.stored_bytes = static_cast<std::uint32_t>(stored.size());
  envelope.raw_bytes = static_cast<std::uint32_t>(promised);
  const std::size_t body_offset = wire::body_offset_of(topic.size());
  std::vector<std::byte> batch(body_offset + stored.size());
  if (!stored.empty()) std::memcpy(batch.data() + body_offset, stored.data(), stored.size());
  wire::write_envelope(batch.data(), envelope, topic);
  verify_and_read(batch, 0);
  return 0;
}
