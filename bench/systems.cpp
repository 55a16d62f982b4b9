#include "bench/systems.hpp"

#include <vector>

#include "bench/peers/peers.hpp"

namespace abuzz::bench {
namespace {

struct Known {
  const char* name;
  const char* packages;  // of Debian, that it is built with
};
constexpr Known known[] = {
    {"nng", "libnng-dev"},
    {"nats", "nats-server libnats-dev"},
    {"redis", "redis-server libhiredis-dev"},
    {"mosquitto", "mosquitto libmosquitto-dev"},
    {"cyclonedds", "cyclonedds-dev cyclonedds-tools"},
};

}  // namespace

std::span<const System* const> all_systems() noexcept {
  static const System* const systems[] = {
      &abuzz_system,      &zmq_system, &zmq_direct_system,
#ifdef ABUZZ_PEER_NNG
      &nng_system,
#endif
#ifdef ABUZZ_PEER_NATS
      &nats_system,
#endif
#ifdef ABUZZ_PEER_REDIS
      &redis_system,
#endif
#ifdef ABUZZ_PEER_MOSQUITTO
      &mosquitto_system,
#endif
#ifdef ABUZZ_PEER_CYCLONEDDS
      &cyclonedds_system,
#endif
  };
  return systems;
}

const System* find_system(std::string_view name) noexcept {
  for (const System* system : all_systems()) {
    if (name == system->name) return system;
  }
  return nullptr;
}

std::string_view packages_of(std::string_view name) noexcept {
  for (const Known& peer : known) {
    if (name == peer.name) return peer.packages;
  }
  return {};
}

std::string system_names() {
  std::string names;
  for (const System* system : all_systems()) {
    if (!names.empty()) names += ", ";
    names += system->name;
  }
  return names;
}

}  // namespace abuzz::bench
