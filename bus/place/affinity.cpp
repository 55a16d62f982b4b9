#include "bus/place/affinity.hpp"

#include <sched.h>

#include <cerrno>
#include <memory>

namespace abuzz::place {
namespace {

// More than any kernel is built for.
constexpr std::size_t processors_max = std::size_t{1} << 16;

struct FreeSet {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};
using Set = std::unique_ptr<cpu_set_t, FreeSet>;

}  // namespace

Processors read_affinity(pid_t thread) {
  Processors found;
  for (std::size_t count = 1024; count <= processors_max; count *= 2) {
    const Set set(CPU_ALLOC(count));
    if (set == nullptr) return found;
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(thread, bytes, set.get()) != 0) {
      if (errno == EINVAL) continue;  // the kernel knows more processors
      return found;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (CPU_ISSET_S(i, bytes, set.get())) found.push_back(static_cast<std::uint32_t>(i));
    }
    return found;
  }
  return found;
}

int set_affinity(const Processors& processors, pid_t thread) noexcept {
  if (processors.empty()) return EINVAL;
  const std::size_t count = processors.back() + std::size_t{1};
  if (count > processors_max) return EINVAL;
  const Set set(CPU_ALLOC(count));
  if (set == nullptr) return ENOMEM;
  const std::size_t bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set.get());
  for (const std::uint32_t processor : processors) CPU_SET_S(processor, bytes, set.get());
  return sched_setaffinity(thread, bytes, set.get()) == 0 ? 0 : errno;
}

std::string processors_text(const Processors& processors) {
  std::string text;
  for (std::size_t i = 0; i < processors.size();) {
    std::size_t last = i;
    while (last + 1 < processors.size() && processors[last + 1] == processors[last] + 1) ++last;
    if (!text.empty()) text += ",";
    text += std::to_string(processors[i]);
    if (last > i) text += (last == i + 1 ? "," : "-") + std::to_string(processors[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace abuzz::place
