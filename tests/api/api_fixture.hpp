#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "bus/agent.hpp"
#include "bus/node.hpp"
#include "tests/scratch.hpp"

namespace abuzz {

using namespace std::chrono_literals;

// A real node over real sockets, in a runtime directory of its own, in the process of the test.
class Api : public testing::Test {
 protected:
  void SetUp() override {
    config_.node.runtime_directory = directory_ + "/run";
    config_.node.idle_exit = 0ms;
    config_.agent.start_node = false;
    node_.emplace(Node::start(config_).value());
  }
  void TearDown() override { node_.reset(); }
  Agent connect(const char* name) { return Agent::connect({name, "test"}, config_).value(); }

  Config config_;
  const ScratchDirectory scratch_;
  const std::string directory_ = scratch_.path();
  std::optional<Node> node_;
};

}  // namespace abuzz
