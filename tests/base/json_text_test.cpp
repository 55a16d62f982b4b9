#include "bus/base/json_text.hpp"

#include <gtest/gtest.h>

namespace abuzz::base {
namespace {

std::string text_of(std::string_view text) {
  std::string json;
  append_text(json, "k", text);
  return json;
}

TEST(JsonText, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(text_of("a\"b\\c\n\x01"), R"(,"k":"a\"b\\c\u000a\u0001")");
  EXPECT_EQ(text_of("gr\xC3\xBC\xC3\x9F"), ",\"k\":\"gr\xC3\xBC\xC3\x9F\"");
}

TEST(JsonText, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(text_of("a\xFF"), ",\"k\":\"a\xEF\xBF\xBD\"");
}

TEST(JsonText, BytesAreKeptExactly) {
  std::string json;
  append_bytes(json, "payload", "plain");
  append_bytes(json, "payload", "\xFF\x01\x02");
  append_bytes(json, "payload", "\xFF\x01");
  append_bytes(json, "payload", "\xFF");
  EXPECT_EQ(json, R"(,"payload":"plain","payload_base64":"/wEC","payload_base64":"/wE=",)"
                  R"("payload_base64":"/w==")");
}

TEST(JsonText, NumbersAndFacts) {
  std::string json;
  append_number(json, "n", 18446744073709551615ull);
  append_fact(json, "yes", true);
  append_fact(json, "no", false);
  EXPECT_EQ(json, R"(,"n":18446744073709551615,"yes":true,"no":false)");
}

}  // namespace
}  // namespace abuzz::base
