// Campaign: 10'000'000 runs
#include "bus/wire/control.hpp"
#include "tests/fuzz/fuzz_support.hpp"

// A datagram on the door, read as each of its kinds. What was taken can be written and read again.

namespace {

using namespace abuzz;

template <class Message>
void read_as(std::span<const std::byte> datagram) {
  Message message;
  if (wire::read_door(datagram, message) != wire::Reject::none) return;
  Message again;
  const std::vector<std::byte> written = wire::write_door(message);
  if (written.size() > wire::door_bytes_max) return;
  fuzz::require(wire::read_door(written, again) == wire::Reject::none);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  std::vector<std::byte> datagram = fuzz::copy_of(fuzz::bytes_of(data, count));
  for (std::uint8_t kind = 0; kind < 4; ++kind) {
    if (datagram.size() >= sizeof(wire::DoorHead)) {
      wire::DoorHead head;
      std::memcpy(&head, datagram.data(), sizeof(head));
      head.body_bytes = static_cast<std::uint32_t>(datagram.size() - sizeof(head));
      if (kind > 0) head.kind = static_cast<wire::DoorKind>(kind);
      std::memcpy(datagram.data(), &head, sizeof(head));
    }
    read_as<wire::DoorHello>(datagram);
    read_as<wire::DoorWelcome>(datagram);
    read_as<wire::DoorRefusal>(datagram);
  }
  return 0;
}
