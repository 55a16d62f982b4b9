#include <algorithm>

#include "bus/client/agent_core.hpp"
#include "bus/client/reply_failure.hpp"
#include "bus/client/request_desk.hpp"
#include "bus/client/request_entry.hpp"

// What comes for requests: replies, ends, outcomes, time.

namespace abuzz::client {

namespace {

constexpr std::size_t replies_per_cycle = 256;
// Requests that are over and whose responder has not ended yet; beyond that it is not told again.
constexpr std::size_t over_max = 1024;

ReplyKind reply_kind(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::progress:
      return ReplyKind::progress;
    case MessageKind::part:
      return ReplyKind::part;
    case MessageKind::last:
      return ReplyKind::last;
    case MessageKind::failed:
    case MessageKind::message:
    case MessageKind::request:
      break;
  }
  return ReplyKind::failed;
}

}  // namespace

bool RequestDesk::do_work(base::Nanos now) {
  std::vector<std::shared_ptr<Route>> idle;
  bool has_output = false;
  {
    const std::lock_guard lock(mutex_);
    now_ = now;
    has_output = take_replies() > 0;
    take_ends();
    take_receipts();
    if (replies_ && replies_->state.read() > SubscriptionState::live) fail_all(Error::stalled_out);
    const base::Nanos look = look_at_.hint();
    if (look >= 0 && now >= look) look_at_clocks(now);
    if (now >= routes_look_at_) {
      routes_look_at_ = now + base::second;
      idle = idle_routes(now);
    }
    has_output = push_acts() || has_output;
  }
  for (const auto& route : idle) route->publisher->release();
  return has_output;
}

std::size_t RequestDesk::take_replies() {
  if (!replies_) return 0;
  SubscriptionCore& replies = *replies_;
  const Handler take = [this](const MessageView& message) { take_reply(message); };
  std::size_t taken = 0;
  while (taken < replies_per_cycle) {
    if (!replies.has_messages()) {
      Delivery* const next = replies.queue->next(agent_.clock());
      if (next == nullptr) break;
      const std::size_t bytes = next->slice.bytes();
      if (!replies.begin(*next)) {
        agent_.note_pool_miss();
        look_soon(now_ + base::millisecond);
        break;
      }
      (void)replies.queue->take(bytes);
      ++taken;
    }
    taken += replies.handle_some(take, replies_per_cycle);
  }
  if (taken >= replies_per_cycle) look_soon(now_);
  return taken;
}

void RequestDesk::take_reply(const MessageView& message) {
  const auto found = entries_.find(message.correlation());
  const bool is_reply =
      message.kind() != MessageKind::message && message.kind() != MessageKind::request;
  if (found == entries_.end() || !is_reply) {
    strays_.publish(strays_.hint() + 1);
    return;
  }
  Entry& entry = found->second;
  if (entry.responder == 0) {
    entry.responder = message.agent_id();
    entry.responder_publisher = message.publisher_id();
  } else if (entry.responder != message.agent_id()) {
    strays_.publish(strays_.hint() + 1);
    // Another one works on it too, in vain.
    const bool has_ended =
        message.kind() == MessageKind::last || message.kind() == MessageKind::failed;
    if (!has_ended) tell(entry, wire::RequestActKind::cancel, message.agent_id());
    return;
  }
  const bool was_live = entry.state.is_live();
  if (message.kind() == MessageKind::failed) {
    Failure failure = read_failure(message.payload());
    if (was_live) entry.failure_text = std::move(failure.detail);
    entry.state.take_failure(failure.error);
  } else if (entry.state.take(message.kind(), message.key(), now_)) {
    keep(entry, reply_kind(message.kind()), message);
  }
  look_soon(entry.state.deadline());
  if (was_live != entry.state.is_live()) look_soon(0);
}

// Of progress that nobody has taken, only the newest is kept.
void RequestDesk::keep(Entry& entry, ReplyKind kind, const MessageView& message) {
  const std::size_t bytes = message.payload().size();
  if (kind == ReplyKind::progress && !entry.waiting.empty() &&
      entry.waiting.back().kind == ReplyKind::progress) {
    kept_bytes_ -= entry.waiting.back().payload.size();
    entry.kept_bytes -= entry.waiting.back().payload.size();
    entry.waiting.pop_back();
  }
  const bool is_over_window =
      kind == ReplyKind::part && entry.state.parts() > entry.parts_told + parts_max;
  if (is_over_window || kept_bytes_ + bytes > kept_bytes_max) {
    entry.failure_text = "more parts of the reply wait than may";
    entry.state.note_overflow(now_);
    return;
  }
  Reply reply{kind, {message.payload().begin(), message.payload().end()}, {}};
  entry.kept_bytes += bytes;
  kept_bytes_ += bytes;
  entry.waiting.push_back(std::move(reply));
  if (kind == ReplyKind::last) entry.end_given = true;
}

// The stream that a request's replies came in is over.
void RequestDesk::take_ends() {
  RequestMail* mail = agent_.request_mail();
  if (mail == nullptr) return;
  wire::ReplyEnd end;
  while (mail->arrived_ends.pop(&end, 1) == 1) {
    for (auto& [correlation, entry] : entries_) {
      const bool is_its =
          entry.responder == end.agent_id && entry.responder_publisher == end.publisher_id;
      if (!is_its) continue;
      entry.state.note_responder_gone();
      look_soon(0);
    }
  }
}

void RequestDesk::fail_all(Error error) {
  for (auto& [correlation, entry] : entries_) entry.state.take_failure(error);
}

// What became of requests on which nobody works yet. That the node was lost says nothing: the next
// one gets them again, and tells.
void RequestDesk::take_receipts() {
  RequestMail* mail = agent_.request_mail();
  wire::Receipt run;
  while (mail != nullptr && mail->arrived_receipts.pop(&run, 1) == 1) {
    std::erase_if(unanswered_, [&](std::uint64_t correlation) {
      const auto found = entries_.find(correlation);
      if (found == entries_.end()) return true;
      Entry& entry = found->second;
      const bool is_its = entry.route && entry.route->publisher->handle() == run.publication &&
                          entry.sequence >= run.first_seq &&
                          entry.sequence - run.first_seq < run.count;
      if (is_its) note_outcome(entry, run);
      return is_its || entry.state.phase() != RequestPhase::open;
    });
  }
}

void RequestDesk::note_outcome(Entry& entry, const wire::Receipt& run) {
  if (run.outcome == ReceiptOutcome::no_subscriber) entry.state.note_no_responder();
  // What expired has run into its own time limit here.
  const bool is_dropped =
      run.outcome == ReceiptOutcome::dropped && run.reason != DropReason::expired;
  if (is_dropped || run.outcome == ReceiptOutcome::unknown) entry.state.note_undelivered();
  if (!entry.state.is_live()) look_soon(0);
}

void RequestDesk::look_at_clocks(base::Nanos now) {
  look_at_.publish(-1);
  std::size_t over = 0;
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    entry.state.step(now);
    if (entry.state.take_due_cancel(now))
      tell(entry, wire::RequestActKind::cancel, entry.responder);
    if (!entry.state.is_live()) ++over;
    if (entry.is_dropped && (entry.state.is_settled() || over > over_max)) {
      at = entries_.erase(at);
      continue;
    }
    if (entry.state.is_live() || !entry.state.is_settled()) look_soon(entry.state.deadline());
    ++at;
  }
}

void RequestDesk::tell(Entry& entry, wire::RequestActKind kind, std::uint64_t responder) {
  // Repeated, or given up when its time is over.
  if (acts_.size() >= over_max || !entry.route) return;
  acts_.push_back({entry.correlation, responder, entry.route->publisher->handle(), kind,
                   entry.parts_told + parts_max});
}

bool RequestDesk::push_acts() {
  RequestMail* mail = agent_.request_mail();
  bool has_pushed = false;
  while (mail != nullptr && !acts_.empty() &&
         mail->act_goes.try_push(wire::RequestAct(acts_.front()))) {
    acts_.pop_front();
    has_pushed = true;
  }
  return has_pushed;
}

}  // namespace abuzz::client
