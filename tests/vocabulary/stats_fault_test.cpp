#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bus/stats.hpp"
#include "bus/stats_layout.hpp"
#include "tests/campaign.hpp"
#include "tests/vocabulary/surroundings.hpp"

// Dead writers, full disks, and files that are none.

namespace abuzz {
namespace {

using Ids = std::vector<std::uint64_t>;
using ::testing::HasSubstr;

template <class Function>
pid_t fork_and(Function function) {
  const pid_t child = ::fork();
  if (child == 0) {
    function();
    ::_exit(99);
  }
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class StatsFault : public ::testing::Test {
 protected:
  // The bytes of a good file with `row_count` rows.
  std::string good_bytes(std::size_t row_count) {
    const auto file = StatsFile::create(path_, {1, 2, 3}, row_count).value();
    for (std::size_t i = 1; i < row_count; ++i) {
      file->add_row(RowKind::agent, Ids{i}, "agent", std::to_string(i));
    }
    return testing::read_text(path_);
  }
  Result<StatsSnapshot> read(std::string_view bytes) {
    return read_stats(directory_.write("copy", bytes));
  }
  template <class Change>
  Result<StatsSnapshot> read_changed(std::string bytes, Change change) {
    change(*reinterpret_cast<detail::FileHeader*>(bytes.data()));
    return read(bytes);
  }
  static std::size_t row_offset(const std::string& bytes, std::size_t index) {
    const auto& header = *reinterpret_cast<const detail::FileHeader*>(bytes.data());
    return header.rows_offset + index * sizeof(StatsRow);
  }

  testing::Directory directory_;
  const std::string path_ = directory_.path("counters");
};

TEST_F(StatsFault, KillingTheWriterLeavesAReadableFile) {
  const pid_t child = fork_and([&] {
    const auto file = StatsFile::create(path_, {}, 10'000).value();
    for (std::uint64_t i = 1;; ++i) {
      StatsRow* row = file->add_row(RowKind::pair, Ids{i}, "t", std::to_string(i));
      file->process().add(ProcessCounter::frames_in);
      if (row != nullptr && i % 3 == 0) file->remove_row(row);
    }
  });
  for (;;) {
    Result<StatsSnapshot> snapshot = read_stats(path_);
    if (snapshot.ok() && snapshot.value().rows.size() > 200) break;
    ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
  }
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_EQ(exit_code(child), -SIGKILL);
  Result<StatsSnapshot> snapshot = read_stats(path_);
  ASSERT_TRUE(snapshot.ok()) << snapshot.failure().message();
  EXPECT_EQ(snapshot.value().pid, static_cast<std::uint32_t>(child));
  ASSERT_GT(snapshot.value().rows.size(), 200u);
  for (const RowSnapshot& row : snapshot.value().rows) {
    if (row.kind == RowKind::process) continue;
    EXPECT_EQ(row.text2, std::to_string(row.ids[0]));
  }
}

// Adds rows until that fails, then proves that the file and the rows that there are still work.
[[noreturn]] void fill_up(const std::string& path) {
  auto created = StatsFile::create(path, {}, 100'000);
  if (!created.ok()) ::_exit(2);
  const auto file = std::move(created).value();
  std::vector<StatsRow*> rows;
  while (StatsRow* row = file->add_row(RowKind::pair, Ids{rows.size()}, "t")) {
    row->add(PairCounter::handed, 7);
    rows.push_back(row);
  }
  if (rows.size() < 10 || rows.size() > 50'000) ::_exit(3);
  for (StatsRow* row : rows) row->add(PairCounter::taken);
  file->process().add(ProcessCounter::strikes);
  file->remove_row(rows.back());
  if (file->add_row(RowKind::pair, {}, "again") != rows.back()) ::_exit(4);
  Result<StatsSnapshot> snapshot = read_stats(path);
  if (!snapshot.ok() || snapshot.value().rows.size() != rows.size() + 1) ::_exit(5);
  ::_exit(0);
}

TEST_F(StatsFault, AFileSizeLimitIsAnAnswerAndNotASignal) {
  const pid_t child = fork_and([&] {
    const rlimit limit{200u << 10, 200u << 10};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    fill_up(path_);
  });
  EXPECT_EQ(exit_code(child), 0);
}

TEST_F(StatsFault, AFileSizeLimitFromTheStartIsAFailure) {
  const pid_t child = fork_and([&] {
    const rlimit limit{1024, 1024};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    const auto file = StatsFile::create(path_, {}, 10);
    ::_exit(!file.ok() && file.error() == Error::system ? 0 : 2);
  });
  EXPECT_EQ(exit_code(child), 0);
  EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "it leaves no file behind";
}

TEST_F(StatsFault, AFullDiskIsAnAnswerAndNotASignal) {
  constexpr int no_mount = 77;
  ASSERT_EQ(::mkdir(directory_.path("small").c_str(), 0700), 0);
  const pid_t child = fork_and([&] {
    // A mount namespace of its own, so that nothing outside sees the disk or has to clean up.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", directory_.path("small").c_str(), "tmpfs", 0, "size=128k") != 0) {
      ::_exit(no_mount);
    }
    fill_up(directory_.path("small/counters"));
  });
  const int code = exit_code(child);
  if (code == no_mount) GTEST_SKIP() << "needs root and mount";
  EXPECT_EQ(code, 0);
}

TEST_F(StatsFault, AMissingFileIsASystemError) {
  const auto missing = read_stats(directory_.path("none"));
  EXPECT_EQ(missing.error(), Error::system);
  EXPECT_THAT(missing.failure().detail, HasSubstr("No such file"));
}

TEST_F(StatsFault, WhatIsNoRegularFileIsRefused) {
  EXPECT_EQ(read_stats(directory_.path("")).error(), Error::unreadable_input);
  EXPECT_EQ(read_stats("/dev/zero").error(), Error::unreadable_input);
  ASSERT_EQ(::mkfifo(directory_.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_stats(directory_.path("fifo")).error(), Error::unreadable_input);
}

TEST_F(StatsFault, GarbageIsRefused) {
  EXPECT_EQ(read("").error(), Error::unreadable_input);
  EXPECT_EQ(read("ABZ").error(), Error::unreadable_input);
  EXPECT_EQ(read("ABZS").error(), Error::unreadable_input);
  EXPECT_EQ(read("hello, I am a text file").error(), Error::unreadable_input);
  EXPECT_EQ(read(std::string(100'000, '\0')).error(), Error::unreadable_input);
  EXPECT_EQ(read("ABZS" + std::string(100'000, '\xff')).error(), Error::unreadable_input);
}

TEST_F(StatsFault, EveryFalseClaimOfTheHeaderIsRefused) {
  const std::string good = good_bytes(10);
  using Header = detail::FileHeader;
  ASSERT_TRUE(read(good).ok());
  const auto refuses = [&](auto change) {
    return read_changed(good, change).error() == Error::unreadable_input;
  };
  EXPECT_TRUE(refuses([](Header& header) { header.magic = 0; }));
  EXPECT_TRUE(refuses([](Header& header) { header.version = 2; }));
  EXPECT_TRUE(refuses([](Header& header) { header.header_bytes = 0; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_bytes = 0; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_bytes = 575; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_bytes = 577; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_bytes = 1u << 31; }));
  EXPECT_TRUE(refuses([](Header& header) { header.rows_offset = ~0ull; }));
  EXPECT_TRUE(refuses([](Header& header) { header.rows_offset = ~0ull - 576 + 1; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_count = 0; }));
  EXPECT_TRUE(refuses([](Header& header) { header.row_count = ~0u; }));
  EXPECT_TRUE(refuses([](Header& header) { header.descriptor_count = ~0u; }));
  EXPECT_TRUE(refuses([](Header& header) { header.descriptors_offset = ~0ull; }));
}

TEST_F(StatsFault, AFileCutAnywhereIsRefused) {
  const std::string good = good_bytes(10);
  const std::size_t end = row_offset(good, 10);
  for (std::size_t bytes = 0; bytes < end; bytes += 61) {
    EXPECT_FALSE(read(std::string_view(good).substr(0, bytes)).ok()) << bytes;
  }
  EXPECT_TRUE(read(std::string_view(good).substr(0, end)).ok());
}

TEST_F(StatsFault, ARowThatItsWriterLeftUnfinishedIsLeftOut) {
  std::string bytes = good_bytes(10);
  bytes[row_offset(bytes, 4)] = 3;
  Result<StatsSnapshot> snapshot = read(bytes);
  ASSERT_TRUE(snapshot.ok());
  ASSERT_EQ(snapshot.value().rows.size(), 9u);
  EXPECT_EQ(snapshot.value().rows[3].index, 3u);
  EXPECT_EQ(snapshot.value().rows[4].index, 5u);
  bytes[row_offset(bytes, 0)] = 3;
  EXPECT_EQ(read(bytes).error(), Error::unreadable_input);
}

TEST_F(StatsFault, TextsWithoutAnEndAreReadToTheEndOfTheRow) {
  std::string bytes = good_bytes(2);
  std::memset(bytes.data() + row_offset(bytes, 2) - 264, 'x', 264);
  Result<StatsSnapshot> snapshot = read(bytes);
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot.value().rows[1].text, std::string(264, 'x'));
  EXPECT_EQ(snapshot.value().rows[1].text2, "");
}

TEST_F(StatsFault, AFileOfANewerWriterWithLongerRowsIsRead) {
  const std::string old = good_bytes(3);
  std::string bytes = old.substr(0, row_offset(old, 0));
  for (std::size_t i = 0; i < 3; ++i) {
    bytes += old.substr(row_offset(old, i), sizeof(StatsRow)) + std::string(64, '\x7f');
  }
  Result<StatsSnapshot> snapshot = read_changed(
      bytes, [](detail::FileHeader& header) { header.row_bytes = sizeof(StatsRow) + 64; });
  ASSERT_TRUE(snapshot.ok()) << snapshot.failure().message();
  ASSERT_EQ(snapshot.value().rows.size(), 3u);
  EXPECT_EQ(snapshot.value().rows[2].text2, "2");
}

TEST_F(StatsFault, CampaignNoChangedByteCrashesTheReader) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string good = good_bytes(5);
  for (std::uint64_t i = 0; i < testing::campaign_count(5'000); ++i) {
    std::string bytes = good;
    for (std::uint64_t changes = 1 + random() % 8; changes > 0; --changes) {
      // Most of them in the header, where they matter.
      const std::size_t at = random() % (random() % 4 != 0 ? 72 : bytes.size());
      bytes[at] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    static_cast<void>(read(bytes));
  }
}

}  // namespace
}  // namespace abuzz
