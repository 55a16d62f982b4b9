#include "tools/lines.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace abuzz::tools {
namespace {

// A pipe that already holds `text`; its writer is gone unless kept.
class FilledPipe {
 public:
  explicit FilledPipe(const std::string& text) {
    EXPECT_EQ(::pipe(ends_), 0);
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  ~FilledPipe() {
    ::close(ends_[0]);
    end();
  }
  void end() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  int reader() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

std::vector<std::string> read_all(const std::string& text, std::size_t bytes_max,
                                  LineReader::Event& last) {
  FilledPipe pipe(text);
  pipe.end();
  LineReader lines(pipe.reader(), -1, bytes_max);
  std::vector<std::string> read;
  std::string_view line;
  while ((last = lines.next(line)) == LineReader::Event::line) read.emplace_back(line);
  return read;
}

TEST(LineReader, HandsOutEachLineAndTheLastWithoutItsNewline) {
  LineReader::Event last{};
  EXPECT_EQ(read_all("one\n\ntwo\nthree", 100, last),
            (std::vector<std::string>{"one", "", "two", "three"}));
  EXPECT_EQ(last, LineReader::Event::end);
  EXPECT_EQ(read_all("", 100, last), std::vector<std::string>{});
  EXPECT_EQ(read_all("\n", 100, last), std::vector<std::string>{""});
}

TEST(LineReader, TakesALineOfTheLimitAndTellsALongerOne) {
  LineReader::Event last{};
  EXPECT_EQ(read_all("1234\n12345\n1234\n", 4, last), std::vector<std::string>{"1234"});
  EXPECT_EQ(last, LineReader::Event::too_long);
  EXPECT_EQ(read_all("12345", 4, last), std::vector<std::string>{});
  EXPECT_EQ(last, LineReader::Event::too_long);
  EXPECT_EQ(read_all("1234", 4, last), std::vector<std::string>{"1234"});
  EXPECT_EQ(last, LineReader::Event::end);
}

TEST(LineReader, TellsTheNumberOfTheLineThatIsTooLong) {
  FilledPipe pipe("a\nb\nlong line\n");
  LineReader lines(pipe.reader(), -1, 4);
  std::string_view line;
  EXPECT_EQ(lines.next(line), LineReader::Event::line);
  EXPECT_EQ(lines.next(line), LineReader::Event::line);
  EXPECT_EQ(lines.next(line), LineReader::Event::too_long);
  EXPECT_EQ(lines.number(), 3u);
}

TEST(LineReader, DoesNotWaitWhileItIsInterrupted) {
  FilledPipe pipe("a\nhalf"), interrupt("!");
  LineReader lines(pipe.reader(), interrupt.reader(), 100);
  std::string_view line;
  EXPECT_EQ(lines.next(line), LineReader::Event::interrupted);
}

TEST(LineReader, TellsWhyItCannotRead) {
  LineReader lines(::getpid() + 100'000, -1, 100);
  std::string_view line;
  EXPECT_EQ(lines.next(line), LineReader::Event::failed);
  EXPECT_EQ(lines.fault(), "Bad file descriptor");
}

}  // namespace
}  // namespace abuzz::tools
