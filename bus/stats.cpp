// Over 500 lines, because writer and reader share a layout that nobody else may know.
#include "bus/stats.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace abuzz {
namespace {

// --- The file: a header page, the descriptors, the rows. Native byte order: one host reads it. ---

constexpr char file_magic[4] = {'A', 'B', 'Z', 'S'};
constexpr std::uint32_t file_version = 1;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t rows_step = 64;
// Far above any configuration; bounds what a garbage header can make a reader do.
constexpr std::size_t rows_limit = 4u << 20;
constexpr std::size_t descriptors_limit = 4096;

struct FileHeader {
  std::atomic<std::uint32_t>
      magic;  // stored last, with release: a reader that sees it sees the rest
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint32_t row_bytes;
  std::uint64_t rows_offset;
  std::atomic<std::uint32_t> row_count;  // grows only; release, after the row is complete
  std::uint32_t pid;
  std::uint64_t start_ticks;
  std::uint64_t node_id;
  std::uint64_t agent_id;
  std::uint32_t node_epoch;
  std::uint32_t descriptor_count;
  std::uint64_t descriptors_offset;
};
static_assert(sizeof(FileHeader) == 72);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct Descriptor {
  std::uint16_t kind;
  std::uint16_t id;
  char label[counter_label_bytes];
  char unit[counter_unit_bytes];
  std::uint8_t is_gauge;
  std::uint8_t reserved[7];
};
static_assert(sizeof(Descriptor) == 64);

constexpr std::size_t align_page(std::size_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}
std::uint32_t magic_word() {
  std::uint32_t word = 0;
  std::memcpy(&word, file_magic, sizeof word);
  return word;
}

Failure system_failure(const char* call, const std::string& path, int cause) {
  return {Error::system, std::string(call) + " " + path + ": " + std::strerror(cause)};
}

// Field 22 of /proc/self/stat: with the pid it names a process for as long as the host is up.
std::uint64_t own_start_ticks() {
  char text[1024];
  const int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t count = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (count <= 0) return 0;
  text[count] = '\0';
  // The second field is the program's name in parentheses and may itself hold any character.
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  return at != nullptr ? std::strtoull(at, nullptr, 10) : 0;
}

// Extends the file with blocks that are really there. Asking for the resource limit first: passing
// it would raise SIGXFSZ, which ends a host process that does not expect it.
int extend(int fd, std::size_t offset, std::size_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      offset + bytes > limit.rlim_cur) {
    return EFBIG;
  }
  int cause = EINTR;
  while (cause == EINTR) {
    cause = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  }
  return cause;
}

int create_file(const std::string& path, int* fd) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno;
  *fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  return *fd < 0 ? errno : 0;
}

}  // namespace

// What the row's members are made of, for the writer below and the reader.
struct StatsLayout {
  static constexpr std::size_t ids_max = 6;
  static constexpr std::size_t text_words = sizeof(StatsRow::text_) / 8;
  static_assert(offsetof(StatsRow, text_) % 8 == 0 && sizeof(StatsRow::text_) % 8 == 0);

  // The seqlock's writer. The version is odd while the row changes. Every word is stored with
  // release, so whoever sees a new word also sees the odd version that was stored before it.
  // Pairs with read_rows, which reads the version before and after the words.
  static void begin(StatsRow& row) {
    row.version_.store(row.version_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void end(StatsRow& row) {
    row.version_.store(row.version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  static void set_kind(StatsRow& row, RowKind kind) {
    std::atomic_ref(row.kind_).store(static_cast<std::uint16_t>(kind), std::memory_order_release);
  }
  static void set_ids(StatsRow& row, std::span<const std::uint64_t> ids) {
    for (std::size_t i = 0; i < ids_max; ++i) {
      std::atomic_ref(row.ids_[i]).store(i < ids.size() ? ids[i] : 0, std::memory_order_release);
    }
  }
  static void set_text(StatsRow& row, std::string_view first, std::string_view second) {
    char text[sizeof(StatsRow::text_)] = {};
    const auto append = [&](std::size_t at, std::string_view part) {
      part = part.substr(0, part.find('\0')).substr(0, sizeof text - 1 - at);
      if (!part.empty()) std::memcpy(text + at, part.data(), part.size());
      return at + part.size() + 1;
    };
    const std::size_t second_at = append(0, first.substr(0, sizeof text - 2));
    append(second_at, second);
    for (std::size_t i = 0; i < text_words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, text + i * 8, 8);
      std::atomic_ref(*reinterpret_cast<std::uint64_t*>(row.text_ + i * 8))
          .store(word, std::memory_order_release);
    }
  }
  static void clear_counters(StatsRow& row) {
    for (auto& word : row.counters_) word.store(0, std::memory_order_release);
  }
  static std::uint32_t version(const StatsRow& row) {
    return row.version_.load(std::memory_order_relaxed);
  }
  static void copy(const StatsRow& row, RowSnapshot& snapshot);
};

// --- The writer ---

struct StatsFile::State {
  // Constant after create.
  std::byte* base = nullptr;
  std::size_t mapped_bytes = 0;
  std::size_t rows_offset = align_page(page_bytes + counter_table().size() * sizeof(Descriptor));
  std::size_t rows_max = 0;
  int fd = -1;  // -1: anonymous memory
  // The thread that adds and removes rows.
  std::size_t backed_bytes = 0;          // of the file; touching what lies behind is a SIGBUS
  std::vector<std::uint32_t> free_rows;  // room for all is reserved: removing never allocates

  ~State() {
    if (base != nullptr) ::munmap(base, mapped_bytes);
    if (fd >= 0) ::close(fd);
  }
  FileHeader& header() const { return *reinterpret_cast<FileHeader*>(base); }
  StatsRow& row(std::size_t index) const {
    return *reinterpret_cast<StatsRow*>(base + rows_offset + index * sizeof(StatsRow));
  }
  // Makes sure that `row_count` rows can be written.
  int back(std::size_t row_count) {
    if (rows_offset + row_count * sizeof(StatsRow) <= backed_bytes) return 0;
    const std::size_t rows = std::min(row_count + rows_step - 1, rows_max);
    const std::size_t bytes = align_page(rows_offset + rows * sizeof(StatsRow));
    if (fd >= 0) {
      if (const int cause = extend(fd, backed_bytes, bytes - backed_bytes); cause != 0) {
        return cause;
      }
    }
    backed_bytes = bytes;
    return 0;
  }
  void write_header(const StatsIdentity& identity) const;
};

void StatsFile::State::write_header(const StatsIdentity& identity) const {
  FileHeader& to = header();
  to.version = file_version;
  to.header_bytes = page_bytes;
  to.row_bytes = sizeof(StatsRow);
  to.rows_offset = rows_offset;
  to.pid = static_cast<std::uint32_t>(::getpid());
  to.start_ticks = own_start_ticks();
  to.node_id = identity.node_id;
  to.agent_id = identity.agent_id;
  to.node_epoch = identity.node_epoch;
  to.descriptor_count = static_cast<std::uint32_t>(counter_table().size());
  to.descriptors_offset = page_bytes;
  auto* descriptor = reinterpret_cast<Descriptor*>(base + page_bytes);
  for (const CounterInfo& info : counter_table()) {
    descriptor->kind = static_cast<std::uint16_t>(info.kind);
    descriptor->id = info.id;
    descriptor->is_gauge = info.is_gauge ? 1 : 0;
    std::strncpy(descriptor->label, info.label, sizeof descriptor->label - 1);
    std::strncpy(descriptor->unit, info.unit, sizeof descriptor->unit - 1);
    ++descriptor;
  }
}

Result<std::unique_ptr<StatsFile>> StatsFile::create(const std::string& path,
                                                     const StatsIdentity& identity,
                                                     std::size_t rows_max) {
  std::unique_ptr<StatsFile> file(new StatsFile);
  file->state_ = std::make_unique<State>();
  State& state = *file->state_;
  state.rows_max = std::clamp<std::size_t>(rows_max, 1, rows_limit);
  state.mapped_bytes = align_page(state.rows_offset + state.rows_max * sizeof(StatsRow));
  state.free_rows.reserve(state.rows_max);
  if (!path.empty()) {
    if (const int cause = create_file(path, &state.fd); cause != 0) {
      return system_failure("create", path, cause);
    }
  }
  const int flags = path.empty() ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  void* base = ::mmap(nullptr, state.mapped_bytes, PROT_READ | PROT_WRITE, flags, state.fd, 0);
  if (base == MAP_FAILED) return system_failure("mmap", path, errno);
  state.base = static_cast<std::byte*>(base);
  if (const int cause = state.back(1); cause != 0) {
    ::unlink(path.c_str());
    return system_failure("extend", path, cause);
  }
  state.write_header(identity);
  const std::uint64_t ids[] = {state.header().pid, state.header().start_ticks};
  file->add_row(RowKind::process, ids, {});
  // Pairs with open_stats: who sees the magic sees the header, the descriptors and row 0.
  state.header().magic.store(magic_word(), std::memory_order_release);
  return file;
}

StatsFile::~StatsFile() = default;

StatsRow& StatsFile::process() noexcept {
  return state_->row(0);
}

StatsRow* StatsFile::add_row(RowKind kind, std::span<const std::uint64_t> ids,
                             std::string_view text, std::string_view text2) noexcept {
  std::atomic<std::uint32_t>& row_count = state_->header().row_count;
  // Relaxed: only this thread stores it.
  std::uint32_t index = row_count.load(std::memory_order_relaxed);
  const bool is_reused = !state_->free_rows.empty();
  if (is_reused) {
    index = state_->free_rows.back();
    state_->free_rows.pop_back();
  } else if (index >= state_->rows_max || state_->back(index + 1) != 0) {
    return nullptr;
  }
  StatsRow& row = state_->row(index);
  StatsLayout::begin(row);
  StatsLayout::set_kind(row, kind);
  StatsLayout::set_ids(row, ids);
  StatsLayout::set_text(row, text, text2);
  StatsLayout::end(row);
  // Pairs with open_stats: who counts the row finds it complete.
  if (!is_reused) row_count.store(index + 1, std::memory_order_release);
  return &row;
}

void StatsFile::set_ids(StatsRow& row, std::span<const std::uint64_t> ids) noexcept {
  StatsLayout::begin(row);
  StatsLayout::set_ids(row, ids);
  StatsLayout::end(row);
}

void StatsFile::remove_row(StatsRow* row) noexcept {
  if (row == nullptr) return;
  StatsLayout::begin(*row);
  StatsLayout::set_kind(*row, RowKind::free);
  StatsLayout::set_ids(*row, {});
  StatsLayout::set_text(*row, {}, {});
  StatsLayout::clear_counters(*row);
  StatsLayout::end(*row);
  state_->free_rows.push_back(index_of(*row));
}

std::uint32_t StatsFile::index_of(const StatsRow& row) const noexcept {
  return static_cast<std::uint32_t>(&row - &state_->row(0));
}

// --- The reader. The file is input: anything may stand in it, and it may change meanwhile. It is
// read with pread, never mapped, so that a file cut short is an error and not a SIGBUS. ---

void StatsLayout::copy(const StatsRow& row, RowSnapshot& snapshot) {
  snapshot.kind = static_cast<RowKind>(row.kind_);
  std::copy_n(row.ids_, ids_max, snapshot.ids);
  for (std::size_t i = 0; i < row_counters_max; ++i) {
    snapshot.counters[i] = row.counters_[i].load(std::memory_order_relaxed);
  }
  const std::string_view text(row.text_, sizeof row.text_);
  const std::size_t end = std::min(text.find('\0'), text.size());
  snapshot.text = text.substr(0, end);
  const std::string_view rest = text.substr(std::min(end + 1, text.size()));
  snapshot.text2 = rest.substr(0, rest.find('\0'));
}

namespace {

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
Result<Claims> open_stats(const std::string& path, OpenFile& file, StatsSnapshot& snapshot) {
  // O_NONBLOCK: opening a fifo must not hang.
  file.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file.fd < 0) return system_failure("open", path, errno);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return system_failure("fstat", path, errno);
  if (!S_ISREG(status.st_mode)) return unreadable(path, "not a counter file");
  std::uint32_t magic = 0;
  alignas(FileHeader) std::byte raw[sizeof(FileHeader)];
  // The magic first, in a read of its own: what is read after it is complete.
  if (!file.read(&magic, sizeof magic, 0) || magic != magic_word() ||
      !file.read(raw, sizeof raw, 0)) {
    return unreadable(path, "not a counter file");
  }
  const auto& header = *reinterpret_cast<const FileHeader*>(raw);
  snapshot.identity = {header.node_id, header.node_epoch, header.agent_id};
  snapshot.pid = header.pid;
  snapshot.start_ticks = header.start_ticks;
  Claims claims;
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
  static constexpr int attempts_max = 100;

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
    for (const std::size_t index : unsteady_) {
      bool is_kept = false;
      for (int attempt = 0; attempt < attempts_max && !is_kept; ++attempt) {
        std::this_thread::yield();
        if (!read_copies(index, 1)) return false;
        is_kept = is_steady(0);
      }
      if (is_kept) keep(0, index, rows);
    }
    std::ranges::sort(rows, {}, &RowSnapshot::index);
    return true;
  }

  const OpenFile& file_;
  const Claims claims_;
  std::vector<std::uint64_t> copies_[3];
  std::vector<std::size_t> unsteady_;
};

}  // namespace

Result<StatsSnapshot> read_stats(const std::string& path) {
  OpenFile file;
  StatsSnapshot snapshot;
  Result<Claims> claims = open_stats(path, file, snapshot);
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

StatsSnapshot StatsFile::snapshot() const {
  const FileHeader& header = state_->header();
  StatsSnapshot result;
  result.identity = {header.node_id, header.node_epoch, header.agent_id};
  result.pid = header.pid;
  result.start_ticks = header.start_ticks;
  for (const CounterInfo& info : counter_table()) {
    result.counters.push_back({info.kind, info.id, info.label, info.unit, info.is_gauge});
  }
  // Relaxed: the caller is the thread that stores it.
  const std::uint32_t row_count = header.row_count.load(std::memory_order_relaxed);
  for (std::uint32_t index = 0; index < row_count; ++index) {
    RowSnapshot row;
    row.index = index;
    StatsLayout::copy(state_->row(index), row);
    if (row.kind != RowKind::free) result.rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace abuzz
