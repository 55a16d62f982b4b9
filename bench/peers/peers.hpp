#pragma once

#include "bench/systems.hpp"

namespace abuzz::bench {

// Those that need no package beyond what Abuzz needs.
extern const System zmq_system;
extern const System zmq_direct_system;

// Those whose packages were there when this program was built.
extern const System nng_system;
extern const System nats_system;
extern const System redis_system;
extern const System mosquitto_system;
extern const System cyclonedds_system;

}  // namespace abuzz::bench
