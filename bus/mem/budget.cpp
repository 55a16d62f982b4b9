#include "bus/mem/budget.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "bus/base/units.hpp"

namespace abuzz::mem {

namespace {

using base::kib;
using base::mib;

constexpr std::size_t class_count = 7;
using Counts = std::array<std::uint64_t, class_count>;

// What stands around the bytes of the class's purpose: frame head, record, envelope, entries.
constexpr std::array<std::uint64_t, class_count> block_bytes_fixed{
    512,        // control messages; one small message with its frame around it
    4 * kib,    // a few small messages; below it the node copies slices instead of pointing at them
    16 * kib,   // a batch under way on a busy link
    80 * kib,   // a chunk of 64 KiB and what stands around it; a ZeroMQ frame of eager bytes
    320 * kib,  // a batch of 256 KiB raw and what stands around it
    0,          // a frame, or the largest payload: see block_bytes_of
    0,          // a decompressed batch: see block_bytes_of
};
constexpr std::uint64_t surroundings_bytes = 128 * kib;
constexpr std::uint64_t decompressed_bytes_max = 4 * mib;
constexpr std::size_t frame_class = 5;
constexpr std::size_t decompressed_class = 6;

// Parts of 64 of the budget that a class may grow to.
constexpr Counts budget_shares{2, 6, 8, 12, 16, 12, 8};
constexpr std::uint64_t budget_parts = 64;
static_assert(2 + 6 + 8 + 12 + 16 + 12 + 8 == budget_parts);
// Far below what a FreeList can index, and enough for any machine: heads are memory too.
constexpr std::uint64_t count_cap = 1u << 22;

std::uint64_t block_bytes_of(std::size_t class_index, const LimitsConfig& limits) noexcept {
  if (class_index == frame_class) return limits.payload_bytes_max + surroundings_bytes;
  if (class_index == decompressed_class) {
    return std::max(decompressed_bytes_max, std::uint64_t{limits.payload_bytes_max}) +
           surroundings_bytes / 2;
  }
  return block_bytes_fixed[class_index];
}

// One process with one link. A window is the bytes of a lane that are sent and not yet credited.
Counts agent_counts(const LimitsConfig& limits, const LinkConfig& link) noexcept {
  const std::uint64_t payload = limits.payload_bytes_max;
  const std::uint64_t high = link.window_high_bytes;
  const std::uint64_t normal = link.window_normal_bytes;
  const std::uint64_t bulk = link.window_bulk_bytes;
  return {
      link.frames_small_max          // small frames in flight
          + 64                       // control messages: subscribe, credit, settle, beat, both ways
          + 128,                     // single messages: staged, being handled, retained by the user
      high / (4 * kib)               // the high lane's batches in flight
          + normal / (4 * kib)       // the normal lane's, when they are small
          + 64,                      // received, with the executor
      normal / (16 * kib)            // open batches of streams that are being published
          + normal / (16 * kib)      // sealed and sent, until every lossless subscriber has them
          + normal / (16 * kib)      // received, with the executor
          + 8,                       // outgoing frames: one a lane, being built and with the link
      payload / (64 * kib)           // the chunks of one large message on its way out
          + payload / (64 * kib)     // and of one on its way in
          + 2 * (bulk / (64 * kib))  // the bulk lane's batches, both ways
          + 8,                       // outgoing frames of eager bytes
      8  // open batches of streams that publish faster than the link takes
          + normal / limits.batch_bytes_max  // sealed and sent
          + 8                                // received, with the executor
          + 8,                               // decompressed, with the executor
      1                                      // a large message that is being published
          + 1                                // one that is being put together from chunks
          + 1                                // a frame that is being built
          + 1,                               // a frame that is being received
      0,  // only links that leave the host compress: made when first missed
  };
}

// All links of a node: what is under way on `links_busy` of them. Queues of slow subscribers come
// on top; they hold what their publishers sent, and grow the classes up to the budget.
Counts node_counts(const LimitsConfig& limits, const LinkConfig& link) noexcept {
  constexpr std::uint64_t links_busy = 8;
  const std::uint64_t normal = link.window_normal_bytes;
  return {
      links_busy * link.frames_small_max        // small frames on their way in
          + links_busy * link.frames_small_max  // and out
          + links_busy * 64                     // control messages, both ways
          + 256,                                // copied slices in queues
      links_busy * 32                           // frames on their way in, and held by queues
          + links_busy * 32,                    // frame heads with copied slices on their way out
      links_busy * (normal / (16 * kib)) / 2    // batches in flight, and held by queues
          + links_busy * 8,                     // outgoing frames
      links_busy * 4                            // frames of eager bytes, in
          + links_busy * 4,                     // and out
      links_busy * 2                            // frames with one full batch, in
          + links_busy * 2,                     // full batches held by queues
      2                                         // frames of the largest size on their way in
          + 2,                                  // retained and queued ones
      limits.payload_bytes_max > decompressed_bytes_max ? 1u : 0u,  // the node verifies rarely
  };
}

std::vector<SizeClass> classes_within(std::uint64_t budget_bytes, const Counts& counts,
                                      const LimitsConfig& limits) {
  // The two largest classes may always have one block: without it no largest message could pass.
  const std::uint64_t floor_bytes =
      block_bytes_of(frame_class, limits) + block_bytes_of(decompressed_class, limits);
  const std::uint64_t shared_bytes = budget_bytes - std::min(budget_bytes, floor_bytes);

  std::vector<SizeClass> classes;
  for (std::size_t index = 0; index < class_count; ++index) {
    const std::uint64_t block_bytes = block_bytes_of(index, limits);
    // With a small payload limit the frame class is no larger than the one before: it is left out.
    if (!classes.empty() && block_bytes <= classes.back().block_bytes) continue;
    const std::uint64_t floor = index >= frame_class ? 1 : 0;
    const std::uint64_t share = shared_bytes / budget_parts * budget_shares[index] / block_bytes;
    const std::uint64_t count_max = std::min(floor + share, count_cap);
    // A power of two, because a slab divides it; at least the sum where the cap allows.
    const std::uint64_t wanted = counts[index] == 0 ? 0 : std::bit_ceil(counts[index]);
    const std::uint64_t initial = std::bit_floor(std::min(wanted, count_max));
    classes.push_back({static_cast<std::uint32_t>(block_bytes), static_cast<std::uint32_t>(initial),
                       static_cast<std::uint32_t>(count_max)});
  }
  return classes;
}

}  // namespace

std::vector<SizeClass> agent_classes(const LimitsConfig& limits, const LinkConfig& link) {
  return classes_within(agent_budget_bytes, agent_counts(limits, link), limits);
}

std::vector<SizeClass> node_classes(const NodeConfig& node, const LimitsConfig& limits,
                                    const LinkConfig& link) {
  return classes_within(node.memory_budget_bytes, node_counts(limits, link), limits);
}

std::uint64_t bytes_initial(std::span<const SizeClass> classes) noexcept {
  std::uint64_t sum = 0;
  for (const SizeClass& one : classes) sum += std::uint64_t{one.block_bytes} * one.count_initial;
  return sum;
}

std::uint64_t bytes_max(std::span<const SizeClass> classes) noexcept {
  std::uint64_t sum = 0;
  for (const SizeClass& one : classes) sum += std::uint64_t{one.block_bytes} * one.count_max;
  return sum;
}

}  // namespace abuzz::mem
