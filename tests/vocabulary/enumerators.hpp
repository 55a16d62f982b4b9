#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace abuzz::testing {

// The names of an enum's enumerators by value, empty where there is none, as g++ and clang print
// them: a test sees an enumerator that was added without the rest.
template <auto Value>
constexpr std::string_view enumerator_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("Value = ") + 8);
  name = name.substr(0, name.find_first_of(";]"));
  if (name.find('(') != std::string_view::npos) return {};
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? std::string_view{} : name.substr(colon + 1);
}

template <class Enum, std::size_t Count>
constexpr std::array<std::string_view, Count> enumerator_names() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<std::string_view, Count>{enumerator_name<static_cast<Enum>(I)>()...};
  }
  (std::make_index_sequence<Count>{});
}

}  // namespace abuzz::testing
