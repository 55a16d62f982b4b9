#pragma once

#include <string>
#include <string_view>

namespace abuzz::tools {

// How a pattern that does not match a topic nearly does: "one token more", "one token less",
// "`ordres` is not `orders`". Empty when it is far from it. Requires: both were checked.
std::string near_miss(std::string_view pattern, std::string_view topic);

}  // namespace abuzz::tools
