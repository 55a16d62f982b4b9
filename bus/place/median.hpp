#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace abuzz::place {

// The upper one of the two in the middle; 0 of none. Puts the values out of order.
template <class Number>
double median(std::vector<Number>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

}  // namespace abuzz::place
