#include <hiredis/hiredis.h>
#include <poll.h>

#include <memory>
#include <string>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/peers/server.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// Redis pub/sub: redis-server and hiredis over a unix socket, publishing pipelined, as its
// documentation advises. No persistence; the limit behind which it cuts off a slow subscriber is
// taken away.

namespace abuzz::bench {
namespace {

constexpr std::uint64_t pipeline_max = 1000;       // commands without an answer
constexpr std::size_t pipeline_bytes = 64u << 10;  // gathered before they are written

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  const std::string path = options.directory + "/redis";
  return run_server({.program = "redis-server",
                     .arguments = {"--port", "0", "--unixsocket", path, "--save", "",
                                   "--appendonly", "no", "--dir", options.directory, "--loglevel",
                                   "warning", "--client-output-buffer-limit", "pubsub 0 0 0"},
                     .endpoint = path,
                     .socket_path = path},
                    channel);
}

struct FreeContext {
  void operator()(redisContext* context) const noexcept { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
struct FreeReply {
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

// A connection that subscribes can do nothing else: each direction has one of its own.
class RedisDriver final : public Driver {
 public:
  explicit RedisDriver(const RoleOptions& options)
      : options_(options), ends_(ends_of(options)), is_prompt_(!ends_.in.empty()) {}

  bool open(const Sink& sink) override {
    sink_ = sink;
    if (!ends_.out.empty() && !connect(output_)) return false;
    if (ends_.in.empty()) return true;
    if (!connect(input_)) return false;
    const Reply reply(
        static_cast<redisReply*>(redisCommand(input_.get(), "SUBSCRIBE %s", ends_.in.c_str())));
    return reply != nullptr || fail(input_->errstr);
  }
  bool send(std::span<const std::byte> payload) override {
    const char* words[] = {"PUBLISH", ends_.out.c_str(),
                           reinterpret_cast<const char*>(payload.data())};
    const std::size_t bytes[] = {7, ends_.out.size(), payload.size()};
    if (redisAppendCommandArgv(output_.get(), 3, words, bytes) != REDIS_OK)
      return fail(output_->errstr);
    ++unanswered_;
    gathered_ += payload.size() + 48;
    if (is_prompt_ || gathered_ >= pipeline_bytes) return flush();
    return true;
  }
  bool flush() override {
    gathered_ = 0;
    int is_done = 0;
    while (is_done == 0)
      if (redisBufferWrite(output_.get(), &is_done) != REDIS_OK) return fail(output_->errstr);
    // Answers are read in bulk; one that is late may wait, but not more than so many.
    return unanswered_ < pipeline_max || take_answers(pipeline_max / 2);
  }
  bool finish_sending() override { return flush() && take_answers(0); }
  bool receive(std::int64_t patience_ns) override {
    void* found = nullptr;
    if (redisGetReplyFromReader(input_.get(), &found) != REDIS_OK) return fail(input_->errstr);
    if (found == nullptr) {
      pollfd readable{input_->fd, POLLIN, 0};
      if (poll(&readable, 1, static_cast<int>(patience_ns / millisecond_ns)) <= 0) return true;
      if (redisBufferRead(input_.get()) != REDIS_OK) return fail(input_->errstr);
      return true;
    }
    const Reply reply(static_cast<redisReply*>(found));
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return true;
    const redisReply& body = *reply->element[2];
    if (body.type != REDIS_REPLY_STRING) return true;
    sink_(std::as_bytes(std::span(body.str, body.len)));
    ++taken_;
    return true;
  }
  std::uint64_t taken() const noexcept override { return taken_; }

 private:
  bool connect(Context& context) {
    context.reset(redisConnectUnix(options_.endpoint.c_str()));
    if (context == nullptr || context->err != 0)
      return fail(context == nullptr ? "redisConnectUnix" : context->errstr);
    return true;
  }
  // Until only so many are missing.
  bool take_answers(std::uint64_t left) {
    while (unanswered_ > left) {
      void* found = nullptr;
      if (redisGetReply(output_.get(), &found) != REDIS_OK) return fail(output_->errstr);
      const Reply reply(static_cast<redisReply*>(found));
      if (reply->type == REDIS_REPLY_ERROR) return fail(reply->str);
      --unanswered_;
    }
    return true;
  }

  const RoleOptions options_;
  const Ends ends_;
  const bool is_prompt_;
  Sink sink_;
  Context input_, output_;
  std::uint64_t unanswered_ = 0;
  std::size_t gathered_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace

const System redis_system = {
    .name = "redis",
    .route = "redis-server over a unix socket, hiredis, PUBLISH pipelined by up to 1000",
    .waiting = "blocking in the kernel, no spinning",
    .hub = run_hub,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<RedisDriver>(options);
    },
    .versions =
        [] {
          return program_version("redis-server", "--version") + ", hiredis " +
                 std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR) + "." +
                 std::to_string(HIREDIS_PATCH);
        },
};

}  // namespace abuzz::bench
