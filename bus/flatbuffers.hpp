#pragma once

#include <flatbuffers/flatbuffers.h>

#include <chrono>
#include <cstdint>
#include <span>

#include "bus/message.hpp"
#include "bus/publisher.hpp"

// FlatBuffers as payloads. Header only: it needs your generated code and libflatbuffers-dev, the
// library itself does not.

namespace abuzz {

// Publishes what `builder` has finished. Requires: builder.Finish() was called.
inline std::span<const std::byte> finished_bytes(const flatbuffers::FlatBufferBuilder& builder) {
  return std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
}
inline SendStatus try_publish(Publisher& publisher, const flatbuffers::FlatBufferBuilder& builder,
                              const MessageOptions& options = {}) {
  return publisher.try_publish(finished_bytes(builder), options);
}
inline SendStatus publish(Publisher& publisher, const flatbuffers::FlatBufferBuilder& builder,
                          std::chrono::nanoseconds patience, const MessageOptions& options = {}) {
  return publisher.publish(finished_bytes(builder), patience, options);
}

// The payload as a `Table`, verified; nullptr when it is none. `identifier` is the schema's file
// identifier, where it has one. Valid as long as the message. Payloads stand 8-aligned.
template <class Table>
const Table* as(const MessageView& message, const char* identifier = nullptr) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.payload().data());
  if (bytes == nullptr || message.payload().size() < sizeof(flatbuffers::uoffset_t)) return nullptr;
  flatbuffers::Verifier verifier(bytes, message.payload().size());
  if (!verifier.VerifyBuffer<Table>(identifier)) return nullptr;
  return flatbuffers::GetRoot<Table>(bytes);
}

}  // namespace abuzz
