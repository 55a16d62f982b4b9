#include "bus/mem/pool.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include "bus/base/check.hpp"
#include "bus/mem/free_list.hpp"
#include "bus/mem/size_pool.hpp"

namespace abuzz::mem {

namespace {

constexpr std::size_t classes_max = 16;

// The head of a block whose memory is somebody else's.
struct alignas(base::cache_line_bytes) AdoptedNode : Block {
  std::atomic<std::uint32_t> next{node_none};  // shared, see FreeList
  AdoptedRelease release = nullptr;
  void* context = nullptr;
  void* cookie = nullptr;
};
static_assert(sizeof(AdoptedNode) == base::cache_line_bytes);

constexpr std::uint32_t adopted_chunk = 256;

}  // namespace

struct Pool::State {
  explicit State(std::uint32_t adopted_max)
      : adopted_nodes(adopted_max, adopted_chunk), adopted(adopted_nodes) {}

  // Constant after construction.
  std::vector<std::unique_ptr<SizePool>> classes;
  NodeTable<AdoptedNode> adopted_nodes;

  // Shared: any thread that adopts or releases adopted memory.
  alignas(base::writer_distance_bytes) FreeList<AdoptedNode> adopted;
  // Counts, so relaxed: they publish nothing.
  std::atomic<std::uint64_t> adopted_hits{0};
  std::atomic<std::uint64_t> adopted_returns{0};
  alignas(base::writer_distance_bytes) std::atomic<std::uint64_t> misses{0};

  Buffer miss() noexcept {
    misses.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
};

Pool::Pool(std::span<const SizeClass> classes, Memory& memory, std::uint32_t adopted_max,
           base::Nanos idle_span)
    : state_(std::make_unique<State>(adopted_max)) {
  ABUZZ_CHECK(classes.size() <= classes_max);
  std::uint32_t class_index = 0;
  std::uint32_t bytes_before = 0;
  for (const SizeClass& size_class : classes) {
    ABUZZ_CHECK(size_class.block_bytes > bytes_before);
    bytes_before = size_class.block_bytes;
    state_->classes.push_back(
        std::make_unique<SizePool>(class_index++, size_class, *this, memory, idle_span));
  }
  for (std::uint32_t index = 0; index < adopted_max; ++index) {
    if (index % adopted_chunk == 0 && !state_->adopted_nodes.add_chunk(index / adopted_chunk)) {
      break;  // Fewer heads: who finds none copies.
    }
    AdoptedNode& node = state_->adopted_nodes.at(index);
    node.class_index = adopted_class;
    node.index = index;
    node.pool = this;
    state_->adopted.push(index);
  }
}

Pool::~Pool() {
  // All adopted memory came home; each class checks the same for its blocks.
  ABUZZ_CHECK(state_->adopted_hits.load(std::memory_order_relaxed) ==
              state_->adopted_returns.load(std::memory_order_relaxed));
}

// HOT: any thread that acquires
template <class Pop>
Buffer Pool::acquire(std::size_t bytes, Pop&& pop) noexcept {
  auto fits = state_->classes.begin();
  const auto end = state_->classes.end();
  while (fits != end && (*fits)->block_bytes() < bytes) ++fits;
  if (fits == end) return state_->miss();
  Block* block = pop(**fits);
  if (block == nullptr) {
    (*fits)->note_shortage();
    if (++fits != end) block = pop(**fits);
    if (block == nullptr) return state_->miss();
  }
  return Buffer(block, 0, static_cast<std::uint32_t>(bytes));
}

Buffer Pool::try_acquire(std::size_t bytes) noexcept {
  return acquire(bytes, [](SizePool& fits) { return fits.try_pop(); });
}

Buffer Pool::try_acquire_spare(std::size_t bytes) noexcept {
  return acquire(bytes, [](SizePool& fits) { return fits.has_spare() ? fits.try_pop() : nullptr; });
}

Buffer Pool::try_adopt(std::byte* memory, std::size_t bytes, AdoptedRelease on_release,
                       void* context, void* cookie) noexcept {
  if (bytes > std::numeric_limits<std::uint32_t>::max()) return state_->miss();
  const std::uint32_t index = state_->adopted.pop();
  if (index == node_none) return state_->miss();
  AdoptedNode& node = state_->adopted_nodes.at(index);
  node.memory = memory;
  node.capacity = static_cast<std::uint32_t>(bytes);
  node.release = on_release;
  node.context = context;
  node.cookie = cookie;
  // Relaxed: the head is this thread's alone until its Buffer is handed over.
  node.handles.store(1, std::memory_order_relaxed);
  state_->adopted_hits.fetch_add(1, std::memory_order_relaxed);
  return Buffer(&node, 0, node.capacity);
}

// HOT: any thread that drops a last handle
void Pool::release(Block* block) noexcept {
  if (block->class_index != adopted_class) {
    state_->classes[block->class_index]->push(*block);
    return;
  }
  auto& node = static_cast<AdoptedNode&>(*block);
  node.release(node.context, node.memory, node.capacity, node.cookie);
  state_->adopted_returns.fetch_add(1, std::memory_order_relaxed);
  state_->adopted.push(node.index);
}

std::size_t Pool::maintain(base::Nanos now) noexcept {
  std::size_t changes = 0;
  for (const auto& size_pool : state_->classes) changes += size_pool->maintain(now);
  return changes;
}

PoolCounters Pool::counters() const noexcept {
  PoolCounters sums;
  sums.misses = state_->misses.load(std::memory_order_relaxed);
  sums.hits = state_->adopted_hits.load(std::memory_order_relaxed);
  for (const auto& size_pool : state_->classes) size_pool->add_counters(sums);
  return sums;
}

std::uint32_t Pool::count_max_for(std::size_t bytes) const noexcept {
  for (const auto& size_pool : state_->classes) {
    if (size_pool->block_bytes() >= bytes) return size_pool->count_max();
  }
  return 0;
}

std::size_t Pool::block_bytes_max() const noexcept {
  std::size_t bytes_max = 0;
  for (const auto& size_pool : state_->classes) {
    if (size_pool->count_max() > 0) bytes_max = size_pool->block_bytes();
  }
  return bytes_max;
}

}  // namespace abuzz::mem
