#include <algorithm>
#include <cstring>

#include "bus/topic.hpp"
#include "bus/wire/control.hpp"
#include "schema/control_generated.h"

namespace abuzz::wire {

namespace {

constexpr std::size_t secret_bytes = 16;
constexpr std::size_t kind_bytes_max = 64;
constexpr std::size_t description_bytes_max = 256;
constexpr std::size_t path_bytes_max = 128;
constexpr std::size_t endpoint_bytes_max = 256;
constexpr std::size_t text_bytes_max = 512;
constexpr std::size_t window_count = 3;  // high, normal, bulk

using Bytes = flatbuffers::Vector<std::uint8_t>;

const std::uint8_t* octets(const std::vector<std::byte>& bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::vector<std::byte> bytes_of(const Bytes* bytes) {
  if (bytes == nullptr) return {};
  const auto* const first = reinterpret_cast<const std::byte*>(bytes->data());
  return {first, first + bytes->size()};
}

std::string string_of(const flatbuffers::String* string) {
  return string == nullptr ? std::string{} : string->str();
}

// A name in the runtime directory, which must not lead out of it.
bool is_file_name(std::string_view name) noexcept {
  return name.size() <= path_bytes_max && name.find('/') == name.npos &&
         name.find('\0') == name.npos && name != "." && name != "..";
}

std::vector<std::byte> write_datagram(DoorKind kind,
                                      const flatbuffers::FlatBufferBuilder& builder) {
  DoorHead head;
  head.kind = kind;
  head.body_bytes = builder.GetSize();
  std::vector<std::byte> datagram(sizeof(DoorHead) + builder.GetSize());
  std::memcpy(datagram.data(), &head, sizeof(DoorHead));
  std::memcpy(datagram.data() + sizeof(DoorHead), builder.GetBufferPointer(), builder.GetSize());
  return datagram;
}

// The verified table, in `aligned`; nullptr and `reject` if there is none.
template <class Table>
const Table* read_table(std::span<const std::byte> datagram, DoorKind kind,
                        std::span<std::uint64_t> aligned, Reject& reject) noexcept {
  DoorHead head;
  reject = read_door_head(datagram, head);
  if (reject == Reject::none && head.kind != kind) reject = Reject::kind;
  if (reject != Reject::none) return nullptr;
  std::memcpy(aligned.data(), datagram.data() + sizeof(DoorHead), head.body_bytes);
  const auto* const start = reinterpret_cast<const std::uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = 4;
  options.max_tables = 4;
  flatbuffers::Verifier verifier(start, head.body_bytes, options);
  reject = verifier.VerifyBuffer<Table>(nullptr) ? Reject::none : Reject::flatbuffer;
  return reject == Reject::none ? flatbuffers::GetRoot<Table>(start) : nullptr;
}

constexpr std::size_t aligned_words = door_bytes_max / sizeof(std::uint64_t);

}  // namespace

std::vector<std::byte> write_door(const DoorHello& hello) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(hello.name);
  const auto kind = builder.CreateString(hello.kind);
  const auto token = hello.token.empty()
                         ? flatbuffers::Offset<Bytes>()
                         : builder.CreateVector(octets(hello.token), hello.token.size());
  const auto path = hello.counters_path.empty() ? flatbuffers::Offset<flatbuffers::String>()
                                                : builder.CreateString(hello.counters_path);
  const auto description = hello.description.empty() ? flatbuffers::Offset<flatbuffers::String>()
                                                     : builder.CreateString(hello.description);
  builder.Finish(fb::CreateDoorHello(builder, name, kind, hello.pid, hello.start_ticks,
                                     hello.agent_id, token, hello.session_epoch,
                                     hello.node_epoch_seen, path, description));
  return write_datagram(DoorKind::hello, builder);
}

std::vector<std::byte> write_door(const DoorWelcome& welcome) {
  flatbuffers::FlatBufferBuilder builder;
  const auto token = builder.CreateVector(octets(welcome.token), welcome.token.size());
  const auto endpoint = builder.CreateString(welcome.endpoint);
  const auto secret = builder.CreateVector(octets(welcome.secret), welcome.secret.size());
  const auto windows = builder.CreateVector(welcome.window_bytes);
  builder.Finish(fb::CreateDoorWelcome(
      builder, welcome.version, welcome.node_id, welcome.node_epoch, welcome.session_epoch,
      welcome.agent_id, token, endpoint, secret, welcome.payload_bytes_max, welcome.batch_bytes_max,
      welcome.batch_messages_max, welcome.subscriptions_max, windows));
  return write_datagram(DoorKind::welcome, builder);
}

std::vector<std::byte> write_door(const DoorRefusal& refusal) {
  flatbuffers::FlatBufferBuilder builder;
  const auto text =
      builder.CreateString(refusal.text.data(), std::min(refusal.text.size(), text_bytes_max));
  builder.Finish(fb::CreateDoorRefusal(builder, refusal.error, text));
  return write_datagram(DoorKind::refusal, builder);
}

Reject read_door_head(std::span<const std::byte> datagram, DoorHead& head) noexcept {
  if (datagram.size() < sizeof(DoorHead)) return Reject::too_short;
  std::memcpy(&head, datagram.data(), sizeof(DoorHead));
  if (head.magic != door_magic) return Reject::magic;
  if (head.reserved0 != 0 || head.reserved1 != 0) return Reject::reserved_not_zero;
  if (head.kind < DoorKind::hello || head.kind > DoorKind::goodbye) return Reject::kind;
  if (datagram.size() > door_bytes_max) return Reject::head_bytes;
  if (head.body_bytes != datagram.size() - sizeof(DoorHead)) return Reject::head_bytes;
  if (head.version_min == 0 || head.version_min > head.version_max) return Reject::version;
  return Reject::none;
}

Reject read_door(std::span<const std::byte> datagram, DoorHello& hello) {
  std::uint64_t aligned[aligned_words];
  Reject reject = Reject::none;
  const auto* const table = read_table<fb::DoorHello>(datagram, DoorKind::hello, aligned, reject);
  if (table == nullptr) return reject;
  hello = {.name = string_of(table->name()),
           .kind = string_of(table->kind()),
           .pid = table->pid(),
           .start_ticks = table->start_ticks(),
           .agent_id = table->agent_id(),
           .token = bytes_of(table->token()),
           .session_epoch = table->session_epoch(),
           .node_epoch_seen = table->node_epoch_seen(),
           .counters_path = string_of(table->counters_path()),
           .description = string_of(table->description())};
  const std::size_t token_bytes = hello.agent_id == 0 ? 0 : secret_bytes;
  const bool is_good = hello.name.size() <= agent_name_bytes_max &&
                       hello.kind.size() <= kind_bytes_max &&
                       hello.description.size() <= description_bytes_max &&
                       hello.token.size() == token_bytes && is_file_name(hello.counters_path);
  return is_good ? Reject::none : Reject::control;
}

Reject read_door(std::span<const std::byte> datagram, DoorWelcome& welcome) {
  std::uint64_t aligned[aligned_words];
  Reject reject = Reject::none;
  const auto* const table =
      read_table<fb::DoorWelcome>(datagram, DoorKind::welcome, aligned, reject);
  if (table == nullptr) return reject;
  welcome = {.version = table->version(),
             .node_id = table->node_id(),
             .node_epoch = table->node_epoch(),
             .session_epoch = table->session_epoch(),
             .agent_id = table->agent_id(),
             .token = bytes_of(table->token()),
             .endpoint = string_of(table->endpoint()),
             .secret = bytes_of(table->secret()),
             .payload_bytes_max = table->payload_bytes_max(),
             .batch_bytes_max = table->batch_bytes_max(),
             .batch_messages_max = table->batch_messages_max(),
             .subscriptions_max = table->subscriptions_max(),
             .window_bytes = {}};
  if (table->window_bytes() != nullptr)
    welcome.window_bytes.assign(table->window_bytes()->begin(), table->window_bytes()->end());
  const bool is_good = welcome.token.size() == secret_bytes &&
                       welcome.secret.size() == secret_bytes && !welcome.endpoint.empty() &&
                       welcome.endpoint.size() <= endpoint_bytes_max &&
                       welcome.window_bytes.size() == window_count;
  return is_good ? Reject::none : Reject::control;
}

Reject read_door(std::span<const std::byte> datagram, DoorRefusal& refusal) {
  std::uint64_t aligned[aligned_words];
  Reject reject = Reject::none;
  const auto* const table =
      read_table<fb::DoorRefusal>(datagram, DoorKind::refusal, aligned, reject);
  if (table == nullptr) return reject;
  refusal = {.error = table->error(), .text = string_of(table->text())};
  return refusal.text.size() <= text_bytes_max ? Reject::none : Reject::control;
}

}  // namespace abuzz::wire
