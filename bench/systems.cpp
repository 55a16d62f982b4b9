#include "bench/systems.hpp"

namespace abuzz::bench {

const System* find_system(std::string_view name) noexcept {
  for (const System* system : {&abuzz_system, &zmq_system}) {
    if (name == system->name) return system;
  }
  return nullptr;
}

RoleMain find_role(const System& system, std::string_view role) noexcept {
  if (role == "hub") return system.hub;
  if (role == "publisher") return system.publisher;
  if (role == "subscriber") return system.subscriber;
  if (role == "pinger") return system.pinger;
  if (role == "ponger") return system.ponger;
  return nullptr;
}

}  // namespace abuzz::bench
