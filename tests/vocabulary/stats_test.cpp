#include "bus/stats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/campaign.hpp"
#include "tests/vocabulary/surroundings.hpp"

// What is written is what is read, also meanwhile.

namespace abuzz {
namespace {

using Ids = std::vector<std::uint64_t>;

class Stats : public ::testing::Test {
 protected:
  std::unique_ptr<StatsFile> create(std::size_t rows_max = 1000) {
    return StatsFile::create(path_, {11, 22, 33}, rows_max).value();
  }
  StatsSnapshot read() { return read_stats(path_).value(); }

  testing::Directory directory_;
  const std::string path_ = directory_.path("counters");
};

TEST_F(Stats, ShowWhoWritesThem) {
  const auto file = create();
  const StatsSnapshot snapshot = read();
  EXPECT_EQ(snapshot.identity.node_id, 11u);
  EXPECT_EQ(snapshot.identity.node_epoch, 22u);
  EXPECT_EQ(snapshot.identity.agent_id, 33u);
  EXPECT_EQ(snapshot.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(snapshot.start_ticks, 0u);
  ASSERT_EQ(snapshot.rows.size(), 1u);
  EXPECT_EQ(snapshot.rows[0].kind, RowKind::process);
  EXPECT_EQ(snapshot.rows[0].ids[0], snapshot.pid);
  EXPECT_EQ(snapshot.rows[0].ids[1], snapshot.start_ticks);
}

TEST_F(Stats, DescribeTheirCountersInTheFile) {
  const auto file = create();
  const StatsSnapshot snapshot = read();
  ASSERT_EQ(snapshot.counters.size(), counter_table().size());
  for (std::size_t i = 0; i < snapshot.counters.size(); ++i) {
    EXPECT_EQ(snapshot.counters[i].kind, counter_table()[i].kind);
    EXPECT_EQ(snapshot.counters[i].id, counter_table()[i].id);
    EXPECT_EQ(snapshot.counters[i].label, counter_table()[i].label);
    EXPECT_EQ(snapshot.counters[i].unit, counter_table()[i].unit);
    EXPECT_EQ(snapshot.counters[i].is_gauge, counter_table()[i].is_gauge);
  }
}

TEST_F(Stats, AreReadAsTheyWereWritten) {
  const auto file = create();
  file->process().add(ProcessCounter::frames_in);
  file->process().add(ProcessCounter::frames_in, 4);
  file->process().set(ProcessCounter::state, static_cast<std::uint64_t>(PeerState::ready));
  file->process().add_shared(ProcessCounter::wakeups, 3);
  StatsRow* agent = file->add_row(RowKind::agent, Ids{1, 2, 3, 4}, "billing", "writer");
  StatsRow* pair = file->add_row(RowKind::pair, Ids{1, 2, 3, 4, 5, 6, 7}, "orders.new");
  ASSERT_NE(agent, nullptr);
  ASSERT_NE(pair, nullptr);
  pair->add(PairCounter::void_after_join, 9);
  const StatsSnapshot snapshot = read();
  ASSERT_EQ(snapshot.rows.size(), 3u);
  EXPECT_EQ(snapshot.rows[0].get(ProcessCounter::frames_in), 5u);
  EXPECT_EQ(snapshot.rows[0].get(ProcessCounter::state), 2u);
  EXPECT_EQ(snapshot.rows[0].get(ProcessCounter::wakeups), 3u);
  EXPECT_EQ(snapshot.rows[1].index, file->index_of(*agent));
  EXPECT_EQ(snapshot.rows[1].kind, RowKind::agent);
  EXPECT_EQ(Ids(std::begin(snapshot.rows[1].ids), std::end(snapshot.rows[1].ids)),
            (Ids{1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(snapshot.rows[1].text, "billing");
  EXPECT_EQ(snapshot.rows[1].text2, "writer");
  EXPECT_EQ(snapshot.rows[2].index, file->index_of(*pair));
  EXPECT_EQ(snapshot.rows[2].ids[5], 6u);
  EXPECT_EQ(snapshot.rows[2].text, "orders.new");
  EXPECT_EQ(snapshot.rows[2].text2, "");
  EXPECT_EQ(snapshot.rows[2].get(PairCounter::void_after_join), 9u);
  auto process = read_process_row(path_);
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(process.value().get(ProcessCounter::frames_in), 5u);
  EXPECT_EQ(read_process_row(path_ + "-not").error(), Error::system);
}

TEST_F(Stats, ReuseARemovedRowFromZero) {
  const auto file = create();
  StatsRow* first = file->add_row(RowKind::agent, Ids{1}, "first", "kind");
  StatsRow* second = file->add_row(RowKind::agent, Ids{2}, "second");
  first->add(AgentCounter::reconnects, 5);
  file->remove_row(first);
  ASSERT_EQ(read().rows.size(), 2u);
  EXPECT_EQ(read().rows[1].text, "second");
  StatsRow* third = file->add_row(RowKind::publication, Ids{3}, "t");
  EXPECT_EQ(third, first);
  EXPECT_EQ(file->index_of(*second), 2u);
  const StatsSnapshot snapshot = read();
  ASSERT_EQ(snapshot.rows.size(), 3u);
  EXPECT_EQ(snapshot.rows[1].kind, RowKind::publication);
  EXPECT_EQ(snapshot.rows[1].ids[0], 3u);
  EXPECT_EQ(snapshot.rows[1].text, "t");
  EXPECT_EQ(snapshot.rows[1].text2, "");
  for (const std::uint64_t value : snapshot.rows[1].counters) EXPECT_EQ(value, 0u);
  file->remove_row(nullptr);
}

TEST_F(Stats, KeepTextsThatFitAndCutOthers) {
  const auto file = create();
  const std::string longest(261, 'a'), longer(300, 'b');
  file->add_row(RowKind::agent, {}, longest, "x");
  file->add_row(RowKind::agent, {}, longer, longer);
  file->add_row(RowKind::agent, {}, std::string(160, 'c'), longer);
  file->add_row(RowKind::agent, {}, "", "only the second");
  file->add_row(RowKind::agent, {}, std::string_view("ze\0ro", 5), "after");
  // The longest name, kind and description of an agent.
  file->add_row(RowKind::agent, {}, std::string(64, 'n'), std::string(32, 'k'),
                std::string(128, 'd'));
  file->add_row(RowKind::agent, {}, std::string(100, 'n'), "", longer);
  const StatsSnapshot snapshot = read();
  ASSERT_EQ(snapshot.rows.size(), 8u);
  EXPECT_EQ(snapshot.rows[1].text, longest);
  EXPECT_EQ(snapshot.rows[1].text2, "");
  EXPECT_EQ(snapshot.rows[2].text, std::string(261, 'b'));
  EXPECT_EQ(snapshot.rows[2].text2, "");
  EXPECT_EQ(snapshot.rows[3].text, std::string(160, 'c'));
  EXPECT_EQ(snapshot.rows[3].text2, std::string(101, 'b'));
  EXPECT_EQ(snapshot.rows[4].text, "");
  EXPECT_EQ(snapshot.rows[4].text2, "only the second");
  EXPECT_EQ(snapshot.rows[5].text, "ze");
  EXPECT_EQ(snapshot.rows[5].text2, "after");
  EXPECT_EQ(snapshot.rows[5].text3, "");
  EXPECT_EQ(snapshot.rows[6].text2, std::string(32, 'k'));
  EXPECT_EQ(snapshot.rows[6].text3, std::string(128, 'd'));
  EXPECT_EQ(snapshot.rows[7].text3, std::string(161, 'b'));
}

TEST_F(Stats, TakeNewIdsForARow) {
  const auto file = create();
  StatsRow* row = file->add_row(RowKind::agent, Ids{1, 2, 3, 4}, "a");
  row->add(AgentCounter::frames_in, 7);
  file->set_ids(*row, Ids{1, 2, 3, 5});
  const StatsSnapshot snapshot = read();
  EXPECT_EQ(snapshot.rows[1].ids[3], 5u);
  EXPECT_EQ(snapshot.rows[1].text, "a");
  EXPECT_EQ(snapshot.rows[1].get(AgentCounter::frames_in), 7u);
}

TEST_F(Stats, AreFullAtTheirLimitAndSaySo) {
  for (const std::size_t rows_max : {1u, 2u, 63u, 64u, 65u, 200u}) {
    const auto file = create(rows_max);
    std::vector<StatsRow*> rows;
    while (StatsRow* row = file->add_row(RowKind::pair, Ids{rows.size()}, "t")) rows.push_back(row);
    EXPECT_EQ(rows.size() + 1, rows_max);
    EXPECT_EQ(read().rows.size(), rows_max);
    if (rows.empty()) continue;
    EXPECT_EQ(file->add_row(RowKind::pair, {}, "t"), nullptr);
    file->remove_row(rows.back());
    EXPECT_EQ(file->add_row(RowKind::pair, {}, "t"), rows.back());
  }
}

TEST_F(Stats, KeepTheAddressOfARowWhileTheFileGrows) {
  const auto file = create(5000);
  StatsRow* first = file->add_row(RowKind::agent, Ids{1}, "first");
  for (std::uint64_t i = 2; i < 5000; ++i) {
    StatsRow* row = file->add_row(RowKind::pair, Ids{i}, "t");
    ASSERT_NE(row, nullptr);
    row->add(PairCounter::handed, i);
  }
  first->add(AgentCounter::frames_in);
  const StatsSnapshot snapshot = read();
  ASSERT_EQ(snapshot.rows.size(), 5000u);
  EXPECT_EQ(snapshot.rows[1].get(AgentCounter::frames_in), 1u);
  for (std::uint32_t i = 2; i < 5000; ++i) {
    ASSERT_EQ(snapshot.rows[i].index, i);
    ASSERT_EQ(snapshot.rows[i].ids[0], i);
    ASSERT_EQ(snapshot.rows[i].get(PairCounter::handed), i);
  }
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Stats, ReserveAddressesAndNotMemory) {
  const std::uint64_t before = resident_bytes();
  const auto in_file = create(1u << 20);
  const auto in_memory = StatsFile::create("", {}, 1u << 20).value();
  EXPECT_LT(resident_bytes(), before + (4u << 20));
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_LE(status.st_size, 80 << 10);
}

TEST_F(Stats, LieInAPrivateFileThatReplacesAnOldOne) {
  directory_.write("victim", "keep me");
  std::filesystem::create_symlink(directory_.path("victim"), path_);
  const auto file = create();
  EXPECT_EQ(testing::read_text(directory_.path("victim")), "keep me");
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  // Who still has the old file open keeps it.
  file->process().add(ProcessCounter::strikes, 1);
  const auto next = create();
  file->process().add(ProcessCounter::strikes, 1);
  EXPECT_EQ(read().rows[0].get(ProcessCounter::strikes), 0u);
}

TEST_F(Stats, StayReadableAfterTheirOwner) {
  create()->process().add(ProcessCounter::strikes, 3);
  EXPECT_EQ(read().rows[0].get(ProcessCounter::strikes), 3u);
}

TEST_F(Stats, ThatCannotBeCreatedSayWhy) {
  const auto file = StatsFile::create(directory_.path("none/counters"), {}, 10);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error(), Error::system);
  EXPECT_THAT(file.failure().detail, ::testing::HasSubstr("none/counters: No such file"));
  EXPECT_EQ(StatsFile::create(directory_.path(""), {}, 10).error(), Error::system);
}

TEST_F(Stats, InMemoryGiveTheSameSnapshot) {
  const auto in_memory = StatsFile::create("", {11, 22, 33}, 100).value();
  const auto in_file = create();
  for (StatsFile* file : {in_memory.get(), in_file.get()}) {
    StatsRow* gone = file->add_row(RowKind::agent, Ids{1}, "gone");
    file->add_row(RowKind::agent, Ids{2}, "here", "kind")->add(AgentCounter::strikes, 2);
    file->remove_row(gone);
  }
  const StatsSnapshot a = in_memory->snapshot(), b = read();
  EXPECT_EQ(a.identity.agent_id, b.identity.agent_id);
  EXPECT_EQ(a.counters.size(), b.counters.size());
  ASSERT_EQ(a.rows.size(), 2u);
  ASSERT_EQ(b.rows.size(), 2u);
  EXPECT_EQ(a.rows[1].index, b.rows[1].index);
  EXPECT_EQ(a.rows[1].text, b.rows[1].text);
  EXPECT_EQ(a.rows[1].text2, b.rows[1].text2);
  EXPECT_EQ(a.rows[1].get(AgentCounter::strikes), 2u);
}

// Every row says the same thing three times: a reader that mixes two states sees it.
bool is_consistent(const RowSnapshot& row) {
  const std::string number = std::to_string(row.ids[0]);
  return row.ids[5] == row.ids[0] && row.text.starts_with(number + ".") && row.text2 == number;
}

TEST_F(Stats, CampaignAreConsistentWhileTheyChange) {
  const auto file = create(300);
  // Ends with the test, also with one that fails.
  const std::jthread writer([&](const std::stop_token& stop) {
    std::vector<StatsRow*> rows;
    for (std::uint64_t i = 1; !stop.stop_requested(); ++i) {
      if (rows.size() == 250) {
        for (StatsRow* row : rows) file->remove_row(row);
        rows.clear();
      }
      const std::string number = std::to_string(i);
      const std::string text = number + "." + std::string(i % 150, 'x');
      rows.push_back(file->add_row(RowKind::pair, Ids{i, 0, 0, 0, 0, i}, text, number));
    }
  });
  std::size_t row_count = 0;
  // At least until the writer has begun, which may take it a while on a busy machine.
  for (std::uint64_t i = 0; i < testing::campaign_count(5000) || row_count < 1000; ++i) {
    Result<StatsSnapshot> snapshot = read_stats(path_);
    ASSERT_TRUE(snapshot.ok()) << snapshot.failure().message();
    for (const RowSnapshot& row : snapshot.value().rows) {
      if (row.kind == RowKind::process) continue;
      ++row_count;
      EXPECT_TRUE(is_consistent(row)) << row.ids[0] << " " << row.ids[5] << " " << row.text;
    }
  }
}

}  // namespace
}  // namespace abuzz
