#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"

namespace abuzz::demo {

// A file to be read up to the size that it had when it was found, so that a file that grows
// meanwhile is the same text for everybody.
struct TextFile {
  std::string path;
  std::uint64_t bytes = 0;
};

struct Texts {
  std::vector<TextFile> files;  // sorted by path
  std::uint64_t skipped = 0;    // binary, unreadable, or not a regular file
};

// The text files among `paths` and in all folders below them. Binary files (with a zero byte in the
// first 8 KiB) are skipped, and so are symbolic links below a folder. Fails when a path does not
// exist or cannot be read, or when no text is left.
Result<Texts> find_texts(const std::vector<std::string>& paths);

// The list as a file, for the processes that work on it.
Status write_list(const std::string& path, const Texts& texts);
Result<Texts> read_list(const std::string& path);

// Calls `take` with each line that is not empty, without its end. A line over `line_bytes_max`
// comes in pieces, cut between words where that is possible. Stops when `take` answers false. Uses
// one buffer of that size, however long the lines are.
Status for_each_line(const TextFile& file, std::size_t line_bytes_max,
                     const std::function<bool(std::string_view)>& take);

}  // namespace abuzz::demo
