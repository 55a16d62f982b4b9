#include "bench/share_check.hpp"

#include <gtest/gtest.h>

// Several receivers share what two sources sent; what is wrong is seen only over all of them.

namespace abuzz::bench {
namespace {

class ShareCheckTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t count = 1000;

  // Message `sequence` goes to one of the two.
  ShareCheck& receiver_of(std::uint64_t sequence) { return sequence % 3 == 0 ? left_ : right_; }
  void send_all_but(std::uint64_t missing) {
    for (unsigned source = 0; source < 2; ++source)
      for (std::uint64_t sequence = 1; sequence <= count; ++sequence)
        if (source == 1 || sequence != missing) receiver_of(sequence).take(source, sequence);
  }
  RoleReport finish() {
    RoleReport report;
    left_.report(report);
    right_.report(report);
    compare_shares({{count, count}}, report);
    return report;
  }

  ShareCheck left_{2}, right_{2};
};

TEST_F(ShareCheckTest, EachMessageOnceIsVerified) {
  send_all_but(0);
  const RoleReport report = finish();
  EXPECT_EQ(report.received, 2 * count);
  EXPECT_EQ(report.lost + report.doubled + report.reordered, 0u);
}

TEST_F(ShareCheckTest, OneLostIsCaught) {
  send_all_but(17);
  EXPECT_EQ(finish().lost, 1u);
}

TEST_F(ShareCheckTest, OneThatTwoReceiversGotIsCaught) {
  send_all_but(0);
  left_.take_any(1, 4);
  EXPECT_EQ(finish().doubled, 1u);
}

TEST_F(ShareCheckTest, OneLostAndAnotherOneTwiceAreCaught) {
  send_all_but(17);
  left_.take_any(1, 4);
  const RoleReport report = finish();
  EXPECT_EQ(report.lost, 1u);
  EXPECT_EQ(report.doubled, 1u);
}

TEST_F(ShareCheckTest, AReorderInOneShareIsCaught) {
  left_.take(0, 5);
  left_.take(0, 2);
  left_.take(1, 3);
  RoleReport report;
  left_.report(report);
  EXPECT_EQ(report.reordered, 1u);
}

}  // namespace
}  // namespace abuzz::bench
