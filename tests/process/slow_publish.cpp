#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "bus/publisher.hpp"

// Loaded before the library: publishing takes so many steps longer as ABUZZ_TEST_SLOW says, in
// programs with "slow" in their name. A slowdown that somebody could have written by mistake.

namespace {

long steps_of_this_program() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string_view name(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  const char* steps = std::getenv("ABUZZ_TEST_SLOW");
  return steps != nullptr && name.substr(name.rfind('/') + 1).find("slow") != name.npos
             ? std::atol(steps)
             : 0;
}

void lose_time() {
  static const long steps = steps_of_this_program();
  for (long step = 0; step < steps; ++step) asm volatile("" ::"r"(step));
}

}  // namespace

namespace abuzz {

SendStatus Publisher::try_publish(std::span<const std::byte> payload,
                                  const MessageOptions& options) {
  using Next = SendStatus (*)(Publisher*, std::span<const std::byte>, const MessageOptions&);
  static const auto next = reinterpret_cast<Next>(
      dlsym(RTLD_NEXT,
            "_ZN5abuzz9Publisher11try_publishESt4spanIKSt4byteLm18446744073709551615EER"
            "KNS_14MessageOptionsE"));
  lose_time();
  return next(this, payload, options);
}

SendStatus Publisher::publish(std::span<const std::byte> payload, std::chrono::nanoseconds patience,
                              const MessageOptions& options) {
  using Next = SendStatus (*)(Publisher*, std::span<const std::byte>, std::chrono::nanoseconds,
                              const MessageOptions&);
  static const auto next = reinterpret_cast<Next>(
      dlsym(RTLD_NEXT,
            "_ZN5abuzz9Publisher7publishESt4spanIKSt4byteLm18446744073709551615EENSt6chrono8du"
            "rationIlSt5ratioILl1ELl1000000000EEEERKNS_14MessageOptionsE"));
  lose_time();
  return next(this, payload, patience, options);
}

}  // namespace abuzz
