#pragma once

#include <sys/un.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bus/error.hpp"
#include "bus/link/door.hpp"

// What both ends of an AF_UNIX door share. Private to unix_*.cpp.

namespace abuzz::link::detail {

class Descriptor {
 public:
  explicit Descriptor(int value = -1) noexcept : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int value() const noexcept { return value_; }
  bool is_open() const noexcept { return value_ >= 0; }
  void reset() noexcept;

 private:
  int value_;
};

// The failure of a system call that just set errno.
Failure system_failure(const char* call, const std::string& path);
Result<sockaddr_un> unix_address(const std::string& path);

DoorCall::Status send_datagram(int descriptor, std::span<const std::byte> datagram) noexcept;
// An empty datagram cannot be told from a hang-up, and one over the limit is not from a friend:
// both are `closed`.
DoorCall::Status receive_datagram(int descriptor, std::vector<std::byte>& datagram);

}  // namespace abuzz::link::detail
