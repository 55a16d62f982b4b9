#include "bus/stats.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bus/stats_layout.hpp"

namespace abuzz {
namespace {

using namespace detail;

constexpr std::size_t align_page(std::size_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
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
  state.header().magic.store(file_magic, std::memory_order_release);
  return file;
}

StatsFile::~StatsFile() = default;

StatsRow& StatsFile::process() noexcept {
  return state_->row(0);
}

StatsRow* StatsFile::add_row(RowKind kind, std::span<const std::uint64_t> ids,
                             std::string_view text, std::string_view text2,
                             std::string_view text3) noexcept {
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
  StatsLayout::set_text(row, text, text2, text3);
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
  StatsLayout::set_text(*row, {}, {}, {});
  StatsLayout::clear_counters(*row);
  StatsLayout::end(*row);
  state_->free_rows.push_back(index_of(*row));
}

std::uint32_t StatsFile::index_of(const StatsRow& row) const noexcept {
  return static_cast<std::uint32_t>(&row - &state_->row(0));
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
