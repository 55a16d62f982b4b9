#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace abuzz::testing {

// The names of an enum's enumerators by value, empty where there is none, as g++ and clang print
// them: a test sees an enumerator that was added without the rest. Cut out at run time: for
// hundreds of values the compiler takes minutes.
template <auto Value>
constexpr const char* signature_with() {
  return __PRETTY_FUNCTION__;
}

inline std::string_view enumerator_name(std::string_view name) {
  name.remove_prefix(name.find("Value = ") + 8);
  name = name.substr(0, name.find_first_of(";]"));
  if (name.find('(') != std::string_view::npos) return {};
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? std::string_view{} : name.substr(colon + 1);
}

template <class Enum, std::size_t Count>
std::array<std::string_view, Count> enumerator_names() {
  const auto signatures = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<const char*, Count>{signature_with<static_cast<Enum>(I)>()...};
  }
  (std::make_index_sequence<Count>{});
  std::array<std::string_view, Count> names;
  for (std::size_t i = 0; i < Count; ++i) names[i] = enumerator_name(signatures[i]);
  return names;
}

}  // namespace abuzz::testing
