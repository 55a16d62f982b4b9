// Campaign: 10'000'000 runs
#include "bus/wire/frame.hpp"

#include "tests/fuzz/fuzz_support.hpp"

// A frame of one to three parts, its records, and the batches in its slices.

namespace {

using namespace abuzz::fuzz;
namespace wire = abuzz::wire;

void fix_frame(std::vector<std::byte>& part, std::size_t part_count) {
  wire::FrameHead head;
  if (part.size() < sizeof(head)) return;
  std::memcpy(&head, part.data(), sizeof(head));
  head.head_bytes = static_cast<std::uint32_t>(part.size());
  head.part_count = static_cast<std::uint8_t>(part_count);
  std::memcpy(part.data(), &head, sizeof(head));
  const std::size_t table_bytes =
      head.record_count * sizeof(wire::Record) + head.target_count * sizeof(wire::Target);
  if (sizeof(head) + table_bytes > part.size()) return;
  head.head_check = wire::hash64(part.data() + sizeof(head), table_bytes,
                                 wire::hash64(part.data(), offsetof(wire::FrameHead, head_check)));
  std::memcpy(part.data(), &head, sizeof(head));
}

void read_frame(std::span<const Bytes> parts) {
  wire::FrameView view;
  if (wire::FrameView::parse(parts, view) != wire::Reject::none) return;
  std::size_t targets = 0;
  std::size_t batches = 0;
  for (std::size_t index = 0; index < view.record_count(); ++index) {
    const wire::Record record = view.record(index);
    const Bytes slice = view.slice(record);
    for (std::size_t nth = 0; nth < record.target_count; ++nth, ++targets) {
      const wire::Target target = view.target(record.target_first + nth);
      require(target.first + target.count <= record.message_count);
    }
    if (record.kind != wire::RecordKind::batch || ++batches > 4) continue;
    std::vector<std::byte> batch = copy_of(slice);
    verify_and_read(batch, 0);
    fix_batch(batch);
    verify_and_read(batch, index % 16);
  }
  require(targets == view.head().target_count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  const Bytes input = bytes_of(data, count);
  const Bytes whole[1] = {input};
  read_frame(whole);
  if (count == 0) return 0;
  // The last byte says into how many parts the rest is cut.
  const std::size_t part_count = 1 + static_cast<std::size_t>(input.back()) % 3;
  std::vector<std::vector<std::byte>> parts;
  const Bytes rest = input.first(count - 1);
  for (std::size_t part = 0; part < part_count; ++part) {
    const std::size_t from = rest.size() * part / part_count;
    const std::size_t to = rest.size() * (part + 1) / part_count;
    parts.push_back(copy_of(rest.subspan(from, to - from)));
  }
  fix_frame(parts[0], part_count);
  std::vector<Bytes> spans(parts.begin(), parts.end());
  read_frame(spans);
  return 0;
}
