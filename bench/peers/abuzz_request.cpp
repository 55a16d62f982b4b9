#include <optional>
#include <thread>

#include "bench/peers/abuzz_parts.hpp"

namespace abuzz::bench {
namespace {

constexpr const char* topic = "bench.ask";

// One request at a time. The sink of who asks gets the reply and may ask again; the sink of who
// replies gets the request and sends its reply.
class RequestDriver final : public Driver {
 public:
  explicit RequestDriver(const RoleOptions& options)
      : options_(options), is_asking_(options.role == "requester") {}

  bool open(const Sink& sink) override {
    sink_ = sink;
    auto agent = abuzz_agent(options_);
    if (!agent) return fail(agent.failure().message());
    agent_.emplace(std::move(agent).value());
    if (is_asking_) return true;
    auto responder = agent_->reply(topic, [this](Request request) {
      request_.emplace(std::move(request));
      sink_(request_->payload());
      ++taken_;
    });
    if (!responder) return fail(responder.failure().message());
    responder_.emplace(std::move(responder).value());
    return true;
  }
  bool send(std::span<const std::byte> payload) override {
    if (!is_asking_)
      return request_->finish(payload) == SendStatus::queued || fail("a reply was not taken");
    auto pending = agent_->request(topic, payload, {.idle_timeout = abuzz_patience});
    if (!pending) return fail(pending.failure().message());
    pending_.emplace(std::move(pending).value());
    return true;
  }
  bool receive(std::int64_t patience_ns) override {
    if (!pending_) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(patience_ns));
      return true;
    }
    PendingRequest pending = std::move(*pending_);
    pending_.reset();
    auto reply = pending.finish();
    if (!reply) return fail(reply.failure().message());
    sink_(reply.value().payload);
    ++taken_;
    return true;
  }
  std::string link() override { return agent_->link(); }
  void close_input() override { responder_.reset(); }
  std::uint64_t taken() const noexcept override {
    return responder_ ? responder_->report().handled : taken_;
  }

 private:
  const RoleOptions options_;
  const bool is_asking_;
  Sink sink_;
  std::optional<Agent> agent_;
  std::optional<PendingRequest> pending_;
  std::optional<Request> request_;  // that is being replied to, on the agent's executor
  std::optional<Responder> responder_;
  std::uint64_t taken_ = 0;  // by the thread of the sink
};

}  // namespace

std::unique_ptr<Driver> make_abuzz_request_driver(const RoleOptions& options) {
  return std::make_unique<RequestDriver>(options);
}

}  // namespace abuzz::bench
