// Campaign: 10'000'000 runs
#include "tests/fuzz/fuzz_support.hpp"

// The body of a batch, in an envelope that tells the truth about it, so that every run reaches the
// FlatBuffers verifier and the checks behind it. The last byte is the message count.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  using namespace abuzz::fuzz;
  namespace wire = abuzz::wire;
  if (count < 2) return 0;
  const Bytes body = bytes_of(data, count - 1);
  constexpr std::string_view topic = "fuzz.body";
  wire::Envelope envelope;
  envelope.first_seq = 1;
  envelope.message_count = data[count - 1];
  envelope.stored_bytes = envelope.raw_bytes = static_cast<std::uint32_t>(body.size());
  if ((data[count - 1] & 0x80) != 0) {
    envelope.message_count = 0;
    envelope.flags = wire::batch_chunk;
    envelope.chunk_count = 2;
    envelope.message_bytes = 1000;
  }
  const std::size_t body_offset = wire::body_offset_of(topic.size());
  std::vector<std::byte> batch(body_offset + body.size());
  std::memcpy(batch.data() + body_offset, body.data(), body.size());
  wire::write_envelope(batch.data(), envelope, topic);
  verify_and_read(batch, 0);
  return 0;
}
