#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "bus/agent.hpp"

// A member of a group that writes down what it did, for tests that must not believe what the bus
// counts.
//
//   group_worker NAME PATTERN GROUP auto|manual FILE MICROSECONDS
//
// FILE: a line for each message, when its work is done and before it is acknowledged: its payload,
// the number of the attempt, and whether it may be a repeat. A payload that begins with "poison"
// is given back at once; one that begins with "kill" ends the process as kill -9 would. Says
// `ready` on stdout; ends with stdin, or with a signal.

namespace {

using namespace std::chrono_literals;

void note(int file, const abuzz::MessageView& job) {
  const std::string line = std::string(job.text()) + " " + std::to_string(job.attempt()) + " " +
                           (job.is_redelivery() ? "1" : "0") + "\n";
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
}

}  // namespace

int main(int count, char** words) {
  if (count != 7) return 2;
  abuzz::SubscribeOptions options;
  options.group = words[3];
  const bool is_manual = std::string(words[4]) == "manual";
  if (is_manual) options.ack = abuzz::AckMode::manual;
  const int file = ::open(words[5], O_WRONLY | O_CREAT | O_APPEND, 0600);
  const std::chrono::microseconds pause(std::atoll(words[6]));
  abuzz::Agent agent = abuzz::Agent::connect({words[1], "worker"}).value();
  const auto work = [&](const abuzz::MessageView& job) {
    if (job.text().starts_with("poison") && is_manual) {
      (void)job.nak(0ms);
      return;
    }
    if (job.text().starts_with("kill")) ::kill(::getpid(), SIGKILL);
    if (pause > 0us) std::this_thread::sleep_for(pause);
    note(file, job);
    if (is_manual) (void)job.ack();
  };
  auto worker = agent.subscribe(words[2], work, options).value();
  std::puts("ready");
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  agent.close(5s);
  return 0;
}
