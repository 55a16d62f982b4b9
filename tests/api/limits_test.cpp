#include <string>

#include "tests/api/api_fixture.hpp"

// What is refused, where exactly, and with which error.

namespace abuzz {
namespace {

TEST_F(Api, AnAgentWithASmallPayloadLimitReceivesTheBatchesOfOthers) {
  Agent sender = connect("sender");
  config_.limits.payload_bytes_max = 4096;
  Agent agent = connect("small");
  Subscription inbox = agent.subscribe("large").value();
  Publisher publisher = sender.publisher("large").value();
  const std::string payload(60'000, 'x');
  // So many that batches reach their full size.
  std::uint64_t received = 0;
  for (int index = 0; index < 100; ++index)
    ASSERT_EQ(publisher.publish(payload, 5s), SendStatus::queued);
  while (received < 100) {
    const std::size_t more = inbox.poll([](const MessageView&) {}, 100, 5s);
    ASSERT_GT(more, 0u);
    received += more;
  }
  EXPECT_EQ(publisher.flush(5s).delivered, 100u);
}

}  // namespace
}  // namespace abuzz
