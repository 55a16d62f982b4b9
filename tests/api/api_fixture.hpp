#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "bus/agent.hpp"
#include "bus/node.hpp"

namespace abuzz {

using namespace std::chrono_literals;

// A real node over real sockets, in a runtime directory of its own, in the process of the test.
class Api : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/abuzz-api-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    config_.node.runtime_directory = directory_ + "/run";
    config_.node.idle_exit = 0ms;
    config_.agent.start_node = false;
    node_.emplace(Node::start(config_).value());
  }
  void TearDown() override {
    node_.reset();
    EXPECT_EQ(std::system(("rm -rf " + directory_).c_str()), 0);
  }
  Agent connect(const char* name) { return Agent::connect({name, "test"}, config_).value(); }

  Config config_;
  std::string directory_;
  std::optional<Node> node_;
};

}  // namespace abuzz
