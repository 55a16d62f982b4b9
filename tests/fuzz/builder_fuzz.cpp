// Campaign: 5'000'000 runs
#include <algorithm>

#include "tests/fuzz/fuzz_support.hpp"

// Any sequence of claims and commits seals, in any prefix, to a batch that verifies and gives back
// the same payloads.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  using namespace abuzz::fuzz;
  namespace wire = abuzz::wire;
  if (count < 4) return 0;
  const std::uint32_t slots = 1 + data[0];
  const std::size_t topic_bytes = 1 + data[1] % 128;
  const std::size_t blob_bytes = std::size_t{data[2]} * 16;
  const std::string topic(topic_bytes, 't');
  const std::size_t bytes = wire::BatchBuilder::bytes_needed(slots, topic_bytes, blob_bytes);
  const abuzz::mem::Buffer memory = pool().try_acquire(bytes);
  require(static_cast<bool>(memory));
  wire::BatchBuilder builder(memory.span(), slots, topic_bytes);
  std::vector<std::size_t> sizes;
  for (std::size_t at = 4; at < count; ++at) {
    const std::size_t claimed = data[at];
    const std::span<std::byte> place = builder.claim(claimed);
    if (place.data() == nullptr) continue;
    const std::size_t used = claimed - claimed % 3;
    std::fill_n(place.data(), used, static_cast<std::byte>(sizes.size()));
    builder.commit_entry(used, sizes.size(), at, 0);
    sizes.push_back(used);
  }
  require(builder.count() == sizes.size());
  if (sizes.empty()) return 0;
  const auto taken = static_cast<std::uint32_t>(1 + data[3] % sizes.size());
  wire::Envelope envelope;
  envelope.first_seq = 1;
  const wire::BatchBuilder::Sealed sealed = builder.seal(taken, envelope, topic);
  require(sealed.offset >= wire::in_place_headroom);
  require(sealed.offset + sealed.bytes <= memory.bytes());
  wire::BatchView view;
  require(wire::verify(memory.slice(sealed.offset, sealed.bytes), pool(), {}, view) ==
          wire::Reject::none);
  require(view.count() == taken);
  for (std::uint32_t index = 0; index < taken; ++index) {
    const Bytes payload = view.payload(index);
    require(payload.size() == sizes[index] && view.entry(index).key == index);
    require(std::all_of(payload.begin(), payload.end(),
                        [&](std::byte byte) { return byte == static_cast<std::byte>(index); }));
  }
  return 0;
}
