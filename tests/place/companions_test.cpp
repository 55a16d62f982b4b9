#include "bus/place/companions.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

#include "bus/base/quiet_thread.hpp"
#include "bus/place/pin.hpp"

namespace abuzz::place::test {
namespace {

// A thread that is there as long as it is wanted.
class Guest {
 public:
  Guest() {
    EXPECT_TRUE(base::start_quiet_thread(thread_, run, this, "test-guest"));
    while (id_ == 0) std::this_thread::yield();
  }
  ~Guest() {
    is_over_ = true;
    pthread_join(thread_, nullptr);
  }
  pid_t id() const { return id_; }

 private:
  static void* run(void* self) {
    Guest& guest = *static_cast<Guest*>(self);
    guest.id_ = ::gettid();
    while (!guest.is_over_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return nullptr;
  }
  pthread_t thread_{};
  std::atomic<pid_t> id_{0};
  std::atomic<bool> is_over_{false};
};

class CompanionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (all_.size() < 2) GTEST_SKIP() << "one processor";
    companions_.add(guest_.id());
  }
  const Processors all_ = read_affinity();
  Guest guest_;
  Companions companions_;
};

TEST_F(CompanionsTest, are_gathered_and_put_back) {
  EXPECT_TRUE(companions_.gather(all_.back()));
  EXPECT_EQ(read_affinity(guest_.id()), Processors{all_.back()});
  EXPECT_EQ(read_affinity(), all_) << "the caller's mask";
  companions_.part();
  EXPECT_EQ(read_affinity(guest_.id()), all_);
}

TEST_F(CompanionsTest, what_they_start_meanwhile_is_let_go) {
  Guest pinned;
  ASSERT_EQ(set_affinity({all_.back()}, pinned.id()), 0);
  ASSERT_TRUE(companions_.gather(all_.back()));
  std::optional<Guest> stray;
  run_on({all_.back()}, [&](const PinOutcome&) { stray.emplace(); });
  ASSERT_EQ(read_affinity(stray->id()), Processors{all_.back()});
  companions_.release_strays();
  EXPECT_EQ(read_affinity(stray->id()), all_);
  EXPECT_EQ(read_affinity(guest_.id()), Processors{all_.back()});
  EXPECT_EQ(read_affinity(pinned.id()), Processors{all_.back()}) << "it was there before";
  // Who goes back there by itself is not asked twice.
  ASSERT_EQ(set_affinity({all_.back()}, stray->id()), 0);
  companions_.part();
  EXPECT_EQ(read_affinity(stray->id()), Processors{all_.back()});
}

TEST_F(CompanionsTest, do_not_go_where_their_mask_does_not_let_them) {
  ASSERT_EQ(set_affinity({all_.front()}, guest_.id()), 0);
  EXPECT_FALSE(companions_.gather(all_.back()));
  EXPECT_EQ(read_affinity(guest_.id()), Processors{all_.front()});
}

TEST_F(CompanionsTest, stay_where_somebody_else_put_them) {
  ASSERT_TRUE(companions_.gather(all_.back()));
  ASSERT_EQ(set_affinity({all_.front()}, guest_.id()), 0);
  companions_.part();
  EXPECT_EQ(read_affinity(guest_.id()), Processors{all_.front()});
  ASSERT_EQ(set_affinity(all_, guest_.id()), 0);
  EXPECT_FALSE(companions_.gather(all_.back())) << "they are somebody else's now";
  EXPECT_EQ(read_affinity(guest_.id()), all_);
}

TEST_F(CompanionsTest, are_found_by_name) {
  EXPECT_EQ(find_thread("test-guest"), guest_.id());
  EXPECT_EQ(find_thread("nobody"), 0);
}

TEST_F(CompanionsTest, tell_their_time) {
  companions_.add(::gettid());
  const base::Nanos before = companions_.cpu_time();
  std::uint64_t sum = 0;
  for (std::uint64_t index = 0; companions_.cpu_time() <= before && index < 10'000'000; ++index)
    sum += index;
  EXPECT_GT(companions_.cpu_time(), before) << sum;
}

}  // namespace
}  // namespace abuzz::place::test
