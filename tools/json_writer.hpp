#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace abuzz::tools {

// Not for bool, which would print as 0 or 1.
template <class T>
concept Unsigned = std::unsigned_integral<T> && !std::same_as<T, bool>;

bool is_utf8(std::string_view bytes) noexcept;
std::string to_base64(std::string_view bytes);
std::string from_base64(std::string_view text);  // what to_base64 made

// Appends JSON to a string that the caller owns and may reuse; commas come by themselves. It exists
// beside nlohmann::json because `sub --json` writes an object a message: nothing is allocated here
// but the string's growth.
//
// Strings that are not UTF-8 get U+FFFD for each bad byte; bytes() keeps them exactly.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& text(std::string_view value);
  JsonWriter& number(Unsigned auto value) { return whole(value); }
  JsonWriter& real(double value);
  JsonWriter& boolean(bool value);

  JsonWriter& field(std::string_view name, std::string_view value) { return key(name).text(value); }
  JsonWriter& field(std::string_view name, Unsigned auto value) { return key(name).number(value); }
  JsonWriter& field_real(std::string_view name, double value) { return key(name).real(value); }
  JsonWriter& field_bool(std::string_view name, bool value) { return key(name).boolean(value); }
  // name: the text, or name_base64 when the bytes are not UTF-8.
  JsonWriter& field_bytes(std::string_view name, std::string_view value);

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  JsonWriter& whole(std::uint64_t value);
  void separate();

  std::string& out_;
  bool is_first_ = true;  // nothing stands before in this object or array
};

}  // namespace abuzz::tools
