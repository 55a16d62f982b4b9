#include "bus/client/answer_desk.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/client/reply_failure.hpp"
#include "bus/client/request_desk.hpp"
#include "bus/topic.hpp"

namespace abuzz::client {

namespace {

constexpr std::size_t cancelled_early_max = 256;
constexpr base::Nanos route_idle_max = 10 * base::second;

bool is_end(MessageKind kind) noexcept {
  return kind == MessageKind::last || kind == MessageKind::failed;
}

}  // namespace

SubscribeOptions AnswerDesk::subscription() {
  SubscribeOptions options;
  options.group = group;
  options.attempts_max = 1;
  // A handler may work for an hour on one; those that wait have time limits of their own.
  options.stall_limit = std::chrono::hours(1);
  return options;
}

std::shared_ptr<ReplyRoute> AnswerDesk::route_to(const std::shared_ptr<AgentCore>& self,
                                                 std::uint64_t requester, Lane lane) {
  const std::pair<std::uint64_t, Lane> key(requester, lane);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = routes_.find(key); found != routes_.end()) return found->second;
  }
  std::array<char, reply_topic_bytes> topic;
  auto opened =
      agent_.make_publisher(self, write_reply_topic(requester, topic.data()), {.lane = lane});
  if (!opened.ok()) return nullptr;
  auto route = std::make_shared<ReplyRoute>();  // shared by all answers to the requester
  route->publisher = std::move(opened).value();
  route->used_at = agent_.clock().now();
  const std::lock_guard lock(mutex_);
  // Only the executor begins answers: nobody else made it meanwhile.
  routes_[key] = route;
  return route;
}

std::shared_ptr<Answer> AnswerDesk::begin(const std::shared_ptr<AgentCore>& self,
                                          const MessageView& message) {
  const bool is_request = message.kind() == MessageKind::request && message.correlation() != 0;
  if (!is_request || !is_about_requests(message.topic())) return nullptr;
  auto route = route_to(self, message.agent_id(), message.lane());
  // Without a publisher nothing can be said: the requester has its time limits.
  if (!route) return nullptr;
  auto answer = std::make_shared<Answer>();  // shared with who works on it
  answer->requester = message.agent_id();
  answer->correlation = message.correlation();
  answer->topic = message.topic().substr(request_prefix.size());
  answer->route = std::move(route);
  answer->parts_allowed.publish(RequestDesk::parts_max);
  bool is_full = false;
  bool is_cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    const Key key(answer->requester, answer->correlation);
    // What a lost node had is given to the next one, which may deal it again: once is enough.
    if (message.is_redelivery() && std::find(begun_.begin(), begun_.end(), key) != begun_.end())
      return nullptr;
    if (begun_.size() >= open_max) begun_.pop_front();
    begun_.push_back(key);
    is_cancelled = std::erase(cancelled_early_, key) > 0;
    is_full = answers_.size() >= open_max;
    if (!is_cancelled && !is_full) answers_[key] = answer;
  }
  if (is_cancelled || is_full) {
    fail(answer, is_cancelled ? Error::cancelled : Error::back_pressured,
         is_cancelled ? "before it began" : "the responder has too many requests");
    return nullptr;
  }
  answer->payload.assign(message.payload().begin(), message.payload().end());
  (void)try_send(*answer, MessageKind::progress, {});
  return answer;
}

// Waits for those inside, who are brief. Not called where this thread may be inside itself.
SendStatus AnswerDesk::try_send(Answer& answer, MessageKind kind,
                                std::span<const std::byte> payload) {
  ReplyRoute& route = *answer.route;
  while (!route.sending.try_enter()) std::this_thread::yield();
  const SendStatus status = send_inside(answer, kind, payload);
  route.sending.leave();
  if (status == SendStatus::queued) agent_.step_now();
  return status;
}

// Requires: inside the route.
SendStatus AnswerDesk::send_inside(Answer& answer, MessageKind kind,
                                   std::span<const std::byte> payload) {
  if (answer.has_ended.hint()) return SendStatus::closed;
  if (!is_end(kind) && answer.is_cancelled.read()) return SendStatus::closed;
  const bool is_part = kind == MessageKind::part;
  if (is_part && answer.parts >= answer.parts_allowed.read()) return SendStatus::back_pressured;
  MessageOptions options;
  options.key = answer.parts + (is_part ? 1 : 0);
  options.correlation = answer.correlation;
  PublisherCore& publisher = *answer.route->publisher;
  publisher.set_kind(kind);
  const SendStatus status = publisher.try_publish(payload, options);
  if (status != SendStatus::queued) return status;
  if (is_part) ++answer.parts;
  if (is_end(kind)) answer.has_ended.publish(true);
  return status;
}

SendStatus AnswerDesk::send(Answer& answer, MessageKind kind, std::span<const std::byte> payload,
                            base::Nanos patience) {
  const base::Nanos until = base::moment_after(agent_.clock().now(), patience);
  while (true) {
    if (agent_.is_closed()) return SendStatus::closed;
    const auto key = agent_.prepare_wait();
    const SendStatus status = try_send(answer, kind, payload);
    if (status != SendStatus::back_pressured) {
      agent_.cancel_wait();
      if (is_end(kind) && status == SendStatus::queued) forget(answer);
      return status;
    }
    agent_.maintain_pool();
    if (!agent_.wait_for_news(key, until)) return SendStatus::back_pressured;
  }
}

void AnswerDesk::fail(const std::shared_ptr<Answer>& answer, Error error, std::string_view text) {
  if (agent_.is_forked() || answer->has_ended.read()) return;
  std::array<std::byte, failure_bytes_max> payload;
  const SendStatus status = agent_.is_closed() ? SendStatus::closed
                                               : try_send(*answer, MessageKind::failed,
                                                          write_failure(error, text, payload));
  if (status == SendStatus::back_pressured) {
    const std::lock_guard lock(mutex_);
    endings_.push_back({answer, error, std::string(text.substr(0, failure_text_bytes_max))});
    return;
  }
  forget(*answer);
}

void AnswerDesk::forget(const Answer& answer) {
  const std::lock_guard lock(mutex_);
  answers_.erase(Key(answer.requester, answer.correlation));
  answer.route->used_at = agent_.clock().now();
}

bool AnswerDesk::is_cancelled(const Answer& answer) const noexcept {
  if (answer.is_cancelled.read() || agent_.is_closed()) return true;
  ReplyRoute& route = *answer.route;
  const StreamNews& news = route.publisher->news();
  if (news.match_count.read() > 0) {
    if (!route.has_met.read()) route.has_met.publish(true);
    return false;
  }
  // Nobody listens any more, or nobody did when the first reply came.
  return route.has_met.read() || news.no_subscriber.read() > 0 ||
         news.state.read() == StreamState::refused;
}

void AnswerDesk::take_acts() {
  RequestMail* mail = agent_.request_mail();
  if (mail == nullptr) return;
  wire::RequestAct act;
  while (mail->arrived_acts.pop(&act, 1) == 1) {
    const Key key(act.agent_id, act.correlation);
    const auto found = answers_.find(key);
    const std::shared_ptr<Answer> answer = found == answers_.end() ? nullptr : found->second.lock();
    if (!answer) {
      if (act.kind != wire::RequestActKind::cancel) continue;
      if (std::find(cancelled_early_.begin(), cancelled_early_.end(), key) !=
          cancelled_early_.end())
        continue;
      if (cancelled_early_.size() >= cancelled_early_max) cancelled_early_.pop_front();
      cancelled_early_.push_back(key);
    } else if (act.kind == wire::RequestActKind::cancel) {
      answer->is_cancelled.publish(true);
    } else if (act.parts > answer->parts_allowed.hint()) {
      answer->parts_allowed.publish(act.parts);
    }
  }
}

bool AnswerDesk::do_work(base::Nanos now) {
  std::deque<Ending> endings;
  std::vector<std::shared_ptr<ReplyRoute>> idle;
  {
    const std::lock_guard lock(mutex_);
    take_acts();
    std::swap(endings, endings_);
    if (now >= routes_look_at_) {
      routes_look_at_ = now + base::second;
      std::erase_if(routes_, [&](const auto& item) {
        const bool is_idle =
            item.second.use_count() == 1 && now - item.second->used_at >= route_idle_max;
        if (is_idle) idle.push_back(item.second);
        return is_idle;
      });
    }
  }
  for (const auto& route : idle) route->publisher->release();
  bool has_sent = false;
  for (Ending& ending : endings) {
    std::array<std::byte, failure_bytes_max> payload;
    SendStatus status = SendStatus::back_pressured;
    // This thread may be inside, where it published and so came to step.
    if (ReplyRoute& route = *ending.answer->route; route.sending.try_enter()) {
      status = send_inside(*ending.answer, MessageKind::failed,
                           write_failure(ending.error, ending.text, payload));
      route.sending.leave();
    }
    if (status != SendStatus::back_pressured) {
      forget(*ending.answer);
      has_sent = true;
      continue;
    }
    const std::lock_guard lock(mutex_);
    endings_.push_back(std::move(ending));
  }
  return has_sent;
}

void AnswerDesk::end_all() {
  std::vector<std::shared_ptr<Answer>> open;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, weak] : answers_)
      if (auto answer = weak.lock()) open.push_back(std::move(answer));
  }
  for (const auto& answer : open) fail(answer, Error::peer_gone, "the responder was closed");
}

void AnswerDesk::close() {
  std::deque<Ending> endings;
  std::map<std::pair<std::uint64_t, Lane>, std::shared_ptr<ReplyRoute>> routes;
  const std::lock_guard lock(mutex_);
  is_open_.publish(false);
  std::swap(routes, routes_);
  std::swap(endings, endings_);
}

}  // namespace abuzz::client
