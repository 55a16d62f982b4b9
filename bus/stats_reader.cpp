#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "bus/stats.hpp"
#include "bus/stats_layout.hpp"

// The file is input: anything may stand in it, and it may change meanwhile. It is read with pread,
// never mapped, so that a file cut short is an error and not a SIGBUS.

namespace abuzz {

void StatsLayout::copy(const StatsRow& row, RowSnapshot& snapshot) {
  snapshot.kind = static_cast<RowKind>(row.kind_);
  std::copy_n(row.ids_, ids_max, snapshot.ids);
  for (std::size_t i = 0; i < row_counters_max; ++i) {
    snapshot.counters[i] = row.counters_[i].load(std::memory_order_relaxed);
  }
  std::string_view rest(row.text_, sizeof row.text_);
  for (std::string* text : {&snapshot.text, &snapshot.text2, &snapshot.text3}) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    *text = rest.substr(0, end);
    rest = rest.substr(std::min(end + 1, rest.size()));
  }
}

namespace {

using namespace detail;

struct OpenFile {
  int fd = -1;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  // False when the file is shorter.
  bool read(void* to, std::size_t bytes, std::size_t offset) const {
    auto* at = static_cast<std::byte*>(to);
    while (bytes > 0) {
      const ssize_t count = ::pread(fd, at, bytes, static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      at += count;
      offset += static_cast<std::size_t>(count);
      bytes -= static_cast<std::size_t>(count);
    }
    return true;
  }
};

Failure unreadable(const std::string& path, const char* cause) {
  return {Error::unreadable_input, path + ": " + cause};
}

// The header's claims, checked: rows and descriptors that it promises are inside the file.
struct Claims {
  std::size_t row_bytes = 0;
  std::size_t rows_offset = 0;
  std::size_t row_count = 0;
  std::size_t descriptors_offset = 0;
  std::size_t descriptor_count = 0;
};

bool fits_file(std::size_t file_bytes, std::size_t offset, std::size_t count, std::size_t bytes) {
  return offset <= file_bytes && count <= (file_bytes - offset) / bytes;
}

// nullptr, or what is wrong.
const char* check_header(const FileHeader& header, std::size_t file_bytes, Claims& claims) {
  if (header.version != file_version) return "counter file of another version";
  claims.row_bytes = header.row_bytes;
  claims.rows_offset = header.rows_offset;
  // Relaxed: open_stats has copied it already.
  claims.row_count = header.row_count.load(std::memory_order_relaxed);
  claims.descriptors_offset = header.descriptors_offset;
  claims.descriptor_count = header.descriptor_count;
  // A newer writer may have longer rows; what this one knows stands at their beginning.
  const bool is_row_good = claims.row_bytes >= sizeof(StatsRow) && claims.row_bytes % 8 == 0 &&
                           claims.row_bytes <= page_bytes;
  if (header.header_bytes < sizeof(FileHeader) || !is_row_good) return "bad sizes in its header";
  if (claims.row_count == 0 || claims.row_count > rows_limit ||
      !fits_file(file_bytes, claims.rows_offset, claims.row_count, claims.row_bytes)) {
    return "bad row count in its header";
  }
  if (claims.descriptor_count > descriptors_limit ||
      !fits_file(file_bytes, claims.descriptors_offset, claims.descriptor_count,
                 sizeof(Descriptor))) {
    return "bad descriptors in its header";
  }
  return nullptr;
}

// Fills everything of the snapshot but its rows.
Result<Claims> read_header(const std::string& path, const OpenFile& file, StatsSnapshot& snapshot) {
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return system_failure("fstat", path, errno);
  if (!S_ISREG(status.st_mode)) return unreadable(path, "not a counter file");
  std::uint32_t magic = 0;
  alignas(FileHeader) std::byte raw[sizeof(FileHeader)];
  // The magic first, in a read of its own: what is read after it is complete.
  if (!file.read(&magic, sizeof magic, 0) || magic != file_magic ||
      !file.read(raw, sizeof raw, 0)) {
    return unreadable(path, "not a counter file");
  }
  const auto& header = *reinterpret_cast<const FileHeader*>(raw);
  snapshot.identity = {header.node_id, header.node_epoch, header.agent_id};
  snapshot.pid = header.pid;
  snapshot.start_ticks = header.start_ticks;
  Claims claims;
  // Asked again, because the file may have grown for the rows that the header now counts.
  if (::fstat(file.fd, &status) != 0) return system_failure("fstat", path, errno);
  const auto file_bytes = static_cast<std::size_t>(status.st_size);
  if (const char* fault = check_header(header, file_bytes, claims)) return unreadable(path, fault);
  return claims;
}

template <std::size_t Bytes>
std::string to_string(const char (&text)[Bytes]) {
  return std::string(text, ::strnlen(text, Bytes));
}

bool read_descriptors(const OpenFile& file, const Claims& claims, StatsSnapshot& snapshot) {
  std::vector<Descriptor> descriptors(claims.descriptor_count);
  if (!file.read(descriptors.data(), descriptors.size() * sizeof(Descriptor),
                 claims.descriptors_offset)) {
    return false;
  }
  for (const Descriptor& descriptor : descriptors) {
    if (descriptor.id >= row_counters_max) continue;
    snapshot.counters.push_back({static_cast<RowKind>(descriptor.kind), descriptor.id,
                                 to_string(descriptor.label), to_string(descriptor.unit),
                                 descriptor.is_gauge != 0});
  }
  return true;
}

// Reads rows three times: the versions of the first and the last copy vouch for the middle one.
class RowReader {
 public:
  RowReader(const OpenFile& file, const Claims& claims) : file_(file), claims_(claims) {
    for (auto& copy : copies_) copy.resize(rows_step * claims.row_bytes / sizeof(std::uint64_t));
  }

  // False when the file has become shorter.
  bool read(std::vector<RowSnapshot>& rows) {
    for (std::size_t first = 0; first < claims_.row_count; first += rows_step) {
      const std::size_t count = std::min(rows_step, claims_.row_count - first);
      if (!read_copies(first, count)) return false;
      for (std::size_t i = 0; i < count; ++i) {
        if (is_steady(i)) {
          keep(i, first + i, rows);
        } else {
          unsteady_.push_back(first + i);
        }
      }
    }
    return read_unsteady(rows);
  }

 private:
  // A row that stays odd belongs to a writer that died while changing it: it is left out.
  static constexpr int rounds_max = 50;

  bool read_copies(std::size_t first, std::size_t count) {
    for (auto& copy : copies_) {
      const std::size_t offset = claims_.rows_offset + first * claims_.row_bytes;
      if (!file_.read(copy.data(), count * claims_.row_bytes, offset)) return false;
    }
    return true;
  }
  const StatsRow& row(std::size_t copy, std::size_t i) const {
    const std::size_t word = i * claims_.row_bytes / sizeof(std::uint64_t);
    return *reinterpret_cast<const StatsRow*>(copies_[copy].data() + word);
  }
  bool is_steady(std::size_t i) const {
    const std::uint32_t version = StatsLayout::version(row(0, i));
    return version % 2 == 0 && version == StatsLayout::version(row(2, i));
  }
  void keep(std::size_t i, std::size_t index, std::vector<RowSnapshot>& rows) const {
    RowSnapshot snapshot;
    snapshot.index = static_cast<std::uint32_t>(index);
    StatsLayout::copy(row(1, i), snapshot);
    if (snapshot.kind != RowKind::free) rows.push_back(std::move(snapshot));
  }
  bool read_unsteady(std::vector<RowSnapshot>& rows) {
    for (int round = 0; round < rounds_max && !unsteady_.empty(); ++round) {
      std::this_thread::yield();
      std::vector<std::size_t> still_unsteady;
      for (const std::size_t index : unsteady_) {
        if (!read_copies(index, 1)) return false;
        if (is_steady(0)) {
          keep(0, index, rows);
        } else {
          still_unsteady.push_back(index);
        }
      }
      unsteady_ = std::move(still_unsteady);
    }
    std::ranges::sort(rows, {}, &RowSnapshot::index);
    return true;
  }

  const OpenFile& file_;
  const Claims claims_;
  std::vector<std::uint64_t> copies_[3];
  std::vector<std::size_t> unsteady_;
};

Result<StatsSnapshot> read_all(const std::string& path, const OpenFile& file) {
  StatsSnapshot snapshot;
  Result<Claims> claims = read_header(path, file, snapshot);
  if (!claims) return claims.failure();
  if (!read_descriptors(file, claims.value(), snapshot) ||
      !RowReader(file, claims.value()).read(snapshot.rows)) {
    return unreadable(path, "it became shorter meanwhile");
  }
  if (snapshot.rows.empty() || snapshot.rows.front().kind != RowKind::process) {
    return unreadable(path, "counter file without a process row");
  }
  return snapshot;
}

// False: errno says why.
bool open_file(const std::string& path, OpenFile& file) {
  // O_NONBLOCK: opening a fifo must not hang.
  file.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  return file.fd >= 0;
}

}  // namespace

Result<StatsSnapshot> read_stats(const std::string& path) {
  OpenFile file;
  if (!open_file(path, file)) return system_failure("open", path, errno);
  return read_all(path, file);
}

Result<RowSnapshot> read_process_row(const std::string& path) {
  OpenFile file;
  if (!open_file(path, file)) return system_failure("open", path, errno);
  StatsSnapshot snapshot;
  Result<Claims> claims = read_header(path, file, snapshot);
  if (!claims) return claims.failure();
  claims.value().row_count = 1;
  if (!RowReader(file, claims.value()).read(snapshot.rows) || snapshot.rows.empty() ||
      snapshot.rows.front().kind != RowKind::process)
    return unreadable(path, "counter file without a process row");
  return std::move(snapshot.rows.front());
}

Result<StatsSnapshot> read_stats(int descriptor, const std::string& path) {
  OpenFile file;
  file.fd = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (file.fd < 0) return system_failure("fcntl", path, errno);
  return read_all(path, file);
}

}  // namespace abuzz
