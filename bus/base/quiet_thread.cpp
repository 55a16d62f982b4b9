#include "bus/base/quiet_thread.hpp"

#include <signal.h>

namespace abuzz::base {

bool start_quiet_thread(pthread_t& thread, void* (*body)(void*), void* argument,
                        const char* name) noexcept {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = pthread_create(&thread, nullptr, body, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started) pthread_setname_np(thread, name);
  return started;
}

}  // namespace abuzz::base
