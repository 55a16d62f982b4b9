#include "tools/json_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace abuzz::tools {
namespace {

std::string text_of(std::string_view value) {
  std::string out;
  JsonWriter(out).text(value);
  return out;
}

TEST(JsonWriter, PutsCommasBetweenAndNotBefore) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("v", 1u).field("name", "x").key("list").begin_array();
  json.number(1u).number(2u).begin_object().end_object().begin_array().end_array().end_array();
  json.field_bool("yes", true).field_real("rate", 0.5).end_object();
  EXPECT_EQ(out, R"({"v":1,"name":"x","list":[1,2,{},[]],"yes":true,"rate":0.5})");
}

TEST(JsonWriter, EscapesWhatJsonMustNotHold) {
  EXPECT_EQ(text_of("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(text_of("\n\t\r"), R"("\n\t\r")");
  EXPECT_EQ(text_of(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(text_of("größe · 数 🐝"), "\"größe · 数 🐝\"");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(text_of("a\xff"), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(text_of("\xC3"), "\"\xEF\xBF\xBD\"");
}

TEST(JsonWriter, KeepsBytesExactlyAsBase64) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field_bytes("payload", "hi").field_bytes("other", "\xff\x01").end_object();
  EXPECT_EQ(out, R"({"payload":"hi","other_base64":"/wE="})");
}

TEST(JsonWriter, PrintsTheLargestNumbers) {
  std::string out;
  JsonWriter json(out);
  json.begin_array().number(std::numeric_limits<std::uint64_t>::max());
  json.real(std::numeric_limits<double>::infinity()).real(1e300).end_array();
  EXPECT_EQ(out, "[18446744073709551615,null,1e+300]");
}

TEST(Utf8, IsWellFormedAndShortest) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\xF4\x8F\xBF\xBF"));
  for (const char* bytes : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                            "\xF4\x90\x80\x80", "\xF0\x80\x80\x80", "\xE2\x82", "\xFE"}) {
    EXPECT_FALSE(is_utf8(bytes));
  }
}

TEST(Base64, PadsToFours) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    bytes += static_cast<char>(i);
  }
}

}  // namespace
}  // namespace abuzz::tools
