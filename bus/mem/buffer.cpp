#include "bus/mem/buffer.hpp"

#include "bus/mem/pool.hpp"

namespace abuzz::mem {

void Buffer::give_home(Block& block) noexcept {
  block.pool->release(&block);
}

}  // namespace abuzz::mem
