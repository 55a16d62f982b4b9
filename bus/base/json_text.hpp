#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Pieces of the JSON objects in which a node tells what happens. Each appends a field, with a comma
// in front of it: an object begins with something else, such as {"v":1.

namespace abuzz::base {

bool is_utf8(std::string_view bytes) noexcept;
void append_base64(std::string& json, std::string_view bytes);

// Control characters are escaped; bytes that are not UTF-8 become U+FFFD.
void append_text(std::string& json, const char* key, std::string_view text);
void append_number(std::string& json, const char* key, std::uint64_t value);
void append_fact(std::string& json, const char* key, bool value);
// key: the text, or key_base64 where the bytes are not UTF-8.
void append_bytes(std::string& json, const char* key, std::string_view bytes);

}  // namespace abuzz::base
