#include "bus/request.hpp"

#include <atomic>
#include <string>
#include <vector>

#include "tests/api/api_fixture.hpp"

// Requests and replies between real agents over a real node.

namespace abuzz {
namespace {

using std::chrono::steady_clock;

class Requests : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    asker_.emplace(connect("asker"));
    worker_.emplace(connect("worker"));
  }
  void TearDown() override {
    asker_.reset();
    worker_.reset();
    Api::TearDown();
  }
  std::optional<Agent> asker_, worker_;
};

TEST_F(Requests, AReplyComesBack) {
  const Responder responder =
      worker_
          ->reply("work.*",
                  [](Request request) {
                    EXPECT_EQ(request.topic(), "work.echo");
                    EXPECT_EQ(request.finish("re: " + std::string(request.text())),
                              SendStatus::queued);
                  })
          .value();
  Result<Reply> reply = asker_->request("work.echo", "hello").value().finish();
  ASSERT_TRUE(reply.ok()) << reply.failure().message();
  EXPECT_EQ(reply.value().text(), "re: hello");
}

TEST_F(Requests, WithoutAResponderItFailsAtOnce) {
  const auto start = steady_clock::now();
  Result<Reply> reply = asker_->request("work.nobody", "hello").value().finish();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error(), Error::no_responder);
  EXPECT_LT(steady_clock::now() - start, 5s);
}

TEST_F(Requests, WhoOnlyListensIsNoResponderAndHearsNoRequest) {
  std::atomic<int> heard{0};
  const Subscription all = worker_->subscribe(">", [&](const MessageView&) { ++heard; }).value();
  const Subscription its =
      worker_->subscribe("work.*", [&](const MessageView&) { ++heard; }).value();
  EXPECT_EQ(asker_->request("work.echo", "").value().finish().error(), Error::no_responder);
  const Responder responder =
      worker_->reply("work.*", [](Request request) { (void)request.finish("x"); }).value();
  EXPECT_TRUE(asker_->request("work.echo", "").value().finish().ok());
  EXPECT_EQ(heard, 0);
  // Nor is a message taken for a request.
  Publisher publisher = asker_->publisher("work.echo").value();
  ASSERT_EQ(publisher.publish("m", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(5s).delivered, 1u);
}

TEST_F(Requests, OfManyAtOnceOnlyThoseWithoutAResponderFail) {
  const Responder responder =
      worker_->reply("work.a.*", [](Request request) { (void)request.finish("x"); }).value();
  std::vector<PendingRequest> pending;
  for (int count = 0; count < 60; ++count)
    pending.push_back(asker_->request(count % 3 == 0 ? "work.b.one" : "work.a.one", "").value());
  for (std::size_t index = 0; index < pending.size(); ++index) {
    Result<Reply> reply = pending[index].finish();
    EXPECT_EQ(reply.ok(), index % 3 != 0) << index;
    if (!reply.ok()) {
      EXPECT_EQ(reply.error(), Error::no_responder) << index;
    }
  }
}

TEST_F(Requests, AReplyMayHaveManyPartsAndProgress) {
  const Responder responder =
      worker_
          ->reply("work.count",
                  [](Request request) {
                    EXPECT_EQ(request.progress("half"), SendStatus::queued);
                    EXPECT_EQ(request.part("one", 1s), SendStatus::queued);
                    EXPECT_EQ(request.part("two", 1s), SendStatus::queued);
                    EXPECT_EQ(request.finish("end"), SendStatus::queued);
                    EXPECT_EQ(request.part("three", 1s), SendStatus::closed);
                  })
          .value();
  PendingRequest pending = asker_->request("work.count", "").value();
  std::string seen;
  while (!pending.is_over()) {
    const Reply reply = pending.next(10s);
    if (reply.kind == ReplyKind::part) seen += "part " + std::string(reply.text()) + "; ";
    if (reply.kind == ReplyKind::last) seen += "last " + std::string(reply.text()) + "; ";
    ASSERT_NE(reply.kind, ReplyKind::failed) << reply.failure.message();
    ASSERT_NE(reply.kind, ReplyKind::none);
  }
  EXPECT_EQ(seen, "part one; part two; last end; ");
  EXPECT_EQ(pending.responder_id(), worker_->id());
  EXPECT_EQ(pending.next(0s).kind, ReplyKind::none);
}

TEST_F(Requests, OneThatIsGivenUpOrFailsHasAnEnd) {
  const Responder responder = worker_
                                  ->reply("work.>",
                                          [](Request request) {
                                            if (request.topic() == "work.fail")
                                              request.fail(Error::denied, "not for you");
                                          })
                                  .value();
  Result<Reply> dropped = asker_->request("work.drop", "").value().finish();
  ASSERT_FALSE(dropped.ok());
  EXPECT_EQ(dropped.error(), Error::request_failed);
  Result<Reply> failed = asker_->request("work.fail", "").value().finish();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error(), Error::denied);
  EXPECT_EQ(failed.failure().detail, "not for you");
}

TEST_F(Requests, ACancelReachesAHandlerThatWaits) {
  std::atomic<bool> has_begun{false}, saw_cancel{false};
  const Responder responder = worker_
                                  ->reply("work.long",
                                          [&](Request request) {
                                            has_begun = true;
                                            saw_cancel = request.wait_cancelled(20s);
                                          })
                                  .value();
  PendingRequest pending = asker_->request("work.long", "").value();
  while (!has_begun) std::this_thread::yield();
  pending.cancel();
  const Reply end = [&] {
    while (true) {
      Reply reply = pending.next(10s);
      if (reply.kind != ReplyKind::progress) return reply;
    }
  }();
  EXPECT_EQ(end.kind, ReplyKind::failed);
  EXPECT_EQ(end.failure.error, Error::cancelled);
  const auto start = steady_clock::now();
  while (!saw_cancel && steady_clock::now() - start < 10s) std::this_thread::yield();
  EXPECT_TRUE(saw_cancel);
}

TEST_F(Requests, OneThatWasCancelledBeforeItBeganIsDropped) {
  std::atomic<bool> goes_on{false}, has_begun{false};
  std::atomic<int> begun{0};
  const Responder responder = worker_
                                  ->reply("work.queue",
                                          [&](Request request) {
                                            ++begun;
                                            has_begun = true;
                                            while (!goes_on) std::this_thread::yield();
                                            (void)request.finish("done");
                                          })
                                  .value();
  PendingRequest first = asker_->request("work.queue", "1").value();
  while (!has_begun) std::this_thread::yield();
  PendingRequest second = asker_->request("work.queue", "2").value();
  second.cancel();
  std::this_thread::sleep_for(200ms);  // for the cancel to overtake; if it does not, it is repeated
  goes_on = true;
  EXPECT_TRUE(first.finish().ok());
  Result<Reply> third = asker_->request("work.queue", "3").value().finish();
  EXPECT_TRUE(third.ok());
  EXPECT_EQ(begun, 2);
}

TEST_F(Requests, EachRequestGoesToOneResponderThatHasNothingElseToDo) {
  Agent other = connect("other");
  std::atomic<bool> goes_on{false}, is_busy{false};
  std::atomic<int> by_worker{0}, by_other{0};
  const auto handler = [&](std::atomic<int>& count) {
    return [&](Request request) {
      ++count;
      if (request.text() == "long") {
        is_busy = true;
        while (!goes_on) std::this_thread::sleep_for(1ms);
      }
      (void)request.finish(request.payload());
    };
  };
  const Responder first = worker_->reply("work.*", handler(by_worker)).value();
  const Responder second = other.reply("work.*", handler(by_other)).value();
  PendingRequest long_one = asker_->request("work.any", "long").value();
  while (!is_busy) std::this_thread::yield();
  // The one that works is not given more, whatever the other has to do.
  for (int count = 0; count < 20; ++count) {
    RequestOptions options;
    options.idle_timeout = 10s;
    EXPECT_TRUE(asker_->request("work.any", "short", options).value().finish().ok());
  }
  goes_on = true;
  EXPECT_TRUE(long_one.finish().ok());
  EXPECT_EQ(by_worker + by_other, 21);
  EXPECT_EQ(std::min<int>(by_worker, by_other), 1);
}

TEST_F(Requests, SilenceIsTimedOutAndItsResponderTold) {
  std::atomic<bool> saw_cancel{false};
  const Responder responder =
      worker_
          ->reply("work.silent", [&](Request request) { saw_cancel = request.wait_cancelled(20s); })
          .value();
  RequestOptions options;
  options.idle_timeout = 200ms;
  Result<Reply> reply = asker_->request("work.silent", "", options).value().finish();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error(), Error::timed_out);
  const auto start = steady_clock::now();
  while (!saw_cancel && steady_clock::now() - start < 10s) std::this_thread::yield();
  EXPECT_TRUE(saw_cancel);
}

TEST_F(Requests, ProgressOfAnotherThreadExtendsTheTimeOfAHandlerThatIsBusy) {
  const Responder responder = worker_
                                  ->reply("work.slow",
                                          [](Request request) {
                                            std::thread ticker([&] {
                                              for (int count = 0; count < 8; ++count) {
                                                std::this_thread::sleep_for(100ms);
                                                (void)request.progress();
                                              }
                                            });
                                            ticker.join();
                                            (void)request.finish("at last");
                                          })
                                  .value();
  RequestOptions options;
  options.idle_timeout = 500ms;
  Result<Reply> reply = asker_->request("work.slow", "", options).value().finish();
  ASSERT_TRUE(reply.ok()) << reply.failure().message();
  options.hard_limit = 500ms;
  Result<Reply> late = asker_->request("work.slow", "", options).value().finish();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error(), Error::timed_out);
}

TEST_F(Requests, SeveralThreadsOfAnAgentAsk) {
  const Responder responder =
      worker_->reply("work.*", [](Request request) { (void)request.finish(request.payload()); })
          .value();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int count = 0; count < 50; ++count) {
        const std::string text = std::to_string(thread * 1000 + count);
        Result<PendingRequest> pending =
            asker_->request(count % 2 == 0 ? "work.even" : "work.odd", text);
        if (!pending.ok()) continue;
        Result<Reply> reply = pending.value().finish();
        right += reply.ok() && reply.value().text() == text ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST_F(Requests, AHandlerAsksWhileItReplies) {
  const Responder inner =
      asker_->reply("inner", [](Request request) { (void)request.finish("inner reply"); }).value();
  const Responder outer =
      worker_
          ->reply("outer",
                  [&](Request request) {
                    Result<Reply> reply = worker_->request("inner", "").value().finish();
                    (void)request.finish(reply.ok() ? reply.value().text() : "failed");
                  })
          .value();
  Result<Reply> reply = asker_->request("outer", "").value().finish();
  ASSERT_TRUE(reply.ok()) << reply.failure().message();
  EXPECT_EQ(reply.value().text(), "inner reply");
}

TEST_F(Requests, AResponderThatClosesIsKnownAtOnce) {
  std::optional<Request> kept;
  std::atomic<bool> has_begun{false};
  std::optional<Responder> responder;
  responder.emplace(worker_
                        ->reply("work.kept",
                                [&](Request request) {
                                  kept.emplace(std::move(request));
                                  has_begun = true;
                                })
                        .value());
  PendingRequest pending = asker_->request("work.kept", "").value();
  while (!has_begun) std::this_thread::yield();
  const auto start = steady_clock::now();
  worker_->close(1s);
  Result<Reply> reply = pending.finish();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error(), Error::peer_gone);
  EXPECT_LT(steady_clock::now() - start, 5s);
  kept.reset();
  responder.reset();
}

TEST_F(Requests, ARequesterThatIsGoneIsASufficientCancel) {
  std::atomic<bool> has_begun{false}, saw_cancel{false};
  const Responder responder = worker_
                                  ->reply("work.long",
                                          [&](Request request) {
                                            has_begun = true;
                                            saw_cancel = request.wait_cancelled(20s);
                                          })
                                  .value();
  std::optional<Agent> leaver(connect("leaver"));
  std::optional<PendingRequest> pending(leaver->request("work.long", "").value());
  while (!has_begun) std::this_thread::yield();
  leaver->close(1s);
  const auto start = steady_clock::now();
  while (!saw_cancel && steady_clock::now() - start < 10s) std::this_thread::yield();
  EXPECT_TRUE(saw_cancel);
}

TEST_F(Requests, PayloadsOfOneMebibyteGoBothWays) {
  const Responder responder = worker_
                                  ->reply("work.big",
                                          [](Request request) {
                                            (void)request.part(request.payload(), 5s);
                                            (void)request.finish(request.payload());
                                          })
                                  .value();
  const std::string text(1u << 20u, 'x');
  PendingRequest pending = asker_->request("work.big", text).value();
  Result<Reply> reply = pending.finish();
  ASSERT_TRUE(reply.ok()) << reply.failure().message();
  EXPECT_EQ(reply.value().text(), text);
  EXPECT_EQ(asker_->request("work.big", text + "x").error(), Error::too_large);
}

TEST_F(Requests, AResponderWaitsForARequesterThatDoesNotTakeItsParts) {
  std::atomic<int> sent{0};
  const Responder responder =
      worker_
          ->reply("work.stream",
                  [&](Request request) {
                    for (int count = 0; count < 1000; ++count) {
                      ASSERT_EQ(request.part(std::to_string(count), 20s), SendStatus::queued);
                      ++sent;
                    }
                    (void)request.finish("end");
                  })
          .value();
  PendingRequest pending = asker_->request("work.stream", "").value();
  std::this_thread::sleep_for(300ms);
  EXPECT_LE(sent, 64);
  int taken = 0;
  while (true) {
    const Reply reply = pending.next(10s);
    if (reply.kind == ReplyKind::progress) continue;
    if (reply.kind != ReplyKind::part) {
      EXPECT_EQ(reply.kind, ReplyKind::last) << reply.failure.message();
      break;
    }
    ASSERT_EQ(reply.text(), std::to_string(taken));
    ++taken;
  }
  EXPECT_EQ(taken, 1000);
}

TEST_F(Requests, WithoutAnAgentThereAreNoRequests) {
  std::vector<Request> kept;
  const Responder responder =
      worker_->reply("work", [&](Request request) { kept.push_back(std::move(request)); }).value();
  PendingRequest pending = asker_->request("work", "").value();
  asker_->close(1s);
  EXPECT_EQ(asker_->request("work", "").error(), Error::closed);
  EXPECT_EQ(pending.finish().error(), Error::closed);
  EXPECT_TRUE(pending.is_over());
  EXPECT_EQ(asker_->reply("work", [](Request) {}).error(), Error::closed);
  EXPECT_EQ(worker_->request("$work", "").error(), Error::reserved_topic);
  EXPECT_EQ(worker_->request("work.*", "").error(), Error::bad_topic);
  EXPECT_EQ(worker_->reply("$work", [](Request) {}).error(), Error::reserved_topic);
  EXPECT_EQ(worker_->reply("work..", [](Request) {}).error(), Error::bad_pattern);
  EXPECT_EQ(worker_->publisher("$request.work").error(), Error::reserved_topic);
  EXPECT_EQ(worker_->subscribe("$request.work").error(), Error::reserved_topic);
}

}  // namespace
}  // namespace abuzz
