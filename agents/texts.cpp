#include "agents/texts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

namespace abuzz::demo {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Failure unreadable(const std::string& path) {
  return {Error::unreadable_input, path + ": " + std::strerror(errno)};
}

bool is_text(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return false;
  char head[8192];
  const std::size_t bytes = std::fread(head, 1, sizeof head, file.get());
  return bytes != 0 && std::memchr(head, 0, bytes) == nullptr;
}

// A newline in a name would end its line in the list.
bool take_file(const fs::path& path, Texts& texts) {
  std::error_code fault;
  const std::uint64_t bytes = fs::file_size(path, fault);
  if (fault || path.native().find('\n') != std::string::npos || !is_text(path.native())) {
    return false;
  }
  texts.files.push_back({path.native(), bytes});
  return true;
}

void take_folder(const fs::path& folder, Texts& texts) {
  std::error_code fault;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         fault);
  for (; !fault && entry != fs::recursive_directory_iterator(); entry.increment(fault)) {
    std::error_code ignored;
    const fs::file_status status = entry->symlink_status(ignored);
    if (status.type() == fs::file_type::directory) continue;
    const bool is_file = status.type() == fs::file_type::regular;
    if (!is_file || !take_file(entry->path(), texts)) ++texts.skipped;
  }
  if (fault) ++texts.skipped;
}

// Where a line without an end in sight is cut: behind the last byte that is not part of a word.
std::size_t cut_of(std::string_view piece) noexcept {
  constexpr std::size_t search_bytes = 1024;
  const std::size_t lowest = piece.size() > search_bytes ? piece.size() - search_bytes : 1;
  for (std::size_t at = piece.size(); at > lowest; --at) {
    const auto byte = static_cast<unsigned char>(piece[at - 1]);
    const bool is_in_word =
        byte >= 0x80 || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    if (!is_in_word) return at;
  }
  return piece.size();
}

// Hands out the lines at the front of `text`; answers how many bytes they took. `is_last`: nothing
// follows, so what is left is a line.
std::size_t take_lines(std::string_view text, bool is_last, bool& is_wanted,
                       const std::function<bool(std::string_view)>& take) {
  const std::size_t bytes = text.size();
  while (is_wanted && !text.empty()) {
    std::size_t end = text.find('\n');
    if (end == text.npos && !is_last) break;
    end = std::min(end, text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) is_wanted = take(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return bytes - text.size();
}

}  // namespace

Result<Texts> find_texts(const std::vector<std::string>& paths) {
  Texts texts;
  for (const std::string& path : paths) {
    std::error_code fault;
    const fs::file_status status = fs::status(path, fault);
    if (!fs::exists(status)) {
      return Failure{Error::unreadable_input, path + ": no such file or folder"};
    }
    errno = 0;
    if (fs::is_directory(status)) {
      const fs::directory_iterator probe(path, fault);
      if (fault) return Failure{Error::unreadable_input, path + ": " + fault.message()};
      take_folder(path, texts);
    } else if (!fs::is_regular_file(status) || !take_file(path, texts)) {
      if (errno != 0) return unreadable(path);
      ++texts.skipped;
    }
  }
  if (texts.files.empty()) {
    std::string where;
    for (const std::string& path : paths) where += (where.empty() ? "" : ", ") + path;
    return Failure{Error::unreadable_input, "no text file in " + where};
  }
  std::sort(texts.files.begin(), texts.files.end(),
            [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
  return texts;
}

Status write_list(const std::string& path, const Texts& texts) {
  std::ofstream file(path);
  for (const TextFile& text : texts.files) file << text.bytes << ' ' << text.path << '\n';
  file.close();
  if (!file) return unreadable(path);
  return Done{};
}

Result<Texts> read_list(const std::string& path) {
  std::ifstream file(path);
  if (!file) return unreadable(path);
  Texts texts;
  TextFile text;
  while (file >> text.bytes && file.get() == ' ' && std::getline(file, text.path)) {
    texts.files.push_back(text);
  }
  if (!file.eof()) return Failure{Error::unreadable_input, path + " is not a list of texts"};
  return texts;
}

Status for_each_line(const TextFile& file, std::size_t line_bytes_max,
                     const std::function<bool(std::string_view)>& take) {
  const File input(std::fopen(file.path.c_str(), "rbe"));
  if (input == nullptr) return unreadable(file.path);
  std::vector<char> buffer(line_bytes_max);
  std::size_t held = 0;
  std::uint64_t left = file.bytes;
  bool is_wanted = true;
  while (is_wanted && (left != 0 || held != 0)) {
    const std::size_t room = buffer.size() - held;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, room));
    const std::size_t got = std::fread(buffer.data() + held, 1, wanted, input.get());
    held += got;
    left = got < wanted ? 0 : left - got;  // shorter than it was: then that is its end
    const std::string_view text(buffer.data(), held);
    std::size_t taken = take_lines(text, left == 0, is_wanted, take);
    if (taken == 0 && held == buffer.size() && is_wanted) {
      taken = cut_of(text);
      is_wanted = take(text.substr(0, taken));
    }
    held -= taken;
    std::memmove(buffer.data(), buffer.data() + taken, held);
  }
  if (std::ferror(input.get()) != 0) return unreadable(file.path);
  return Done{};
}

}  // namespace abuzz::demo
