#include <algorithm>
#include <cctype>
#include <limits>

#include "bus/config_keys.hpp"

// How a value of a key is written, read and refused.

namespace abuzz::detail {
namespace {

using namespace units;
using enum KeyKind;

struct Unit {
  const char* name;
  std::uint64_t factor;
};
// Largest first, as values are printed.
constexpr Unit duration_units[] = {{"h", h}, {"min", min}, {"s", s}, {"ms", ms}};
constexpr Unit bytes_units[] = {{"TiB", tib}, {"GiB", gib}, {"MiB", mib}, {"KiB", kib}, {"B", 1}};

std::span<const Unit> units_of(KeyKind kind) {
  if (kind == duration) return duration_units;
  if (kind == bytes) return bytes_units;
  return {};
}

// The number in the largest unit that divides it, so that nothing is rounded.
std::string number_text(KeyKind kind, std::uint64_t number) {
  if (number != 0) {
    for (const Unit& unit : units_of(kind)) {
      if (number % unit.factor == 0) return std::to_string(number / unit.factor) + unit.name;
    }
  }
  return std::to_string(number);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

Failure refused(Error error, const ConfigKey& key, std::string_view given, const std::string& where,
                const std::string& why) {
  // The value may hold anything: what is not printable would spoil the terminal.
  std::string shown;
  for (const char c : given.substr(0, 80)) {
    shown += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  }
  return {error, where + key.dotted() + " = " + shown + ": " + why};
}

std::string form_text(const ConfigKey& key) {
  switch (key.kind) {
    case text:
      return std::string("one of ") + key.choices;
    case path:
      return "an absolute path, or empty";
    case flag:
      return "true or false";
    case duration:
      return "a whole number and a unit (ms s min h), such as \"5s\"";
    case bytes:
      return "a whole number and a unit (B KiB MiB GiB TiB), such as \"64MiB\"";
    case count:
      return "a whole number without a unit, such as 1024";
  }
  return {};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Past any range, so that a number that does not fit answers out_of_range.
constexpr std::uint64_t number_huge = std::numeric_limits<std::uint64_t>::max();

std::uint64_t multiply_saturated(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? number_huge : product;
}

// The digits at the front of `rest`, which it takes off.
std::uint64_t take_number(std::string_view& rest) {
  std::uint64_t number = 0;
  while (!rest.empty() && is_digit(rest.front())) {
    const auto digit = static_cast<std::uint64_t>(rest.front() - '0');
    number = multiply_saturated(number, 10);
    number = number > number_huge - digit ? number_huge : number + digit;
    rest.remove_prefix(1);
  }
  return number;
}

bool is_in_range(const ConfigKey& key, std::uint64_t number) {
  return (number >= key.min && number <= key.max) || (number == 0 && key.is_zero_allowed);
}

Status set_number(const ConfigKey& key, const KeyField& target, std::string_view given,
                  const std::string& where) {
  const Failure bad =
      refused(Error::config_bad_value, key, given, where, "it takes " + form_text(key));
  std::string_view rest = given;
  const bool is_negative = rest.starts_with('-');
  if (is_negative) rest.remove_prefix(1);
  if (rest.empty() || !is_digit(rest.front())) return bad;
  std::uint64_t number = take_number(rest);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  if (const std::span<const Unit> units = units_of(key.kind); units.empty()) {
    if (!rest.empty()) return bad;
  } else if (!rest.empty() || (number != 0 && !is_negative)) {
    const auto unit = std::ranges::find_if(units, [&](const Unit& u) { return rest == u.name; });
    if (unit == units.end()) return bad;
    number = multiply_saturated(number, unit->factor);
  }
  if (is_negative || !is_in_range(key, number)) {
    return refused(Error::config_out_of_range, key, given, where, "it takes " + range_text(key));
  }
  if (auto* const* target32 = std::get_if<std::uint32_t*>(&target)) {
    **target32 = static_cast<std::uint32_t>(number);
  } else if (auto* const* target64 = std::get_if<std::uint64_t*>(&target)) {
    **target64 = number;
  } else {
    *std::get<std::chrono::milliseconds*>(target) =
        std::chrono::milliseconds(static_cast<std::int64_t>(number));
  }
  return Done{};
}

bool is_choice(std::string_view choices, std::string_view given) {
  while (!choices.empty()) {
    const std::size_t blank = choices.find(' ');
    if (choices.substr(0, blank) == given) return true;
    choices.remove_prefix(blank == std::string_view::npos ? choices.size() : blank + 1);
  }
  return false;
}

bool is_usable_path(std::string_view given) {
  if (given.empty()) return true;
  return given.front() == '/' && std::ranges::none_of(given, [](char c) {
           return std::iscntrl(static_cast<unsigned char>(c)) != 0;
         });
}

// Of a key that is a number. A negative duration is past any range.
std::uint64_t number_of(const KeyField& source) {
  if (const auto* field32 = std::get_if<std::uint32_t*>(&source)) return **field32;
  if (const auto* field64 = std::get_if<std::uint64_t*>(&source)) return **field64;
  return static_cast<std::uint64_t>(std::get<std::chrono::milliseconds*>(source)->count());
}

bool is_valid(const ConfigKey& key, const KeyField& source) {
  switch (key.kind) {
    case text:
      return is_choice(key.choices, *std::get<std::string*>(source));
    case path:
      return is_usable_path(*std::get<std::string*>(source));
    case flag:
      return true;
    case duration:
    case bytes:
    case count:
      return is_in_range(key, number_of(source));
  }
  return false;
}

}  // namespace

std::string range_text(const ConfigKey& key) {
  if (key.kind == text || key.kind == path || key.kind == flag) return form_text(key);
  if (key.min == key.max) return number_text(key.kind, key.min);
  std::string range = number_text(key.kind, key.min) + " .. " + number_text(key.kind, key.max);
  return key.is_zero_allowed ? range + ", or 0" : range;
}

std::string value_text(const ConfigKey& key, const Config& config) {
  Config copy = config;
  const KeyField source = key.field(copy);
  if (const auto* text_field = std::get_if<std::string*>(&source)) return quoted(**text_field);
  if (const auto* flag_field = std::get_if<bool*>(&source)) return **flag_field ? "true" : "false";
  const auto* time = std::get_if<std::chrono::milliseconds*>(&source);
  if (time != nullptr && (*time)->count() < 0)
    return quoted(std::to_string((*time)->count()) + "ms");
  const std::uint64_t number = number_of(source);
  if (key.kind == count || number == 0) return std::to_string(number);
  return quoted(number_text(key.kind, number));
}

Status set_value(const ConfigKey& key, Config& config, std::string_view given,
                 const std::string& where) {
  const KeyField target = key.field(config);
  bool is_good = true;
  switch (key.kind) {
    case text:
      is_good = is_choice(key.choices, given);
      break;
    case path:
      is_good = is_usable_path(given);
      break;
    case flag:
      is_good = given == "true" || given == "false";
      break;
    case duration:
    case bytes:
    case count:
      return set_number(key, target, given, where);
  }
  if (!is_good) {
    return refused(Error::config_bad_value, key, given, where, "it takes " + form_text(key));
  }
  if (auto* const* text_field = std::get_if<std::string*>(&target)) {
    **text_field = given;
  } else {
    *std::get<bool*>(target) = given == "true";
  }
  return Done{};
}

}  // namespace abuzz::detail

namespace abuzz {

Status check_config(const Config& config) {
  Config copy = config;
  for (const detail::ConfigKey& key : detail::config_keys()) {
    if (detail::is_valid(key, key.field(copy))) continue;
    const bool is_number = key.kind != detail::KeyKind::text && key.kind != detail::KeyKind::path;
    return detail::refused(is_number ? Error::config_out_of_range : Error::config_bad_value, key,
                           detail::value_text(key, config), "", "it takes " + range_text(key));
  }
  return Done{};
}

}  // namespace abuzz
