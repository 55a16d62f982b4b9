#include <dlfcn.h>
#include <zmq.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

// A link that loses frames, for agents of tests: loaded before libzmq (LD_PRELOAD), it swallows one
// in so many of the frames that the process sends or receives. An agent's frames go through one
// socket at a time, used by one thread at a time; what it sends is one part, what it gets has more.
//
//   ABUZZ_TEST_LOSS_ONE_IN  of so many frames one, each way
//   ABUZZ_TEST_LOSS_FILE    gets `up` or `down` for each

namespace {

// What makes a link is not lost: the first frames after it was connected.
constexpr std::uint64_t spared = 20;

struct Way {
  const char* name;
  std::uint64_t frames = 0;     // in all
  std::uint64_t connected = 0;  // of them, before the link was connected
  bool is_inside = false;       // parts of the frame are still to come
};
Way up{"up"}, down{"down"};

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_lost(Way& way) {
  static const char* const one_in = std::getenv("ABUZZ_TEST_LOSS_ONE_IN");
  static const char* const path = std::getenv("ABUZZ_TEST_LOSS_FILE");
  static const std::uint64_t rate = one_in == nullptr ? 0 : std::strtoull(one_in, nullptr, 10);
  if (rate == 0 || path == nullptr || ++way.frames % rate != 0) return false;
  if (way.frames - way.connected <= spared) return false;
  if (std::FILE* file = std::fopen(path, "a")) {
    std::fprintf(file, "%s\n", way.name);
    std::fclose(file);
  }
  return true;
}

}  // namespace

extern "C" int zmq_connect(void* socket, const char* endpoint) {
  static auto* const connect = next<int(void*, const char*)>("zmq_connect");
  up.connected = up.frames;
  down.connected = down.frames;
  return connect(socket, endpoint);
}

extern "C" int zmq_msg_send(zmq_msg_t* message, void* socket, int flags) {
  static auto* const send = next<int(zmq_msg_t*, void*, int)>("zmq_msg_send");
  if ((flags & ZMQ_SNDMORE) != 0 || !is_lost(up)) return send(message, socket, flags);
  const int bytes = static_cast<int>(zmq_msg_size(message));
  zmq_msg_close(message);  // as libzmq leaves one that it took
  zmq_msg_init(message);
  return bytes;
}

extern "C" int zmq_msg_recv(zmq_msg_t* message, void* socket, int flags) {
  static auto* const receive = next<int(zmq_msg_t*, void*, int)>("zmq_msg_recv");
  int bytes = receive(message, socket, flags);
  if (bytes >= 0 && !down.is_inside && is_lost(down)) {
    while (bytes >= 0 && zmq_msg_more(message) != 0) bytes = receive(message, socket, flags);
    bytes = receive(message, socket, flags);
  }
  down.is_inside = bytes >= 0 && zmq_msg_more(message) != 0;
  return bytes;
}
