#include "bus/client/reply_failure.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace abuzz::client {
namespace {

Failure read(const std::string& bytes) {
  return read_failure(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

TEST(ReplyFailure, says_what_was_written) {
  std::array<std::byte, failure_bytes_max> payload;
  const auto bytes = write_failure(Error::denied, "not for you", payload);
  EXPECT_EQ(bytes.size(), 13u);
  const Failure failure = read_failure(bytes);
  EXPECT_EQ(failure.error, Error::denied);
  EXPECT_EQ(failure.detail, "not for you");
}

TEST(ReplyFailure, a_longer_text_is_cut) {
  std::array<std::byte, failure_bytes_max> payload;
  const auto bytes = write_failure(Error::denied, std::string(600, 'x'), payload);
  EXPECT_EQ(bytes.size(), failure_bytes_max);
  EXPECT_EQ(read_failure(bytes).detail, std::string(512, 'x'));
  std::string long_one(100'000, 'y');
  long_one[0] = long_one[1] = '\1';
  EXPECT_EQ(read(long_one).detail, std::string(512, 'y'));
}

TEST(ReplyFailure, what_is_none_is_a_failure_all_the_same) {
  EXPECT_EQ(read("").error, Error::request_failed);
  EXPECT_EQ(read("x").error, Error::request_failed);
  EXPECT_EQ(read("\xff\xff").error, Error::request_failed);
  EXPECT_EQ(read(std::string(2, '\0')).error, Error::request_failed);
}

TEST(ReplyFailure, control_characters_of_a_peer_are_not_passed_on) {
  EXPECT_EQ(read(std::string("\x8c\x03") + "a\x1b[2Jb\n\x7f").detail, "a?[2Jb??");
}

}  // namespace
}  // namespace abuzz::client
