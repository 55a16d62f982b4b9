#include "bus/delivery/dead_letter.hpp"

#include <gtest/gtest.h>

namespace abuzz::delivery {
namespace {

TEST(DeadLetter, TellsWhatHappenedFromTheFirstAttemptOn) {
  FailureLog log;
  const std::uint64_t first =
      log.add({0, 4, 2 * base::second, 1, FailureCause::lapsed, {}}, "shop");
  DeadLetter letter;
  letter.id = 3;
  letter.topic = "orders.new";
  letter.group = "billing";
  letter.pattern = "orders.*";
  letter.publisher = "till";
  letter.agent_id = 9;
  letter.publisher_id = 2;
  letter.sequence = 17;
  letter.key = 5;
  letter.attempts = 2;
  letter.failure = log.add({first, 5, 5 * base::second, 2, FailureCause::nak, {}}, "depot");
  letter.payload = "buy";
  letter.now = 5 * base::second;
  letter.wall_now = 1000 * base::second;
  EXPECT_EQ(
      write_dead_letter(letter, log),
      R"({"v":1,"id":3,"topic":"orders.new","group":"billing","pattern":"orders.*","cause":"nak",)"
      R"("attempts":2,"time_ms":1000000,"publisher":"till","agent_id":9,"publisher_id":2,)"
      R"("sequence":17,"key":5,"correlation":0,"history":[)"
      R"({"attempt":1,"cause":"lapsed","agent":"shop","agent_id":4,"time_ms":997000},)"
      R"({"attempt":2,"cause":"nak","agent":"depot","agent_id":5,"time_ms":1000000}],)"
      R"("payload_bytes":3,"payload_cut":false,"payload":"buy"})");
}

TEST(DeadLetter, ALargePayloadIsCut) {
  FailureLog log;
  const std::string payload(dead_payload_bytes_max + 10, 'x');
  DeadLetter letter;
  letter.payload = payload;
  const std::string json = write_dead_letter(letter, log);
  EXPECT_NE(json.find("\"payload_cut\":true"), std::string::npos);
  EXPECT_LT(json.size(), dead_payload_bytes_max + 1000);
}

TEST(DeadLetter, ItsTopicIsReserved) {
  EXPECT_EQ(dead_topic("orders.new"), "$dead.orders.new");
}

}  // namespace
}  // namespace abuzz::delivery
