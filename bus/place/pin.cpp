#include "bus/place/pin.hpp"

#include <pthread.h>

#include <cerrno>
#include <exception>

#include "bus/base/quiet_thread.hpp"

namespace abuzz::place {
namespace {

struct Errand {
  const Processors& processors;
  const std::function<void(const PinOutcome&)>& body;
  std::exception_ptr fault;

  static void* run(void* self) noexcept {
    Errand& errand = *static_cast<Errand*>(self);
    try {
      const int refused = set_affinity(errand.processors);
      errand.body({refused, read_affinity()});
    } catch (...) {
      errand.fault = std::current_exception();
    }
    return nullptr;
  }
};

}  // namespace

void run_on(const Processors& processors, const std::function<void(const PinOutcome&)>& body) {
  Errand errand{processors, body, {}};
  pthread_t thread{};
  if (!base::start_quiet_thread(thread, Errand::run, &errand, "abz-pin")) {
    return body({EAGAIN, read_affinity()});
  }
  pthread_join(thread, nullptr);
  if (errand.fault) std::rethrow_exception(errand.fault);
}

}  // namespace abuzz::place
