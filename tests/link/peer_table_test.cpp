#include "bus/link/peer_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "bus/base/random.hpp"

namespace abuzz::link::detail {
namespace {

Secret numbered_secret(std::uint64_t number) {
  Secret secret{};
  std::memcpy(secret.data(), &number, sizeof(number));
  return secret;
}

std::uint64_t test_seed() {
  const char* given = std::getenv("ABUZZ_TEST_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  std::uint64_t seed = 0;
  base::fill_secret(&seed, sizeof(seed));
  return seed;
}

TEST(PeerTable, AgreesWithAModelUnderRandomUse) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("ABUZZ_TEST_SEED=" + std::to_string(seed));
  std::printf("ABUZZ_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  base::Random random(seed);
  PeerTable table;
  std::map<PeerId, std::uint64_t> waiting;  // peer -> number of its secret
  std::map<std::uint32_t, PeerId> by_connection;
  // Connections collide on purpose: few values far apart, as libzmq would never give them.
  const auto draw_connection = [&] {
    return static_cast<std::uint32_t>(random.below(300) << random.below(24));
  };
  for (std::uint64_t step = 1; step <= 40'000; ++step) {
    const PeerId peer = random.below(200);
    const std::uint32_t connection = draw_connection();
    switch (random.below(4)) {
      case 0:
        table.admit(peer, numbered_secret(step));
        std::erase_if(by_connection, [&](const auto& item) { return item.second == peer; });
        waiting[peer] = step;
        break;
      case 1: {
        const auto found = waiting.find(peer);
        const std::uint64_t number = found == waiting.end() ? 0 : found->second;
        const bool is_taken = by_connection.contains(connection);
        const PeerTable::Entry* entry = table.present(connection, numbered_secret(number));
        ASSERT_EQ(entry != nullptr, number != 0 && !is_taken);
        if (entry == nullptr) break;
        ASSERT_EQ(entry->peer, peer);
        ASSERT_EQ(table.present(connection + 1, numbered_secret(number)), nullptr);
        waiting.erase(found);
        by_connection[connection] = peer;
        break;
      }
      case 2:
        if (random.below(3) != 0) break;
        table.expel(peer);
        waiting.erase(peer);
        std::erase_if(by_connection, [&](const auto& item) { return item.second == peer; });
        break;
      default: {
        const PeerTable::Entry* entry = table.find(connection);
        const auto found = by_connection.find(connection);
        ASSERT_EQ(entry != nullptr, found != by_connection.end());
        if (entry != nullptr) {
          ASSERT_EQ(entry->peer, found->second);
        }
      }
    }
  }
  for (const auto& [connection, peer] : by_connection) {
    ASSERT_NE(table.find(connection), nullptr);
    EXPECT_EQ(table.find(connection)->peer, peer);
    EXPECT_EQ(table.find_peer(peer)->connection, connection);
  }
}

}  // namespace
}  // namespace abuzz::link::detail
