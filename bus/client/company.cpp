#include "bus/client/company.hpp"

#include "bus/place/conversation.hpp"

namespace abuzz::client {

namespace {

// So long something else may go on before the threads part: the node has its say, too.
constexpr std::uint32_t looks_else_max = 2;

}  // namespace

bool Company::is_conversing(base::Nanos now) {
  const std::uint64_t batches = process_.get(ProcessCounter::batches_in);
  const std::uint64_t messages = process_.get(ProcessCounter::messages_in);
  const std::uint64_t frames = process_.get(ProcessCounter::frames_out);
  place::TrafficLook look;
  look.span = now - looked_at_;
  look.batches = batches - batches_seen_;
  look.messages = messages - messages_seen_;
  const std::uint64_t sent = frames - frames_seen_;
  const bool is_first = looked_at_ == 0;
  looked_at_ = now;
  batches_seen_ = batches;
  messages_seen_ = messages;
  frames_seen_ = frames;
  const bool is_both_ways = look.batches <= 2 * sent && sent <= 2 * look.batches;
  return !is_first && is_both_ways && place::Conversation::is_small_exchange(look);
}

std::uint64_t Company::node_meeting() const {
  auto process = read_process_row(node_counters_);
  return process.ok() ? process.value().get(ProcessCounter::meeting) : 0;
}

void Company::look(base::Nanos now) {
  const bool is_conversing_now = is_conversing(now);
  looks_else_ = is_conversing_now ? 0 : looks_else_ + 1;
  if (place_ == 0 && !is_conversing_now) return;
  const std::uint64_t wanted = looks_else_ < looks_else_max ? node_meeting() : 0;
  if (wanted == place_) return companions_.release_strays();
  companions_.part();
  // Told before it is done: workers that are started meanwhile go by it.
  process_.set(ProcessCounter::meeting, wanted);
  place_ = 0;
  if (wanted != 0 && companions_.gather(static_cast<std::uint32_t>(wanted - 1))) place_ = wanted;
  process_.set(ProcessCounter::meeting, place_);
}

}  // namespace abuzz::client
