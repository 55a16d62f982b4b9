#include "bus/request.hpp"

#include <utility>

#include "bus/client/agent_core.hpp"

namespace abuzz {

namespace {

// How long the end of a reply waits for room.
constexpr std::chrono::seconds finish_patience{10};

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

PendingRequest::PendingRequest(std::shared_ptr<client::AgentCore> agent,
                               std::uint64_t correlation) noexcept
    : agent_(std::move(agent)), correlation_(correlation) {}
PendingRequest::PendingRequest(PendingRequest&&) noexcept = default;

PendingRequest& PendingRequest::operator=(PendingRequest&& other) noexcept {
  if (this != &other) {
    PendingRequest ended(std::move(*this));
    agent_ = std::move(other.agent_);
    correlation_ = other.correlation_;
  }
  return *this;
}

PendingRequest::~PendingRequest() {
  if (agent_) agent_->requests().drop(correlation_);
}

Reply PendingRequest::next(std::chrono::nanoseconds patience) {
  if (!agent_) return {ReplyKind::failed, {}, {Error::closed, {}}};
  return agent_->requests().await(correlation_, patience.count());
}

Result<Reply> PendingRequest::finish() {
  while (true) {
    Reply reply = next(std::chrono::hours(24));
    if (reply.kind == ReplyKind::last) return reply;
    if (reply.kind == ReplyKind::failed) return reply.failure;
    if (reply.kind == ReplyKind::none && is_over()) return Error::closed;
  }
}

void PendingRequest::cancel() {
  if (agent_) agent_->requests().cancel(correlation_);
}

bool PendingRequest::is_over() const {
  return !agent_ || agent_->requests().is_over(correlation_);
}

std::uint64_t PendingRequest::responder_id() const {
  return agent_ ? agent_->requests().responder_of(correlation_) : 0;
}

Request::Request(std::shared_ptr<client::AgentCore> agent,
                 std::shared_ptr<client::Answer> answer) noexcept
    : agent_(std::move(agent)), answer_(std::move(answer)) {}
Request::Request(Request&&) noexcept = default;

Request& Request::operator=(Request&& other) noexcept {
  if (this != &other) {
    Request ended(std::move(*this));
    agent_ = std::move(other.agent_);
    answer_ = std::move(other.answer_);
  }
  return *this;
}

Request::~Request() {
  if (answer_) agent_->answers().fail(answer_, Error::request_failed, "it was given up");
}

std::string_view Request::topic() const noexcept {
  return answer_ ? std::string_view(answer_->topic) : std::string_view();
}

std::span<const std::byte> Request::payload() const noexcept {
  return answer_ ? std::span<const std::byte>(answer_->payload) : std::span<const std::byte>();
}

std::string_view Request::text() const noexcept {
  return {reinterpret_cast<const char*>(payload().data()), payload().size()};
}

std::uint64_t Request::requester_id() const noexcept {
  return answer_ ? answer_->requester : 0;
}

SendStatus Request::send(MessageKind kind, std::span<const std::byte> payload,
                         std::chrono::nanoseconds patience) {
  if (!answer_) return SendStatus::closed;
  return agent_->answers().send(*answer_, kind, payload, patience.count());
}

SendStatus Request::part(std::span<const std::byte> payload, std::chrono::nanoseconds patience) {
  return send(MessageKind::part, payload, patience);
}

SendStatus Request::part(std::string_view payload, std::chrono::nanoseconds patience) {
  return part(bytes_of(payload), patience);
}

SendStatus Request::progress(std::string_view text) {
  return send(MessageKind::progress, bytes_of(text), std::chrono::nanoseconds(0));
}

SendStatus Request::finish(std::span<const std::byte> payload) {
  return send(MessageKind::last, payload, finish_patience);
}

SendStatus Request::finish(std::string_view payload) {
  return finish(bytes_of(payload));
}

void Request::fail(Error error, std::string_view text) {
  if (answer_) agent_->answers().fail(answer_, error, text);
}

bool Request::is_cancelled() const {
  return !answer_ || agent_->answers().is_cancelled(*answer_);
}

bool Request::wait_cancelled(std::chrono::nanoseconds patience) const {
  if (!answer_) return true;
  const base::Nanos until = base::moment_after(agent_->clock().now(), patience.count());
  while (true) {
    const auto key = agent_->prepare_wait();
    if (is_cancelled()) {
      agent_->cancel_wait();
      return true;
    }
    if (!agent_->wait_for_news(key, until)) return is_cancelled();
  }
}

}  // namespace abuzz
