#include "tools/terminal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace abuzz::tools {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  int ends[2] = {-1, -1};
};

TEST(Printable, HidesWhatWouldDriveTheTerminal) {
  EXPECT_EQ(printable("plain · größe"), "plain · größe");
  EXPECT_EQ(printable("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\xc2\x9B"
            "2J");
  EXPECT_EQ(in_quotes("a\tb"), "'a\\x09b'");
}

TEST(Table, AlignsColumnsByTheirWidestCell) {
  Table table({{"NAME"}, {"COUNT", true}});
  EXPECT_TRUE(table.empty());
  table.add({"größe", "7"});
  table.add({"x", "1,000"});
  EXPECT_EQ(table.print(false),
            "NAME   COUNT\n"
            "größe      7\n"
            "x      1,000\n");
}

TEST(Output, KeepsWhatItCouldNotWriteWhenInterrupted) {
  Pipe full, interrupt;
  const std::string much(1u << 20u, 'x');
  ASSERT_EQ(::write(interrupt.ends[1], "!", 1), 1);
  Output output(full.ends[1], interrupt.ends[0]);
  output.append(much);
  EXPECT_EQ(output.flush(), Output::State::interrupted);
  const std::size_t left = output.pending().size();
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, much.size());

  output.hurry(std::chrono::milliseconds(20));
  EXPECT_EQ(output.flush(), Output::State::interrupted);
  EXPECT_EQ(output.pending().size(), left);
}

TEST(Output, NoticesThatTheReaderLeft) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  Output output(pipe.ends[1]);
  EXPECT_FALSE(output.reader_left());
  ::close(pipe.ends[0]);
  pipe.ends[0] = -1;
  EXPECT_TRUE(output.reader_left());

  Output writer(pipe.ends[1]);
  writer.append("lost");
  EXPECT_EQ(writer.flush(), Output::State::reader_left);
  EXPECT_EQ(writer.finish(0), 0);
}

TEST(Output, FailsWithTheCauseWhenTheDiskIsFull) {
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  Output output(full);
  output.append("x");
  EXPECT_EQ(output.finish(0), 1);
  ::close(full);
}

}  // namespace
}  // namespace abuzz::tools
