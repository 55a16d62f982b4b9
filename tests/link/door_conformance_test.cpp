#include "bus/link/unix_door.hpp"
#include "tests/link/link_bench.hpp"

// What every door does.

namespace abuzz::link::test {
namespace {

using Event = DoorListener::Event;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class DoorConformance : public testing::TestWithParam<Kind> {
 protected:
  // Of the real door fewer than by default, as both ends take descriptors of this process.
  const std::size_t callers_max =
      GetParam() == Kind::loop ? UnixDoorOptions{}.callers_max : std::size_t{320};
  static constexpr int greeting_timeout_ms = 300;

  std::unique_ptr<DoorListener> listen() {
    if (GetParam() == Kind::loop) return loop_.listen().value();
    const UnixDoorOptions options{.callers_max = callers_max,
                                  .greeting_timeout_ms = greeting_timeout_ms};
    return listen_unix_door(path_, options).value();
  }
  Result<std::unique_ptr<DoorCall>> try_call() {
    return GetParam() == Kind::loop ? loop_.call() : call_unix_door(path_);
  }
  std::unique_ptr<DoorCall> call() { return try_call().value(); }

  // The next event, or none when it takes too long.
  Event await(DoorListener& listener) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    Event event = Event::none;
    while ((event = listener.try_next(caller_, datagram_)) == Event::none && !is_over(deadline)) {
      pass(listener.wait_descriptor());
    }
    return event;
  }
  DoorCall::Status await(DoorCall& call) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    DoorCall::Status status = DoorCall::Status::empty;
    while ((status = call.try_receive(datagram_)) == DoorCall::Status::empty &&
           !is_over(deadline)) {
      pass(call.wait_descriptor());
    }
    return status;
  }
  void pass(int descriptor) {
    clock_.advance(10 * base::millisecond);
    if (descriptor < 0) return;
    pollfd poll{descriptor, POLLIN, 0};
    ::poll(&poll, 1, 10);
  }
  // Lets the listener work until its callers' time to greet is over.
  void outlast_greeting(DoorListener& listener) {
    clock_.advance(2100 * base::millisecond);
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(greeting_timeout_ms + 100);
    do {
      ASSERT_EQ(listener.try_next(caller_, datagram_), Event::none);
      pass(listener.wait_descriptor());
    } while (GetParam() != Kind::loop && !is_over(deadline));
    ASSERT_EQ(listener.try_next(caller_, datagram_), Event::none);
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/door";
  base::ManualClock clock_;
  LoopNetwork loop_{clock_, 1};
  Caller caller_;
  Bytes datagram_;
};

INSTANTIATE_TEST_SUITE_P(All, DoorConformance, testing::Values(Kind::loop, Kind::ipc),
                         [](const auto& instance) {
                           return std::string(instance.param == Kind::loop ? "loop" : "unix");
                         });

TEST_P(DoorConformance, NobodyListeningIsNoNode) {
  EXPECT_EQ(try_call().error(), Error::no_node);
  listen().reset();
  EXPECT_EQ(try_call().error(), Error::no_node);
}

TEST_P(DoorConformance, AHelloIsAnswered) {
  const auto listener = listen();
  const auto first = call();
  const auto second = call();
  EXPECT_EQ(first->try_receive(datagram_), DoorCall::Status::empty);
  ASSERT_EQ(first->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  EXPECT_EQ(text_of(datagram_), "hello");
  EXPECT_EQ(caller_.uid, ::getuid());
  EXPECT_EQ(caller_.pid, static_cast<std::uint32_t>(::getpid()));
  const CallerId id = caller_.id;
  EXPECT_TRUE(listener->try_reply(id, bytes_of("welcome")));
  ASSERT_EQ(await(*first), DoorCall::Status::done);
  EXPECT_EQ(text_of(datagram_), "welcome");
  ASSERT_EQ(second->try_send(bytes_of("me too")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  EXPECT_NE(caller_.id, id);
  EXPECT_FALSE(listener->try_reply(999, bytes_of("nobody")));
}

TEST_P(DoorConformance, DatagramsStayWholeAndInOrderUpToTheLimit) {
  const auto listener = listen();
  const auto caller = call();
  for (const std::size_t bytes : {1u, 2u, 100u, 4095u, 4096u}) {
    ASSERT_EQ(caller->try_send(Bytes(bytes, std::byte{7})), DoorCall::Status::done);
  }
  for (const std::size_t bytes : {1u, 2u, 100u, 4095u, 4096u}) {
    ASSERT_EQ(await(*listener), Event::datagram);
    EXPECT_EQ(datagram_, Bytes(bytes, std::byte{7}));
    EXPECT_TRUE(listener->try_reply(caller_.id, datagram_));
  }
  for (const std::size_t bytes : {1u, 2u, 100u, 4095u, 4096u}) {
    ASSERT_EQ(await(*caller), DoorCall::Status::done);
    EXPECT_EQ(datagram_.size(), bytes);
  }
  EXPECT_FALSE(listener->try_reply(caller_.id, Bytes(4097)));
}

TEST_P(DoorConformance, AnOversizedDatagramIsHungUpOn) {
  const auto listener = listen();
  const auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(caller->try_send(Bytes(4097)), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  ASSERT_EQ(await(*listener), Event::hang_up);
  EXPECT_EQ(await(*caller), DoorCall::Status::closed);
}

TEST_P(DoorConformance, WhoDoesNotReadFillsUpAndLosesNothing) {
  const auto listener = listen();
  const auto caller = call();
  int sent = 0;
  while (caller->try_send(bytes_of(std::to_string(sent))) == DoorCall::Status::done) ++sent;
  EXPECT_EQ(caller->try_send(bytes_of("x")), DoorCall::Status::empty);
  EXPECT_GE(sent, 10);
  for (int number = 0; number < sent; ++number) {
    ASSERT_EQ(await(*listener), Event::datagram);
    EXPECT_EQ(text_of(datagram_), std::to_string(number));
  }
  while (listener->try_reply(caller_.id, bytes_of("x"))) {
  }
  EXPECT_EQ(await(*caller), DoorCall::Status::done);
}

TEST_P(DoorConformance, ALeavingAgentHangsUpAfterItsLastWord) {
  const auto listener = listen();
  auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(caller->try_send(bytes_of("bye")), DoorCall::Status::done);
  caller.reset();
  ASSERT_EQ(await(*listener), Event::datagram);
  const CallerId id = caller_.id;
  ASSERT_EQ(await(*listener), Event::datagram);
  EXPECT_EQ(text_of(datagram_), "bye");
  ASSERT_EQ(await(*listener), Event::hang_up);
  EXPECT_EQ(caller_.id, id);
  EXPECT_FALSE(listener->try_reply(id, bytes_of("late")));
}

TEST_P(DoorConformance, ANodeThatHangsUpIsHeardAfterItsLastWord) {
  const auto listener = listen();
  const auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  // Unread mail at the node must not swallow what it said.
  ASSERT_EQ(caller->try_send(bytes_of("more")), DoorCall::Status::done);
  EXPECT_TRUE(listener->try_reply(caller_.id, bytes_of("no")));
  listener->hang_up(caller_.id);
  EXPECT_EQ(await(*caller), DoorCall::Status::done);
  EXPECT_EQ(text_of(datagram_), "no");
  EXPECT_EQ(await(*caller), DoorCall::Status::closed);
  EXPECT_EQ(caller->try_send(bytes_of("?")), DoorCall::Status::closed);
  EXPECT_EQ(listener->try_next(caller_, datagram_), Event::none);
}

TEST_P(DoorConformance, TheEndOfTheListenerIsHeard) {
  auto listener = listen();
  const auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  listener.reset();
  EXPECT_EQ(await(*caller), DoorCall::Status::closed);
}

TEST_P(DoorConformance, AShutDoorKeepsThoseInside) {
  const auto listener = listen();
  const auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  listener->shut();
  EXPECT_EQ(try_call().error(), Error::no_node);
  EXPECT_TRUE(listener->try_reply(caller_.id, bytes_of("still here")));
  EXPECT_EQ(await(*caller), DoorCall::Status::done);
  // The name is free for the next node.
  const auto next = listen();
  const auto other = call();
  ASSERT_EQ(other->try_send(bytes_of("hello")), DoorCall::Status::done);
  EXPECT_EQ(await(*next), Event::datagram);
}

TEST_P(DoorConformance, ThreeHundredSilentCallersDoNotKeepAnyoneOut) {
  const auto listener = listen();
  std::vector<std::unique_ptr<DoorCall>> idle;
  for (int count = 0; count < 300; ++count) idle.push_back(call());
  const auto caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  ASSERT_EQ(await(*listener), Event::datagram);
  EXPECT_EQ(listener->turned_away(), 0u);
  outlast_greeting(*listener);
  for (const auto& call : idle) EXPECT_EQ(call->try_receive(datagram_), DoorCall::Status::closed);
  EXPECT_EQ(caller->try_receive(datagram_), DoorCall::Status::empty);
}

TEST_P(DoorConformance, AFullHouseTurnsTheNewestAwayUntilTheSilentOnesAreGone) {
  const auto listener = listen();
  std::vector<std::unique_ptr<DoorCall>> idle;
  for (std::size_t count = 0; count < callers_max; ++count) {
    idle.push_back(call());
    ASSERT_EQ(listener->try_next(caller_, datagram_), Event::none);
  }
  auto caller = call();
  ASSERT_EQ(listener->try_next(caller_, datagram_), Event::none);
  EXPECT_EQ(await(*caller), DoorCall::Status::closed);
  EXPECT_EQ(listener->turned_away(), 1u);
  outlast_greeting(*listener);
  caller = call();
  ASSERT_EQ(caller->try_send(bytes_of("hello")), DoorCall::Status::done);
  EXPECT_EQ(await(*listener), Event::datagram);
  EXPECT_EQ(listener->turned_away(), 1u);
}

}  // namespace
}  // namespace abuzz::link::test
