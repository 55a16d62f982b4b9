#include <cstdio>

#include "bus/agent.hpp"

// Publishes one message and returns from main: no close, no flush, as short programs are written.

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: one_shot TOPIC TEXT\n");
    return 2;
  }
  abuzz::Agent agent = abuzz::Agent::connect({.name = "", .kind = "one-shot"}).value();
  abuzz::Publisher publisher = agent.publisher(argv[1]).value();
  return publisher.try_publish(argv[2]) == abuzz::SendStatus::queued ? 0 : 1;
}
