#include "bus/node/state_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bus/base/runtime_paths.hpp"
#include "tests/node/temporary_directory.hpp"

namespace abuzz::node::test {
namespace {

using testing::HasSubstr;

class StateFile : public testing::Test {
 protected:
  NodeIdentity begin(bool managed = false) { return begin_node_life(path_, managed).value(); }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "node.state";
};

TEST_F(StateFile, keeps_id_and_key_and_raises_the_epoch_at_each_start) {
  const NodeIdentity first = begin();
  EXPECT_NE(first.node_id, 0U);
  EXPECT_EQ(first.node_epoch, 1U);
  const NodeIdentity second = begin();
  EXPECT_EQ(second.node_id, first.node_id);
  EXPECT_EQ(second.node_epoch, 2U);
  EXPECT_EQ(second.key, first.key);
  EXPECT_EQ(mode_of(path_), 0600U);
}

TEST_F(StateFile, two_directories_have_two_identities) {
  const NodeIdentity here = begin();
  const NodeIdentity there = begin_node_life(directory_ / "other.state", false).value();
  EXPECT_NE(here.node_id, there.node_id);
  EXPECT_NE(here.key, there.key);
}

TEST_F(StateFile, a_damaged_file_gives_a_new_identity) {
  const NodeIdentity first = begin();
  const std::string good = read_text(path_);
  // Cut short at every byte but the last line, which says nothing about the identity.
  for (std::size_t bytes = 0; bytes < good.find("managed"); ++bytes) {
    write_text(path_, good.substr(0, bytes));
    const NodeIdentity next = begin();
    EXPECT_NE(next.node_id, first.node_id) << bytes;
    EXPECT_EQ(next.node_epoch, 1U) << bytes;
  }
  write_text(path_, std::string(100'000, 'x'));
  EXPECT_EQ(begin().node_epoch, 1U);
}

TEST_F(StateFile, the_last_epoch_is_not_passed) {
  begin();
  std::string text = read_text(path_);
  text.replace(text.find("node_epoch 1"), 12, "node_epoch 4294967295");
  write_text(path_, text);
  EXPECT_EQ(begin().node_epoch, 1U) << "of a new identity";
}

TEST_F(StateFile, a_file_of_somebody_elses_making_is_replaced_not_followed) {
  write_text(directory_ / "victim", "precious");
  ASSERT_EQ(symlink((directory_ / "victim").c_str(), path_.c_str()), 0);
  ASSERT_EQ(symlink((directory_ / "victim").c_str(), (path_ + ".new").c_str()), 0);
  EXPECT_EQ(begin().node_epoch, 1U);
  EXPECT_EQ(read_text(directory_ / "victim"), "precious");
  EXPECT_EQ(begin().node_epoch, 2U);
}

TEST_F(StateFile, says_whether_agents_are_to_wait) {
  const base::RuntimePaths paths(directory_ / ".");
  EXPECT_FALSE(base::is_managed_node_expected(paths));
  begin(true);
  EXPECT_TRUE(base::is_managed_node_expected(paths));
  begin(false);
  EXPECT_FALSE(base::is_managed_node_expected(paths));
}

TEST_F(StateFile, a_directory_that_cannot_be_written_is_an_error_with_its_name) {
  const Result<NodeIdentity> result = begin_node_life("/proc/node.state", false);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error(), Error::system);
  EXPECT_THAT(result.failure().detail, HasSubstr("/proc/node.state.new"));
}

TEST(AgentToken, depends_on_key_and_id) {
  base::Key128 key{};
  const base::Mac128 token = agent_token(key, 7);
  EXPECT_EQ(token, agent_token(key, 7));
  EXPECT_NE(token, agent_token(key, 8));
  key[15] = std::byte{1};
  EXPECT_NE(token, agent_token(key, 7));
}

}  // namespace
}  // namespace abuzz::node::test
