#include "bus/base/json_text.hpp"

#include <cstddef>
#include <cstdio>

namespace abuzz::base {
namespace {

unsigned octet(char c) noexcept {
  return static_cast<unsigned char>(c);
}

// Bytes of the UTF-8 sequence at the start of a text, 0 where there is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_bytes(std::string_view text) noexcept {
  const unsigned first = octet(text[0]);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < count) return 0;
  const unsigned second = octet(text[1]);
  const unsigned least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (second < least || second > most) return 0;
  for (std::size_t index = 2; index < count; ++index)
    if ((octet(text[index]) & 0xC0u) != 0x80) return 0;
  return count;
}

void append_key(std::string& json, const char* key) {
  json.append(",\"").append(key).append("\":");
}

void append_escape(std::string& json, char c) {
  char escape[8];
  std::snprintf(escape, sizeof(escape), "\\u%04x", octet(c));
  json.append(escape);
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t count = sequence_bytes(bytes);
    if (count == 0) return false;
    bytes.remove_prefix(count);
  }
  return true;
}

void append_base64(std::string& json, std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    unsigned word = octet(bytes[at]) << 16;
    if (count > 1) word |= octet(bytes[at + 1]) << 8;
    if (count > 2) word |= octet(bytes[at + 2]);
    json += digits[word >> 18];
    json += digits[(word >> 12) & 63];
    json += count > 1 ? digits[(word >> 6) & 63] : '=';
    json += count > 2 ? digits[word & 63] : '=';
  }
}

void append_text(std::string& json, const char* key, std::string_view text) {
  append_key(json, key);
  json += '"';
  while (!text.empty()) {
    const std::size_t count = sequence_bytes(text);
    if (octet(text[0]) < 0x20) {
      append_escape(json, text[0]);
    } else {
      if (text[0] == '"' || text[0] == '\\') json += '\\';
      json.append(count > 0 ? text.substr(0, count) : std::string_view("\xEF\xBF\xBD"));
    }
    text.remove_prefix(count > 0 ? count : 1);
  }
  json += '"';
}

void append_number(std::string& json, const char* key, std::uint64_t value) {
  append_key(json, key);
  json.append(std::to_string(value));
}

void append_fact(std::string& json, const char* key, bool value) {
  append_key(json, key);
  json.append(value ? "true" : "false");
}

void append_bytes(std::string& json, const char* key, std::string_view bytes) {
  if (is_utf8(bytes)) return append_text(json, key, bytes);
  append_key(json, (std::string(key) + "_base64").c_str());
  json += '"';
  append_base64(json, bytes);
  json += '"';
}

}  // namespace abuzz::base
