#include "bus/client/reply_failure.hpp"

#include <algorithm>
#include <cstring>

namespace abuzz::client {

std::span<const std::byte> write_failure(Error error, std::string_view text,
                                         std::span<std::byte> payload) noexcept {
  const auto number = static_cast<std::uint16_t>(error);
  const std::size_t bytes = std::min(text.size(), failure_text_bytes_max);
  payload[0] = static_cast<std::byte>(number & 0xff);
  payload[1] = static_cast<std::byte>(number >> 8);
  if (bytes > 0) std::memcpy(payload.data() + 2, text.data(), bytes);
  return payload.first(2 + bytes);
}

Failure read_failure(std::span<const std::byte> payload) {
  Failure failure{Error::request_failed, {}};
  if (payload.size() < 2) return failure;
  const unsigned number =
      static_cast<unsigned>(payload[0]) | (static_cast<unsigned>(payload[1]) << 8);
  const ErrorInfo* info = find_error(static_cast<std::uint16_t>(number));
  if (info != nullptr) failure.error = info->error;
  const std::span<const std::byte> text =
      payload.subspan(2, std::min(payload.size() - 2, failure_text_bytes_max));
  failure.detail.assign(reinterpret_cast<const char*>(text.data()), text.size());
  std::replace_if(
      failure.detail.begin(), failure.detail.end(),
      [](char character) {
        return static_cast<unsigned char>(character) < ' ' || character == 127;
      },
      '?');
  return failure;
}

}  // namespace abuzz::client
