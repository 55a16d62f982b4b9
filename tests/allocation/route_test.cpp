#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "bus/agent.hpp"
#include "bus/node.hpp"
#include "tests/scratch.hpp"

// Counts every allocation of the process by who asked for it, while messages go from an agent
// through a node to another agent. This program holds Abuzz's own modules; libzmq is a library
// beside it and is counted apart.

extern "C" void* __libc_malloc(size_t);
extern "C" void* __libc_calloc(size_t, size_t);
extern "C" void* __libc_realloc(void*, size_t);

namespace {

// Relaxed: read when everything is quiet.
std::atomic<bool> is_counting{false};
std::atomic<std::uint64_t> ours{0}, of_libzmq{0}, of_others{0};
std::atomic<void*> last_of_ours{nullptr};

// Address ranges, found before counting starts: dladdr takes locks.
struct Range {
  std::uintptr_t first = 0, last = 0;
  bool holds(const void* address) const {
    const auto value = reinterpret_cast<std::uintptr_t>(address);
    return value >= first && value < last;
  }
};
Range program, libzmq;

void count(void* caller) {
  if (!is_counting.load(std::memory_order_relaxed)) return;
  if (program.holds(caller)) {
    ours.fetch_add(1, std::memory_order_relaxed);
    last_of_ours.store(caller, std::memory_order_relaxed);
  } else if (libzmq.holds(caller)) {
    of_libzmq.fetch_add(1, std::memory_order_relaxed);
  } else {
    of_others.fetch_add(1, std::memory_order_relaxed);
  }
}

Range range_of(const char* name) {
  Range range;
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  char line[512];
  while (maps != nullptr && std::fgets(line, sizeof(line), maps) != nullptr) {
    unsigned long first = 0, last = 0;
    if (std::strstr(line, name) == nullptr) continue;
    if (std::sscanf(line, "%lx-%lx", &first, &last) != 2) continue;
    if (range.first == 0) range.first = first;
    range.last = last;
  }
  if (maps != nullptr) std::fclose(maps);
  return range;
}

}  // namespace

extern "C" void* malloc(size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
extern "C" void* calloc(size_t items, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_calloc(items, bytes);
}
extern "C" void* realloc(void* memory, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  count(__builtin_return_address(0));
  void* memory = __libc_malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  free(memory);
}

namespace abuzz {
namespace {

using namespace std::chrono_literals;

// So that the compiler does not drop an allocation that nobody uses.
[[gnu::noipa]] void* keep(void* memory) {
  return memory;
}

class MessageRoute : public testing::Test {
 protected:
  void SetUp() override {
    config_.node.runtime_directory = scratch_.path() + "/run";
    config_.node.idle_exit = 0ms;
    config_.agent.start_node = false;
    char self[512] = {};
    ASSERT_GT(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    program = range_of(self);
    libzmq = range_of("libzmq");
    ASSERT_NE(program.first, 0u);
    ASSERT_NE(libzmq.first, 0u);
  }

  // Publishes `messages` of 64 bytes and waits until all are handled.
  static void send(Publisher& publisher, std::uint64_t messages) {
    static const std::string payload(64, 'x');
    for (std::uint64_t index = 0; index < messages; ++index) {
      if (publisher.try_publish(payload) != SendStatus::queued) {
        ASSERT_EQ(publisher.publish(payload, 10s), SendStatus::queued);
      }
    }
    ASSERT_EQ(publisher.flush(30s).pending, 0u);
  }

  void run(bool plant) {
    Node node = Node::start(config_).value();
    Agent receiver = Agent::connect({.name = "receiver", .kind = {}}, config_).value();
    std::uint64_t handled = 0;
    auto subscription = receiver
                            .subscribe("route.test",
                                       [&](const MessageView& message) {
                                         handled += message.payload().size() == 64 ? 1 : 0;
                                         if (plant && handled % 100'000 == 0) free(keep(malloc(8)));
                                       })
                            .value();
    Agent sender = Agent::connect({.name = "sender", .kind = {}}, config_).value();
    Publisher publisher = sender.publisher("route.test").value();
    for (int round = 0; round < 5; ++round) send(publisher, 200'000);
    // Queues double up to their bounds: on a busy machine one may reach a depth that it never had,
    // and then it is still being warmed. What is allocated for messages comes back every time.
    std::uint64_t sent = 1'000'000;
    for (int attempt = 0; attempt < 10 && (attempt == 0 || (ours > 0 && !plant)); ++attempt) {
      ours = of_libzmq = of_others = 0;
      is_counting = true;
      send(publisher, 1'000'000);
      is_counting = false;
      sent += 1'000'000;
    }
    EXPECT_EQ(handled, sent);
    std::printf("1,000,000 messages: %llu allocations of ours, %llu of libzmq, %llu of others\n",
                static_cast<unsigned long long>(ours), static_cast<unsigned long long>(of_libzmq),
                static_cast<unsigned long long>(of_others));
    if (ours > 0)
      std::printf("the last of ours: addr2line -e allocation_test -Cf 0x%llx\n",
                  static_cast<unsigned long long>(
                      reinterpret_cast<std::uintptr_t>(last_of_ours.load()) - program.first));
  }

  Config config_;
  const abuzz::ScratchDirectory scratch_;
};

TEST_F(MessageRoute, AllocatesNothingOfOursOverAMillionMessages) {
  run(false);
  EXPECT_EQ(ours, 0u);
  // Per frame, never per message.
  EXPECT_LT(of_libzmq, 500'000u);
}

TEST_F(MessageRoute, IsSeenToAllocateWhereAHandlerDoes) {
  run(true);
  EXPECT_GT(ours, 0u);
}

}  // namespace
}  // namespace abuzz
