#pragma once

#include <pthread.h>

namespace abuzz::base {

// Starts a thread on which no signal of the host process ever runs. `name`: at most 15 letters.
// False when there is none to be had.
bool start_quiet_thread(pthread_t& thread, void* (*body)(void*), void* argument,
                        const char* name) noexcept;

}  // namespace abuzz::base
