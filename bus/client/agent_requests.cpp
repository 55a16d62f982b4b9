#include <array>

#include "bus/client/agent_core.hpp"
#include "bus/topic.hpp"

// Where an agent's desks of requests meet its session.

namespace abuzz::client {

namespace {

// So long after a request came the keeper looks often whether its handler takes long.
constexpr base::Nanos attention_span = 100 * base::millisecond;

}  // namespace

void AgentCore::open_request_mail() {
  if (request_mail() != nullptr) return;
  inside([&](Session& session) {
    if (mail_) return;
    mail_ = std::make_unique<RequestMail>();
    session.set_request_mail(mail_.get());
    mail_told_.publish(mail_.get());
  });
}

void AgentCore::open_answers() {
  open_request_mail();
  answers_.open();
}

Result<std::shared_ptr<SubscriptionCore>> AgentCore::open_reply_subscription() {
  const std::uint64_t id = session_.agent_id.read();
  if (id == 0) return Error::no_node;
  std::array<char, reply_topic_bytes> bytes;
  const std::string_view topic = write_reply_topic(id, bytes.data());
  Result<SubscribeOptions> full = complete(topic, {});
  if (!full.ok()) return full.failure();
  auto core = make_subscription(topic, {}, full.value(),
                                {.is_for_desk = true, .asked_key = {}, .leases = {}});
  if (!core) return Failure{Error::subscriptions_limit, std::string(topic)};
  return core;
}

// After a step of the session, outside of it: replies and acts that came are taken. True when that
// leaves something to send.
bool AgentCore::serve_requests(bool has_news) {
  if (!requests_.is_open() && !answers_.is_open()) return false;
  const base::Nanos now = parts_.clock.now();
  const base::Nanos look = requests_.deadline();
  bool has_output = false;
  if (requests_.is_open() && (has_news || (look >= 0 && now >= look)))
    has_output = requests_.do_work(now);
  if (answers_.is_open() && has_news) has_output = answers_.do_work(now) || has_output;
  return has_output;
}

void AgentCore::note_long_handler() noexcept {
  const base::Nanos now = parts_.clock.now();
  const bool is_attentive = now < attentive_until_.hint();
  attentive_until_.publish(now + attention_span);
  if (!is_attentive) keeper_events_.notify_all();
}

void AgentCore::end_requests() {
  answers_.end_all();
}

}  // namespace abuzz::client
