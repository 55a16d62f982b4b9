#pragma once

#include <memory>
#include <string>

#include "bus/error.hpp"
#include "bus/link/door.hpp"

namespace abuzz::link {

// The door as an AF_UNIX SOCK_SEQPACKET socket. Descriptors are close-on-exec and non-blocking.
// `path`: at most 107 bytes. The caller holds the node's lock, so an existing file is stale and is
// unlinked first.
struct UnixDoorOptions {
  std::size_t callers_max = 1024 + 64;
  int greeting_timeout_ms = 2000;  // a caller that never said anything is hung up on after this
  // Callers are turned away while fewer descriptors than this are left: each of them will want one
  // more for its link, and libzmq aborts where it finds none.
  std::size_t descriptors_spare = 64;
};
Result<std::unique_ptr<DoorListener>> listen_unix_door(const std::string& path,
                                                       const UnixDoorOptions& options);
Result<std::unique_ptr<DoorCall>> call_unix_door(const std::string& path);

}  // namespace abuzz::link
