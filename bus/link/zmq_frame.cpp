#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "bus/link/zmq_socket.hpp"

namespace abuzz::link::detail {

namespace {

// Lies in a pooled block of its own (`self`), so that nothing is allocated and the thread that
// frees it need not know the link.
struct SharedPart {
  mem::Buffer part;
  mem::Buffer self;
};

struct AdoptedPart {
  zmq_msg_t message;
  mem::Buffer self;
};

// On whichever thread libzmq drops the last reference.
void release_shared(void*, void* hint) {
  auto* node = static_cast<SharedPart*>(hint);
  const mem::Buffer part = std::move(node->part);
  const mem::Buffer self = std::move(node->self);
  node->~SharedPart();
}

void release_adopted(void*, std::byte*, std::size_t, void* cookie) noexcept {
  auto* node = static_cast<AdoptedPart*>(cookie);
  zmq_msg_close(&node->message);
  const mem::Buffer self = std::move(node->self);
  node->~AdoptedPart();
}

// Where the pool has no block for the node, the caller copies.
bool prepare_by_reference(zmq_msg_t& message, const mem::Buffer& part, mem::Pool& pool) noexcept {
  mem::Buffer block = pool.try_acquire(sizeof(SharedPart));
  if (!block) return false;
  auto* node = new (block.data()) SharedPart{part.share(), mem::Buffer()};
  node->self = std::move(block);
  if (zmq_msg_init_data(&message, part.data(), part.bytes(), release_shared, node) == 0) {
    return true;
  }
  release_shared(nullptr, node);
  return false;
}

bool prepare_copy(zmq_msg_t& message, const mem::Buffer& part) noexcept {
  if (zmq_msg_init_size(&message, part.bytes()) != 0) return false;
  if (part.bytes() > 0) std::memcpy(zmq_msg_data(&message), part.data(), part.bytes());
  return true;
}

int receive_message(void* socket, zmq_msg_t& message) noexcept {
  int result = 0;
  do {
    result = zmq_msg_recv(&message, socket, ZMQ_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

OutgoingFrame::~OutgoingFrame() {
  for (std::size_t index = sent_count_; index < prepared_count_; ++index) {
    zmq_msg_close(&messages_[index]);
  }
}

bool OutgoingFrame::prepare(const Frame& frame, mem::Pool& pool) noexcept {
  for (std::size_t index = 0; index < frame.part_count; ++index) {
    const mem::Buffer& part = frame.parts[index];
    const bool by_reference =
        part.bytes() >= reference_bytes_min && prepare_by_reference(messages_[index], part, pool);
    if (!by_reference && !prepare_copy(messages_[index], part)) return false;
    ++prepared_count_;
  }
  return true;
}

bool OutgoingFrame::send(void* socket) noexcept {
  while (sent_count_ < prepared_count_) {
    const int more = sent_count_ + 1 < prepared_count_ ? ZMQ_SNDMORE : 0;
    if (zmq_msg_send(&messages_[sent_count_], socket, ZMQ_DONTWAIT | more) >= 0) {
      ++sent_count_;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

IncomingFrame::Pulled IncomingFrame::pull(void* socket) noexcept {
  std::size_t count = 0;
  bool more = true;
  while (more) {
    const bool kept = count < frame_parts_max;
    zmq_msg_t surplus;
    zmq_msg_t& message = kept ? messages_[count] : surplus;
    zmq_msg_init(&message);
    // libzmq shows a multipart message only when all of it is there: only the first can be missing.
    if (receive_message(socket, message) < 0) {
      zmq_msg_close(&message);
      break;
    }
    more = zmq_msg_more(&message) != 0;
    ++count;
    if (!kept) zmq_msg_close(&message);
  }
  pulled_count_ = count < frame_parts_max ? count : frame_parts_max;
  if (count > frame_parts_max) {
    discard();
    return Pulled::too_many_parts;
  }
  return count == 0 ? Pulled::empty : Pulled::frame;
}

bool IncomingFrame::read_secret(Secret& secret) noexcept {
  if (pulled_count_ != 1 || zmq_msg_size(&messages_[0]) != secret.size()) return false;
  std::memcpy(secret.data(), zmq_msg_data(&messages_[0]), secret.size());
  return true;
}

bool IncomingFrame::try_convert(Frame& frame) noexcept {
  while (converted_count_ < pulled_count_) {
    if (!try_convert_part(messages_[converted_count_])) return false;
    ++converted_count_;
  }
  for (std::size_t index = 0; index < converted_.part_count; ++index) {
    frame.add(std::move(converted_.parts[index]));
  }
  converted_.part_count = 0;
  converted_count_ = 0;
  pulled_count_ = 0;
  return true;
}

bool IncomingFrame::try_convert_part(zmq_msg_t& message) noexcept {
  const std::size_t bytes = zmq_msg_size(&message);
  if (bytes >= reference_bytes_min && try_adopt(message, bytes)) return true;
  mem::Buffer part;
  if (bytes > 0) {
    part = pool_.try_acquire(bytes);
    if (!part) return false;
    std::memcpy(part.data(), zmq_msg_data(&message), bytes);
  }
  converted_.add(std::move(part));
  zmq_msg_close(&message);
  return true;
}

bool IncomingFrame::try_adopt(zmq_msg_t& message, std::size_t bytes) noexcept {
  auto* memory = static_cast<std::byte*>(zmq_msg_data(&message));
  if (reinterpret_cast<std::uintptr_t>(memory) % 8 != 0) return false;
  mem::Buffer block = pool_.try_acquire(sizeof(AdoptedPart));
  if (!block) return false;
  auto* node = new (block.data()) AdoptedPart{};
  mem::Buffer part = pool_.try_adopt(memory, bytes, release_adopted, nullptr, node);
  if (!part) {
    node->~AdoptedPart();
    return false;
  }
  zmq_msg_init(&node->message);
  zmq_msg_move(&node->message, &message);
  zmq_msg_close(&message);
  node->self = std::move(block);
  converted_.add(std::move(part));
  return true;
}

void IncomingFrame::discard() noexcept {
  for (std::size_t index = converted_count_; index < pulled_count_; ++index) {
    zmq_msg_close(&messages_[index]);
  }
  converted_.clear();
  converted_count_ = 0;
  pulled_count_ = 0;
}

}  // namespace abuzz::link::detail
