#include "bus/base/siphash.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace abuzz::base {
namespace {

Key128 counting_key() {
  Key128 key;
  for (std::size_t index = 0; index < key.size(); ++index) key[index] = std::byte(index);
  return key;
}

std::string hex(const Mac128& mac) {
  const char* digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : mac) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

// The MAC of the bytes 0, 1, ... count - 1 under the key 00 01 .. 0f: the form of the reference
// vectors of SipHash-2-4-128.
std::string mac_of_counting_bytes(std::size_t count) {
  std::vector<std::byte> message(count);
  for (std::size_t index = 0; index < count; ++index) message[index] = std::byte(index);
  return hex(siphash128(counting_key(), message));
}

TEST(Siphash, AgreesWithTheReferenceVectors) {
  const std::array<const char*, 18> expected{
      "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
      "8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
      "f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
      "14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
      "3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
      "00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
      "d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
      "31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
      "6ee2a4ca67b054bbfd3315bf85230577", "473d06e8738db89854c066c47ae47740",
  };
  for (std::size_t count = 0; count < expected.size(); ++count) {
    EXPECT_EQ(mac_of_counting_bytes(count), expected[count]) << count << " bytes";
  }
  EXPECT_EQ(mac_of_counting_bytes(63), "5150d1772f50834a503e069a973fbd7c");
}

TEST(Siphash, DependsOnTheLengthAndOnTheKey) {
  const std::array<std::byte, 2> zeros{};
  const Mac128 one = siphash128(counting_key(), std::span(zeros).first(1));
  const Mac128 two = siphash128(counting_key(), zeros);
  EXPECT_FALSE(equal_constant_time(one, two));
  EXPECT_FALSE(equal_constant_time(siphash128(Key128{}, zeros), two));
}

TEST(Siphash, ComparesEveryByte) {
  const Mac128 mac = siphash128(counting_key(), {});
  EXPECT_TRUE(equal_constant_time(mac, mac));
  for (std::size_t index = 0; index < mac.size(); ++index) {
    Mac128 other = mac;
    other[index] ^= std::byte{1};
    EXPECT_FALSE(equal_constant_time(mac, other)) << index;
  }
}

}  // namespace
}  // namespace abuzz::base
